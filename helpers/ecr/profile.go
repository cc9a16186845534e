package ecr

import (
	"cmp"
	"context"
	"slices"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
)

const defaultProfile = "default"

// profileName returns which profile the environment asks for.
func (c *chain) profileName() string {
	return cmp.Or(c.machine.Getenv("AWS_PROFILE"), c.machine.Getenv("AWS_DEFAULT_PROFILE"), defaultProfile)
}

// chosenProfile takes the profile that the environment asks for. The default one need not be there.
func (c *chain) chosenProfile(ctx context.Context) (identity, error) {
	name := c.profileName()
	if err := c.load(); err != nil {
		return identity{}, err
	}
	if _, ok := c.files.profiles[name]; !ok && name == defaultProfile {
		helpers.LeaveSource(ctx, "profile "+name, "there is none")
		return identity{}, helpers.ErrNotFound
	}
	i, err := c.profile(name, nil)
	if helpers.IsNotFound(err) {
		helpers.LeaveSource(ctx, "profile "+name, "it has no credentials")
	}
	return i, err
}

func (c *chain) load() (err error) {
	if c.files == nil {
		c.files, err = readProfiles(c.machine.Getenv)
	}
	return err
}

// profile returns the identity of a profile: a role, or what stands in it. The trail has the profiles that led here by
// their source_profile. The error is [helpers.ErrNotFound] when the profile has no credentials.
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func (c *chain) profile(name string, trail []string) (identity, error) {
	if err := c.load(); err != nil {
		return identity{}, err
	}
	p, ok := c.files.profiles[name]
	if !ok {
		return identity{}, helpers.Fail(helpers.BadMaterial, "there is no profile "+name,
			"see AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or run: aws configure list-profiles")
	}
	if slices.Contains(trail, name) {
		return identity{}, badProfile(name, "leads back to itself by source_profile", "")
	}
	r := role{
		arn: p["role_arn"], externalID: p["external_id"], duration: p["duration_seconds"], named: "the profile " + name,
		session: cmp.Or(p["role_session_name"], sessionName),
	}
	switch {
	case r.arn == "" && p["web_identity_token_file"]+p["source_profile"] != "":
		return identity{}, badProfile(name, "names no role_arn", "add the role that is to be assumed")
	case r.arn == "":
		return c.unwrapped(name, p)
	case p["web_identity_token_file"] != "":
		return c.webRole("profile "+name, p["web_identity_token_file"], r)
	case p["mfa_serial"] != "":
		return identity{}, helpers.Fail(helpers.LoginRequired, "the profile "+name+" asks for a code of a device (mfa_serial)",
			"a helper cannot ask for one: use a profile with credential_process, or with sso_session")
	}
	base, err := c.source(name, p, trail)
	if err != nil {
		return identity{}, err
	}
	i, err := c.assume(base, r)
	i.source = "profile " + name + " as " + r.arn
	return i, err
}

// source returns the identity that a profile assumes its role with.
func (c *chain) source(name string, p section, trail []string) (identity, error) {
	from, by := p["source_profile"], p["credential_source"]
	switch {
	case from != "" && by != "":
		return identity{}, badProfile(name, "has both source_profile and credential_source", "leave one of them")
	case from != "" && from != name:
		i, err := c.profile(from, append(trail, name))
		if helpers.IsNotFound(err) {
			err = badProfile(from, "has no credentials, and is the source_profile of "+name, "")
		}
		return i, err
	case by == "":
		i, err := c.unwrapped(name, p)
		if helpers.IsNotFound(err) {
			err = badProfile(name, "has a role_arn and nothing to assume it with", "add source_profile or credential_source")
		}
		return i, err
	}
	i, err := identity{}, error(helpers.ErrNotFound)
	quiet := context.Background() // a source that the profile wants is not one of the chain that was left
	switch by {
	case "Environment":
		i, err = c.environment(quiet)
	case "EcsContainer":
		i, err = c.container(quiet)
	case "Ec2InstanceMetadata":
		i, err = c.instanceRole(quiet, true)
	}
	if helpers.IsNotFound(err) {
		err = badProfile(name, "has a credential_source that is not there", "it is Environment, EcsContainer or Ec2InstanceMetadata")
	}
	return i, err
}

// unwrapped returns what stands in the profile itself.
func (c *chain) unwrapped(name string, p section) (identity, error) {
	source := "profile " + name
	switch {
	case p["aws_access_key_id"] != "" || p["aws_secret_access_key"] != "":
		return c.static(source, p["aws_access_key_id"], p["aws_secret_access_key"], p["aws_session_token"])
	case p["sso_session"]+p["sso_account_id"]+p["sso_role_name"]+p["sso_start_url"]+p["login_session"] != "":
		return c.session(name, p)
	case p["credential_process"] != "":
		return c.process(name, p["credential_process"])
	}
	return identity{}, helpers.ErrNotFound
}

func badProfile(name, what, hint string) error {
	return helpers.Fail(helpers.BadMaterial, "the profile "+name+" "+what, hint)
}
