package registrytest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Request is what the registry, or its token server, noted of one request.
type Request struct {
	Host   string // as the client spelled it
	Method string
	Path   string
	// Repository is the one that the path is about, "" for none.
	Repository string
	// Scheme is how credentials were presented: Basic, Bearer, or, to the token server, the grant type of a form
	// (password, refresh_token). "" when none were.
	Scheme string
	// User is the user name presented, or the one that the token presented was issued to.
	User string
	// Authenticated says that credentials were presented and accepted.
	Authenticated bool
	Status        int
}

// maxForm bounds what is read of a form at the token server: an identity token is 8 KiB at most, ACR's being the largest.
const maxForm = 64 << 10

// record is the list of requests so far.
type record struct {
	mu       sync.Mutex
	requests []Request
	texts    [][]byte // everything that was said in them, bodies of the registry's own aside
}

func (r *record) add(q Request, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
	r.texts = append(r.texts, text)
}

// Requests returns what clients have asked so far, in the order of the answers. A request is noted before its answer ends, so
// whatever a client has received is in it.
func (r *Registry) Requests() []Request {
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	return slices.Clone(r.record.requests)
}

// Forget empties the record.
func (r *Registry) Forget() {
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	r.record.requests, r.record.texts = nil, nil
}

// Saw reports whether the secret reached the registry or its token server, in any request line, header or form since the
// record was last emptied, in clear or in one of the usual encodings.
func (r *Registry) Saw(secret string) bool {
	encodings := []string{
		secret,
		url.QueryEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)),
		hex.EncodeToString([]byte(secret)),
	}
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	return slices.ContainsFunc(r.record.texts, func(text []byte) bool {
		return slices.ContainsFunc(encodings, func(e string) bool { return bytes.Contains(text, []byte(e)) })
	})
}

// text is what a request said, with the user and password of Basic in clear.
func text(req *http.Request, form url.Values) []byte {
	var b bytes.Buffer
	b.WriteString(req.URL.String() + "\n")
	req.Header.Write(&b) // a buffer takes everything
	b.WriteString(form.Encode() + "\n")
	if user, password, ok := req.BasicAuth(); ok {
		b.WriteString(user + "\n" + password + "\n")
	}
	return b.Bytes()
}

// scheme is the first word of the Authorization header in its usual spelling, "" without one.
func scheme(req *http.Request) string {
	word, _, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	switch strings.ToLower(word) {
	case "basic":
		return "Basic"
	case "bearer":
		return "Bearer"
	}
	return word
}

// statusWriter notes the status of an answer on its way, and tells once, before the first byte of it leaves.
type statusWriter struct {
	http.ResponseWriter
	tell func(status int)
	told bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.told && status >= 200 { // what comes before is not the answer: RFC 9110, section 15.2
		w.told = true
		w.tell(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.finish()
	return w.ResponseWriter.Write(p)
}

// finish tells of an answer that nothing was written of: it is an empty 200.
func (w *statusWriter) finish() {
	if !w.told {
		w.WriteHeader(http.StatusOK)
	}
}

// Unwrap serves http.ResponseController, by which a proxy flushes.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
