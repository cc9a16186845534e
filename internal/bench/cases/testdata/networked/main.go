// Command networked does nothing, with the code of an HTTP client linked.
package main

import _ "net/http"

func main() {}
