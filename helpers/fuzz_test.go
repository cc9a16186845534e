package helpers_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

// Seeds that are more than a line stand in testdata/fuzz.

func FuzzCanonicalFormIsStable(f *testing.F) {
	for _, name := range []string{"spellings.txt", "refused.txt", "nohost.txt"} {
		for _, row := range rows(f, name) {
			f.Add(row[0])
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkCanonical(t, s)
		if r, err := helpers.ParseServerURL(s); err == nil {
			if got := typeOf(r.WithScope("")); named(got) && got != wantType(r) {
				t.Fatalf("%q is %s, want %s", s, got, wantType(r))
			}
		}
	})
}

func FuzzReferenceMeansOneImage(f *testing.F) {
	for _, row := range references {
		f.Add(row.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := helpers.ParseReference(s)
		if err != nil {
			return
		}
		again, err := helpers.ParseReference(ref.String())
		if err != nil || again.String() != ref.String() || again.Registry() != ref.Registry() {
			t.Fatalf("%q is %q in %q, which is %q in %q: %v", s, ref, ref.Registry(), again, again.Registry(), err)
		}
	})
}

func FuzzGetReadsTheServerURLItEchoes(f *testing.F) {
	for _, row := range rows(f, "spellings.txt") {
		f.Add([]byte(row[0]))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		raw, r, err := helpers.ReadServerURL(bytes.NewReader(in))
		want, wantErr := helpers.ParseServerURL(string(in))
		if len(in) <= 8192 && (r != want || (err == nil) != (wantErr == nil)) {
			t.Fatalf("%q is read as %q, %v and parsed as %q, %v", in, r, err, want, wantErr)
		}
		if err != nil {
			if !r.IsZero() || helpers.IsNotFound(err) {
				t.Fatalf("%q is refused and %q all the same: %v", in, r, err)
			}
			return
		}
		out, err := helpers.AppendAnswer(nil, raw, helpers.NewCredential("u", "s", time.Time{}), false)
		if err != nil {
			t.Fatalf("%q cannot be answered: %v", raw, err)
		}
		if _, err := helpers.ParseAnswer(out, raw); err != nil {
			t.Fatalf("%q is echoed as %q: %v", raw, out, err)
		}
	})
}

func FuzzLoginSurvivesTheWire(f *testing.F) {
	f.Add([]byte(`{"ServerURL":"https://index.docker.io/v1/","Username":"u","Secret":"s"}`))
	f.Add([]byte("{\r\n \"ServerURL\": \"ghcr.io\",\r\n \"Username\": \"<token>\",\r\n \"Secret\": \"a\\u2028\\n\\ud83d\\ude00\"\r\n}\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := helpers.ReadLogin(bytes.NewReader(in))
		if err != nil {
			known := errors.Is(err, helpers.ErrNoServerURL) || errors.Is(err, helpers.ErrNoUsername)
			if l.Secret() != "" || helpers.ReasonOf(err) != helpers.BadRequest || !known && helpers.ErrorLine(err) != err.Error() {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		checkLogin(t, l.ServerURL(), l.Username(), l.Secret())
	})
}

func FuzzAnswerIsForWhatWasAsked(f *testing.F) {
	f.Add([]byte(`{"ServerURL":"ghcr.io","Username":"u","Secret":"s"}`), "ghcr.io")
	f.Add([]byte(`{"ServerURL":"ghcr.io","Username":"u","Secret":"s","ExpiresAt":"2026-01-02T03:04:05Z","Source":"login"}`+"\n"), "ghcr.io")
	f.Add([]byte("credentials not found in native keychain\n"), "ghcr.io")
	f.Fuzz(func(t *testing.T, stdout []byte, asked string) {
		c, err := helpers.ParseAnswer(stdout, asked)
		if err != nil {
			if helpers.ReasonOf(err) != helpers.BadAnswer {
				t.Fatalf("%q: %v", stdout, err)
			}
			return
		}
		out, err := helpers.AppendAnswer(nil, asked, c, true)
		if err != nil {
			t.Fatalf("%q is taken and cannot be written: %v", stdout, err)
		}
		again, err := helpers.ParseAnswer(out, asked)
		if err != nil || again.Username() != c.Username() || again.Secret() != c.Secret() || !again.ExpiresAt().Equal(c.ExpiresAt().Truncate(time.Second)) {
			t.Fatalf("%q is written as %q: %v", stdout, out, err)
		}
	})
}

func FuzzMaterialSurvivesTheWire(f *testing.F) {
	f.Add([]byte(`{"version":1,"registry":"ghcr.io","type":"ghcr","credentials":{"GITHUB_TOKEN":"t","GITHUB_USERNAME":"u"}}`))
	f.Add([]byte(`{"version":1,"registry":"gcr.io","type":"gcp","scope":"p/r","credentials":{"GOOGLE_APPLICATION_CREDENTIALS":"{\"type\":\"service_account\"}"}}`))
	f.Fuzz(func(t *testing.T, data []byte) { checkMaterial(t, data) })
}

func FuzzMapMovesNoNamedService(f *testing.F) {
	f.Add([]byte(pins))
	f.Add([]byte(`{"partitions":[{"name":"new","regions":["xx"],"suffix":"cloud.example"}]}`))
	f.Add([]byte(`{"registries":[{"host":"*.*","type":"ghcr"}]}`))
	var registries []helpers.Registry
	for _, host := range tableHosts(f) {
		registries = append(registries, parse(f, host))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := helpers.ParseMap(data)
		if err != nil {
			if helpers.ReasonOf(err) != helpers.BadMaterial || m != nil {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		for _, r := range registries {
			was, wasOK := helpers.Lookup(r)
			is, isOK := m.Lookup(r)
			if !was.CatchAll() && (was.Name != is.Name || wasOK != isOK) {
				t.Fatalf("%q moves %s from %s to %s", data, r, was.Name, is.Name)
			}
		}
	})
}
