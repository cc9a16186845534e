// Package sigv4 signs requests with AWS's Signature Version 4, for services other than S3. The form is that of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. It is written here since
// the signer of AWS's SDK links thirty packages, whose set-up every answer from the cache would pay for.
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	terminal  = "aws4_request"
	stamp     = "20060102T150405Z" // in UTC; its first eight characters are the date of the scope
)

// Keys are an identity at AWS.
type Keys struct {
	ID, Secret string
	// Session is the token of temporary keys, or empty.
	Session string
}

// Sign signs a request for the time at, and so sets its Host and its headers X-Amz-Date, Authorization and, where the keys
// have a token, X-Amz-Security-Token. Every header that the request has by then is signed; what is added later is not, and may be
// changed on the way. The body is that of the request, which is not read.
func Sign(r *http.Request, body []byte, k Keys, service, region string, at time.Time) {
	date := at.UTC().Format(stamp)
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", date)
	if k.Session != "" {
		r.Header.Set("X-Amz-Security-Token", k.Session)
	}
	r.Host = host(r)
	names, lines := headers(r)
	canonical := strings.Join([]string{r.Method, path(r.URL), query(r.URL), lines, names, sum(body)}, "\n")
	scope := strings.Join([]string{date[:8], region, service, terminal}, "/")
	key := []byte("AWS4" + k.Secret)
	for _, part := range []string{date[:8], region, service, terminal,
		strings.Join([]string{algorithm, date, scope, sum([]byte(canonical))}, "\n")} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+k.ID+"/"+scope+", SignedHeaders="+names+
		", Signature="+hex.EncodeToString(key))
}

// host returns the host of a request without the port that its scheme implies: who verifies does not count on it.
func host(r *http.Request) string {
	h := cmp.Or(r.Host, r.URL.Host)
	if r.URL.Scheme == "https" {
		return strings.TrimSuffix(h, ":443")
	}
	return strings.TrimSuffix(h, ":80")
}

// headers returns the names of the signed headers, and a line for each.
func headers(r *http.Request) (names, lines string) {
	type header struct{ name, value string }
	all := []header{{"host", r.Host}}
	for name, values := range r.Header {
		var clean []string
		for _, v := range values {
			clean = append(clean, strings.Join(strings.Fields(v), " "))
		}
		all = append(all, header{strings.ToLower(name), strings.Join(clean, ",")})
	}
	slices.SortFunc(all, func(a, b header) int { return cmp.Compare(a.name, b.name) })
	var list []string
	for _, h := range all {
		list = append(list, h.name)
		lines += h.name + ":" + h.value + "\n"
	}
	return strings.Join(list, ";"), lines
}

// path returns the path in its canonical form: escaped once more than it is sent.
func path(u *url.URL) string {
	const hexadecimal = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(cmp.Or(u.EscapedPath(), "/")) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexadecimal[c>>4])
			b.WriteByte(hexadecimal[c&15])
		}
	}
	return b.String()
}

// query returns the parameters in the order of their names, and of their values where a name has several. It is the escaped
// ones that are compared.
func query(u *url.URL) string {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") } // a plus itself is escaped
	type parameter struct{ name, value string }
	var all []parameter
	for name, values := range u.Query() {
		for _, v := range values {
			all = append(all, parameter{escape(name), escape(v)})
		}
	}
	slices.SortFunc(all, func(a, b parameter) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.value, b.value)) })
	var pairs []string
	for _, p := range all {
		pairs = append(pairs, p.name+"="+p.value)
	}
	return strings.Join(pairs, "&")
}

func sum(b []byte) string {
	digest := sha256.Sum256(b)
	return hex.EncodeToString(digest[:])
}
