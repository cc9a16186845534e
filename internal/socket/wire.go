package socket

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const (
	// requestPrefix starts every request and names the version.
	requestPrefix = "material 1 "
	// maxRequest is the longest request, in bytes: a registry of at most 260 with a scope of at most 255, twice over.
	maxRequest = 1024
	// maxStatus is the longest first line of a reply, in bytes; "failed" and the longest reason have 24.
	maxStatus = 64
	// maxBlob is the largest material on the wire, in bytes; more is refused by [helpers.ParseMaterial] anyway.
	maxBlob = 2 * helpers.MaxSecret
)

var errMalformed = errors.New("not the protocol of the credential socket")

// AppendRequest appends the request for the material of a registry.
func AppendRequest(dst []byte, r helpers.Registry) []byte {
	return append(append(append(dst, requestPrefix...), r.String()...), '\n')
}

// ReadRequest reads one request. Its errors hold nothing of what was read.
func ReadRequest(in io.Reader) (helpers.Registry, error) {
	line, err := readLine(bufio.NewReaderSize(in, maxRequest), maxRequest)
	if err != nil {
		return helpers.Registry{}, err
	}
	name, ok := strings.CutPrefix(line, requestPrefix)
	if !ok {
		return helpers.Registry{}, errMalformed
	}
	r, err := helpers.ParseServerURL(name)
	if err != nil || r.String() != name { // one spelling only: what is asked for is what is meant
		return helpers.Registry{}, errMalformed
	}
	return r, nil
}

// AppendReply appends the reply for one of the three outcomes. What is appended may be secret.
func AppendReply(dst []byte, m helpers.Material, err error) []byte {
	var blob []byte
	if err == nil {
		blob, err = m.AppendBlob(nil)
	}
	switch {
	case errors.Is(err, helpers.ErrNotFound):
		return append(dst, "none\n"...)
	case err != nil:
		return append(append(append(dst, "failed "...), helpers.ReasonOf(err)...), '\n')
	}
	dst = append(strconv.AppendInt(append(dst, "have "...), int64(len(blob)), 10), '\n')
	return append(dst, blob...)
}

// readReply reads a reply to its end. The error is [helpers.ErrNotFound], a failure with the reason that the other end
// gave, errMalformed, or that of the reader.
func readReply(in io.Reader) (helpers.Material, error) {
	buffered := bufio.NewReader(in)
	status, err := readLine(buffered, maxStatus)
	if err != nil {
		return helpers.Material{}, err
	}
	word, rest, _ := strings.Cut(status, " ")
	switch {
	case status == "none":
		return helpers.Material{}, helpers.ErrNotFound
	case word == "failed":
		// The table of reasons is the one that error lines of helpers are read by.
		reason := helpers.ReasonOf(helpers.ParseErrorLine([]byte(rest)))
		return helpers.Material{}, helpers.Fail(reason, "the credential socket could not get the material",
			"see what the program that started the build says")
	case word != "have":
		return helpers.Material{}, errMalformed
	}
	n, err := strconv.ParseUint(rest, 10, 32)
	if err != nil || n > maxBlob {
		return helpers.Material{}, errMalformed
	}
	blob := make([]byte, n)
	if _, err := io.ReadFull(buffered, blob); err != nil {
		return helpers.Material{}, err
	}
	if _, err := buffered.ReadByte(); err != io.EOF {
		return helpers.Material{}, errMalformed
	}
	return helpers.ParseMaterial(blob)
}

// readLine reads up to the first LF and returns what stands before it. The line is ASCII without control characters.
func readLine(in *bufio.Reader, limit int) (string, error) {
	line := make([]byte, 0, limit)
	for {
		c, err := in.ReadByte()
		switch {
		case err == io.EOF:
			return "", io.ErrUnexpectedEOF
		case err != nil:
			return "", err
		case c == '\n':
			return string(line), nil
		case c < 0x20 || c >= 0x7f || len(line) == limit:
			return "", errMalformed
		}
		line = append(line, c)
	}
}
