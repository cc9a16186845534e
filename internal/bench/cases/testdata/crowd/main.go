// Command crowd asks one provider of credentials from many goroutines at once, all for the same registry, as a worker does
// that mounts many images. It prints how long that took until the last one had its last answer, in nanoseconds.
//
//	crowd ours|clip|keychain HOST GOROUTINES TIMES [FOLDER-OF-HELPERS] < material.json
//
// Keys and the way to the services come from the environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/beam-cloud/clip/pkg/clip"
	"github.com/beam-cloud/clip/pkg/common"

	"github.com/beam-cloud/docker-credential-beta9/helpers"
	"github.com/beam-cloud/docker-credential-beta9/provider"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 4 {
		return errors.New("usage: crowd ours|clip|keychain HOST GOROUTINES TIMES [FOLDER]")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	if err := clip.SetLogLevel("disabled"); err != nil {
		return err
	}
	p, err := makeProvider(args)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	failures := make(chan error, n)
	began := time.Now()
	for range n {
		all.Go(func() {
			failures <- ask(p, args[1], times)
		})
	}
	all.Wait()
	took := time.Since(began)
	for range n {
		if err := <-failures; err != nil {
			return err
		}
	}
	fmt.Println(took.Nanoseconds())
	return nil
}

// ask asks so many times.
func ask(p common.RegistryCredentialProvider, host string, times int) error {
	for range times {
		c, err := p.GetCredentials(context.Background(), host, "")
		if err != nil {
			return err
		}
		if c.Password == "" {
			return errors.New("no credential")
		}
	}
	return nil
}

func makeProvider(args []string) (common.RegistryCredentialProvider, error) {
	switch {
	case args[0] == "ours" && len(args) == 5:
		blob, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, err
		}
		m, err := helpers.ParseMaterial(blob)
		if err != nil {
			return nil, err
		}
		return provider.New(provider.Options{
			Folder: args[4], Source: provider.Materials{m},
			Network: provider.Network{HTTPSProxy: os.Getenv("HTTPS_PROXY"), CertFile: os.Getenv("SSL_CERT_FILE")},
		})
	case args[0] == "clip":
		return common.NewECRProvider(common.ECRProviderConfig{
			AWSAccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), AWSSecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), AWSRegion: "us-east-1",
		}), nil
	case args[0] == "keychain":
		return common.NewKeychainProvider(), nil
	}
	return nil, errors.New("no such provider: " + args[0])
}
