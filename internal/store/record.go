package store

import (
	"encoding/binary"
	"errors"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/seal"
)

// A record is one stored login in a file of its own:
//
//	1 byte    version, 1
//	4 bytes   length of the head, big-endian
//	n bytes   head: a sealed box with the length of the server URL as 4 bytes, the server URL, the user name; no user name
//	          where it is the secret, which some services ask for
//	rest      body: a sealed box with the secret
//
// Both boxes are sealed for the file's name, which stands for the type and the registry, and the body for its head as
// well: a head and a body of two versions of a record do not open together. The head is short and comes first, so that
// a list reads and opens nothing else.
const (
	recordVersion = 1
	recordStart   = 1 + 4

	headPurpose = "login head"
	bodyPurpose = "login body"

	// maxHead is the longest head before it is sealed, in bytes: a server URL of 4096, and more of a user name than
	// any registry gives out.
	maxHead = 64 << 10

	maxHeadRecord = recordStart + maxHead + seal.Overhead
	maxRecord     = maxHeadRecord + helpers.MaxSecret + seal.Overhead
)

// What is wrong with a record beside its seal.
var (
	errCut     = errors.New("cut short")
	errOther   = errors.New("for another registry than its place says")
	errInvalid = errors.New("no login is in it")
)

// A Head is what a list shows of a stored login.
type Head struct {
	// ServerURL is the server URL as the client spelled it.
	ServerURL string
	// Username is empty where the user name is the secret.
	Username string
}

// sealLogin returns the record of a login for the file called name.
func sealLogin(key seal.Key, name string, l helpers.Login) ([]byte, error) {
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(l.ServerURL())))
	plain = append(plain, l.ServerURL()...)
	if l.Username() != l.Secret() {
		plain = append(plain, l.Username()...)
	}
	head, err := key.Seal(headPurpose, plain, name)
	if err != nil {
		return nil, err
	}
	body, err := key.Seal(bodyPurpose, []byte(l.Secret()), name, string(head))
	if err != nil {
		return nil, err
	}
	record := make([]byte, 0, recordStart+len(head)+len(body))
	record = binary.BigEndian.AppendUint32(append(record, recordVersion), uint32(len(head)))
	return append(append(record, head...), body...), nil
}

// openLogin opens a whole record.
func openLogin(key seal.Key, name string, record []byte) (helpers.Login, error) {
	box, body, err := split(record)
	if err != nil {
		return helpers.Login{}, err
	}
	head, err := openHead(key, name, box)
	if err != nil {
		return helpers.Login{}, err
	}
	secret, err := key.Open(bodyPurpose, body, name, string(box))
	if err != nil {
		return helpers.Login{}, err
	}
	if head.Username == "" {
		head.Username = string(secret)
	}
	l, err := helpers.NewLogin(head.ServerURL, head.Username, string(secret))
	if err != nil {
		return helpers.Login{}, errInvalid
	}
	return l, nil
}

// openHead opens the head of a record.
func openHead(key seal.Key, name string, box []byte) (Head, error) {
	plain, err := key.Open(headPurpose, box, name)
	if err != nil {
		return Head{}, err
	}
	if len(plain) < 4 {
		return Head{}, errInvalid
	}
	size, rest := binary.BigEndian.Uint32(plain), plain[4:]
	if uint64(size) > uint64(len(rest)) {
		return Head{}, errInvalid
	}
	return Head{ServerURL: string(rest[:size]), Username: string(rest[size:])}, nil
}

// split returns the boxes of a record. The body is whatever is there of it.
func split(record []byte) (head, body []byte, err error) {
	if len(record) < recordStart {
		return nil, nil, errCut
	}
	if record[0] != recordVersion {
		return nil, nil, seal.ErrVersion
	}
	size, rest := binary.BigEndian.Uint32(record[1:]), record[recordStart:]
	if uint64(size) > uint64(len(rest)) {
		return nil, nil, errCut
	}
	return rest[:size], rest[size:], nil
}
