//go:build unix

package clientconfig

// homeVariable names the user's folder.
const homeVariable = "HOME"
