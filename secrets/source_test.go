package secrets_test

import (
	"context"
	"testing"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/secrets"
)

// liar answers every question with the same secret.
type liar struct {
	secrets.Images
	answer secrets.Secret
}

func (l liar) Find(context.Context, string, string, helpers.Registry) (secrets.Secret, error) {
	return l.answer, nil
}

func TestSourceDoesNotTrustItsStore(t *testing.T) {
	t.Parallel()
	answer, err := secrets.FromEnvironment("w", "ghcr.io/acme/app", func(key string) string {
		return map[string]string{"GITHUB_TOKEN": "t"}[key]
	})
	if err != nil {
		t.Fatal(err)
	}
	scoped := answer
	scoped.Material = answer.Material.WithScope("acme")
	for name, c := range map[string]struct {
		answer           secrets.Secret
		workspace, asked string
		want             helpers.Reason
	}{
		"what was asked for": {answer, "w", "ghcr.io/acme/app", ""},
		"another registry":   {answer, "w", "quay.io/acme/app", helpers.WrongHost},
		"a look-alike":       {answer, "w", "ghcr.io.attacker.example/acme/app", helpers.WrongHost},
		"another repository": {scoped, "w", "ghcr.io/other/app", helpers.WrongHost},
		"another workspace":  {answer, "x", "ghcr.io/acme/app", helpers.WrongHost},
	} {
		m, err := secrets.NewSource(liar{answer: c.answer}, c.workspace, "i").Material(t.Context(), registry(t, c.asked))
		if helpers.ReasonOf(err) != c.want || m.IsZero() != (c.want != "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The images of a workspace are one tenant to a worker, and those of another are not.
func TestSourceNamesItsWorkspace(t *testing.T) {
	t.Parallel()
	name := func(workspace, image string) string {
		s, ok := secrets.NewSource(liar{}, workspace, image).(interface{ Tenant() string })
		if !ok {
			t.Fatal("it names none")
		}
		return s.Tenant()
	}
	if name("w", "i") != name("w", "j") || name("w", "i") == name("x", "i") {
		t.Errorf("the names are %q, %q and %q", name("w", "i"), name("w", "j"), name("x", "i"))
	}
}
