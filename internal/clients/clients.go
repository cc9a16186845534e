// Package clients runs the programs with which people pull images, each in a world of its own, so that tests can watch what
// they do with credentials:
//
//	home := clients.TempHome(t)
//	for _, name := range clients.Names() {
//		client := clients.Need(t, name)
//		err := home.Configure(client, clients.Auths("alice", password, "localhost:5000"))
//		out, err := client.Pull(ctx, home, "localhost:5000/acme/app:1", true).CombinedOutput()
//	}
//
// crane, regctl and oras are built from the module in testdata/clients; the others are what the machine has installed.
package clients

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/internal/needs"
)

// Client is a program that pulls images, found on this machine. It may be used by several goroutines at once; two commands
// in one [Home] at once are the caller's risk, as they are with the programs themselves.
type Client struct {
	Name string
	Path string // of the program
	kind kind
}

// kind is what tells one client from another: the arguments of its commands. plain says that the registry speaks plain HTTP.
type kind struct {
	name string
	tool bool // of the module testdata/clients
	settings
	pull   func(h Home, ref string, plain bool) []string
	login  func(h Home, host, user string, plain bool) []string
	logout func(h Home, host string, plain bool) []string
}

var kinds = []kind{crane, regctl, oras, docker, skopeo, buildah, podman}

// Names returns the names of all the clients, those that every machine with Go can have first.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// Find returns the named client, having built it first where it is one to build. That takes half a minute once for a
// machine; the context bounds it.
func Find(ctx context.Context, name string) (Client, error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return Client{}, fmt.Errorf("no client %s: there are %s", name, strings.Join(Names(), ", "))
	}
	c := Client{Name: name, kind: kinds[i]}
	var err error
	if c.kind.tool {
		c.Path, err = built(ctx, name)
	} else {
		c.Path, err = needs.Find(name)
	}
	return c, err
}

// Need is [Find] in a test that cannot do without the client.
func Need(t testing.TB, name string) Client {
	t.Helper()
	c, err := Find(t.Context(), name)
	if err != nil {
		needs.Missing(t, "%v", err)
	}
	return c
}

// Config returns the path of the file in which the client looks for credentials and helpers.
func (c Client) Config(h Home) string { return h.path(c.kind.settings.file) }

// Pull returns the command that pulls the image, all of it. docker has none that does without its daemon: its command
// fetches the manifest.
func (c Client) Pull(ctx context.Context, h Home, ref string, plain bool) *exec.Cmd {
	return c.command(ctx, h, c.kind.pull(h, ref, plain))
}

// Login returns the command that logs in to the registry, and gives it the password on its standard input.
func (c Client) Login(ctx context.Context, h Home, host, user, password string, plain bool) *exec.Cmd {
	cmd := c.command(ctx, h, c.kind.login(h, host, user, plain))
	cmd.Stdin = strings.NewReader(password)
	return cmd
}

// Logout returns the command that logs out of the registry.
func (c Client) Logout(ctx context.Context, h Home, host string, plain bool) *exec.Cmd {
	return c.command(ctx, h, c.kind.logout(h, host, plain))
}

// command has an environment of its own, to which a test may append.
func (c Client) command(ctx context.Context, h Home, args []string) *exec.Cmd {
	cmd := h.Command(ctx, c.Path, args...)
	cmd.Env = append(cmd.Env, c.kind.variable+"="+h.path(c.kind.value))
	return cmd
}
