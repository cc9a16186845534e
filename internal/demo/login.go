//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// person runs beta9-credentials in the show's home and returns what it printed.
func (s *show) person(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := s.home.Command(ctx, filepath.Join(s.bin, "beta9-credentials"), args...)
	cmd.Env = append(cmd.Env, s.path())
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("beta9-credentials %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// path is the variable by which clients find the helpers.
func (s *show) path() string {
	return "PATH=" + s.bin + string(filepath.ListSeparator) + os.Getenv("PATH")
}

func configure(ctx context.Context, s *show) (string, error) {
	if _, err := s.person(ctx, "", "configure", "docker", s.registry.Name()); err != nil {
		return "", err
	}
	return fmt.Sprintf("beta9-credentials configure docker %s: from now on %s is asked for it", s.registry.Name(), program), nil
}

func login(ctx context.Context, s *show) (string, error) {
	if _, err := s.person(ctx, s.password, "login", s.registry.Name(), "-u", user, "--password-stdin"); err != nil {
		return "", err
	}
	files, err := s.withoutPassword()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("beta9-credentials login %s -u %s: stored by the helper; none of the %d files of the home has the password in clear",
		s.registry.Name(), user, files), nil
}

// withoutPassword reads every file of the home and fails when one has the password in it. It returns how many there are.
func (s *show) withoutPassword() (files int, err error) {
	err = filepath.WalkDir(s.home.Dir(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(s.password)) {
			err = errors.New("the password stands in clear in " + path)
		}
		return err
	})
	return files, err
}

func status(ctx context.Context, s *show) (string, error) {
	out, err := s.person(ctx, "", "status", s.registry.Name(), "--json")
	if err != nil {
		return "", err
	}
	var states []struct{ Outcome, Source, User string }
	if err := json.Unmarshal([]byte(out), &states); err != nil {
		return "", fmt.Errorf("beta9-credentials status: %w", err)
	}
	if len(states) != 1 || states[0].Outcome != "have" || states[0].Source != "login" || states[0].User != user {
		return "", fmt.Errorf("beta9-credentials status does not show the login: %s", out)
	}
	return fmt.Sprintf("beta9-credentials status: the credential for %s is the stored %s of %s", s.registry.Name(), states[0].Source, states[0].User), nil
}

func logout(ctx context.Context, s *show) (string, error) {
	if _, err := s.person(ctx, "", "logout", s.registry.Name()); err != nil {
		return "", err
	}
	if _, err := refusePull(ctx, s); err != nil {
		return "", err
	}
	return fmt.Sprintf("beta9-credentials logout %s: the same pull is refused again", s.registry.Name()), nil
}
