package provider

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/internal/execute"
)

// mapVariable names the map file to a helper.
const mapVariable = "BETA9_CREDENTIAL_REGISTRIES"

// cacheVariable says what a helper does with its own cache.
const cacheVariable = "BETA9_CREDENTIAL_CACHE"

// maxHint is the longest hint that is taken over from a helper, in bytes: a few lines of a terminal.
const maxHint = 512

// run runs a helper once. The error is [helpers.ErrNotFound] or a [*helpers.Failure].
func (p *Provider) run(ctx context.Context, q ask, trusted bool) (helpers.Credential, error) {
	call := execute.Call{
		Type:         q.typ.Name,
		Verb:         helpers.VerbGet,
		Stdin:        []byte(q.registry.String()),
		Env:          p.environ(trusted),
		Tenant:       p.tenant,
		TellDeadline: true,
		Gentle:       p.options.Policy == Ambient,
	}
	if !q.material.IsZero() {
		var err error
		if call.Material, err = q.material.AppendBlob(nil); err != nil {
			return helpers.Credential{}, err
		}
	}
	result, err := p.folder.Run(ctx, call)
	if err != nil {
		return helpers.Credential{}, execute.Failure(err)
	}
	if result.ExitCode != 0 {
		return helpers.Credential{}, p.refusal(ctx, q, result)
	}
	c, err := helpers.ParseAnswer(result.Stdout, q.registry.String())
	if err != nil {
		return helpers.Credential{}, err
	}
	if !c.ValidAt(p.now()) {
		return helpers.Credential{}, helpers.Fail(helpers.BadAnswer, q.typ.Executable()+" answered with a credential that has expired",
			"compare the clock of this machine with the time")
	}
	return c, nil
}

// environ is the environment of a helper, but for what package execute adds.
func (p *Provider) environ(trusted bool) []string {
	env := slices.Clone(p.options.Environ)
	if p.options.Policy == Isolated {
		env = append(p.options.Network.environ(), "BETA9_CREDENTIAL_AMBIENT=off")
	}
	switch {
	case p.options.Policy == Isolated:
		env = append(env, cacheVariable+"=off")
	case !trusted && !slices.Contains(env, cacheVariable+"=off"):
		env = append(env, cacheVariable+"=renew")
	}
	if p.options.MapFile != "" {
		env = append(env, mapVariable+"="+p.options.MapFile)
	}
	return append(env, "BETA9_CREDENTIAL_EXTENDED=1")
}

// refusal reads the outcome of a helper that ended with an error. Nothing it printed is taken over but the reason, and,
// under the policy Ambient, the hint for the person whose machine it is.
func (p *Provider) refusal(ctx context.Context, q ask, result execute.Result) error {
	err := helpers.ParseErrorLine(result.Stdout)
	if helpers.IsNotFound(err) {
		return helpers.ErrNotFound
	}
	f := &helpers.Failure{
		Reason: helpers.ReasonOf(err),
		Text:   q.typ.Executable() + " has no credential for " + q.registry.Identity() + " because it failed",
		Cause:  err,
	}
	if f.Reason == helpers.Canceled && ctx.Err() == nil {
		f.Reason = helpers.Unavailable // somebody has ended it who does not ask for the credential
	}
	if p.options.Policy == Ambient {
		f.Hint = hintOf(result.Stderr)
	}
	return f
}

// hintOf returns the last hint that a helper wrote to stderr.
func hintOf(stderr []byte) string {
	hint := ""
	for line := range bytes.Lines(stderr) {
		if text, ok := bytes.CutPrefix(line, []byte("hint: ")); ok {
			hint = strings.ToValidUTF8(string(text[:min(len(text), maxHint)]), "")
		}
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, hint))
}
