// Package aws stands in for the token services of Amazon: ECR, ECR Public and STS, which take only requests that were
// signed with keys they know, and the metadata services of an instance (version 2) and of a container.
//
//	cloud := aws.New()
//	keys := cloud.User("puller")
//	server := httptest.NewServer(cloud)      // for endpoint overrides
//	cloud.Behind(proxy, "us-east-1")         // or under the real names
//	...
//	token, ok := cloud.Issued(password)
package aws

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/beam-cloud/docker-credential-beta9/internal/cloudtest"
)

// The services, as [cloudtest.Gate] knows them.
const (
	ECR       = "ecr"
	ECRPublic = "ecr-public"
	STS       = "sts"
	Instance  = "imds"
	Container = "ecs"
)

// Account is the account of everything in a cloud.
const Account = "123456789012"

// Keys are access keys and who they belong to.
type Keys struct {
	ID, Secret string
	Session    string    // of a session's keys
	Principal  string    // an ARN
	Expires    time.Time // of a session's keys
}

// Token is what ECR has issued.
type Token struct {
	Principal string
	Region    string
	Public    bool
	Expires   time.Time
}

// Role is a role that can be assumed.
type Role struct {
	ExternalID string   // that has to be given
	By         []string // principals that may; none means every one
	Subject    string   // of the web identity token that has to be given; empty means by keys
}

// A Call is one request that a service has answered.
type Call struct {
	Service, Host, Region, Principal string
}

// Cloud is the stand-in. It is an [http.Handler] that tells its services apart as the real ones are told apart by their
// hosts: by what is asked. It may be used by several goroutines at once; its fields are set before it is used.
type Cloud struct {
	// Gate counts the calls, by service, and lets services misbehave.
	Gate *cloudtest.Gate
	// Now is the clock of the services.
	Now func() time.Time
	// InstanceRole names the role of the instance; empty means that it has none.
	InstanceRole string
	// ContainerAuthorization is what the container's metadata service wants as Authorization.
	ContainerAuthorization string

	services map[string]http.Handler

	mu     sync.Mutex
	keys   map[string]Keys // by ID
	roles  map[string]Role // by ARN
	issued map[string]Token
	calls  []Call
	serial uint32
	life   time.Duration // of a token of ECR
}

// New returns a cloud with nobody in it.
func New() *Cloud {
	c := &Cloud{
		Gate: cloudtest.NewGate(), Now: time.Now, life: 12 * time.Hour,
		keys: map[string]Keys{}, roles: map[string]Role{}, issued: map[string]Token{},
	}
	c.services = map[string]http.Handler{}
	for service, f := range map[string]http.HandlerFunc{
		ECR: c.ecr, ECRPublic: c.ecr, STS: c.sts, Instance: c.instance, Container: c.container,
	} {
		c.services[service] = c.Gate.Guard(service, f)
	}
	return c
}

// ServeHTTP finds the service that is meant.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target, path := r.Header.Get("X-Amz-Target"), r.URL.Path
	service := STS
	switch {
	case strings.HasPrefix(target, "AmazonEC2ContainerRegistry_V20150921."):
		service = ECR
	case strings.HasPrefix(target, "SpencerFrontendService."):
		service = ECRPublic
	case strings.HasPrefix(path, "/latest/"):
		service = Instance
	case r.Method == http.MethodGet:
		service = Container
	}
	c.services[service].ServeHTTP(w, r)
}

// Behind puts the cloud behind the names that its services have in the regions of the partition aws.
func (c *Cloud) Behind(p *cloudtest.Proxy, regions ...string) {
	for _, region := range regions {
		for _, host := range []string{
			"api.ecr." + region + ".amazonaws.com", "api.ecr-fips." + region + ".amazonaws.com",
			"ecr." + region + ".api.aws", "ecr-fips." + region + ".api.aws",
			"sts." + region + ".amazonaws.com", "sts-fips." + region + ".amazonaws.com",
			"sts." + region + ".api.aws", "sts-fips." + region + ".api.aws",
		} {
			p.Serve(host, c)
		}
	}
	p.Serve("api.ecr-public.us-east-1.amazonaws.com", c)
	p.Serve("ecr-public.us-east-1.api.aws", c)
}

// User makes a user with a pair of lasting keys.
func (c *Cloud) User(name string) Keys {
	return c.add("AKIA", Keys{Principal: "arn:aws:iam::" + Account + ":user/" + name})
}

// Session makes keys of a session of a role.
func (c *Cloud) Session(role string) Keys {
	return c.add("ASIA", Keys{
		Principal: "arn:aws:sts::" + Account + ":assumed-role/" + role + "/test", Expires: c.Now().Add(time.Hour),
	})
}

// AddRole makes a role and returns its ARN.
func (c *Cloud) AddRole(name string, r Role) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	arn := "arn:aws:iam::" + Account + ":role/" + name
	c.roles[arn] = r
	return arn
}

// SetTokenLife sets how long the tokens of ECR live that are made from now on. At first it is 12 hours.
func (c *Cloud) SetTokenLife(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = d
}

// Forget makes keys unknown.
func (c *Cloud) Forget(k Keys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, k.ID)
}

// Issued returns what is known of a token of ECR by its password.
func (c *Cloud) Issued(password string) (Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.issued[password]
	return t, ok
}

// Calls returns the requests that were answered, in order.
func (c *Cloud) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Call(nil), c.calls...)
}

func (c *Cloud) called(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

// add gives keys an ID, in which the account is written as Amazon writes it: in 40 of the bits behind the prefix. The
// secrets are obviously false.
func (c *Cloud) add(prefix string, k Keys) Keys {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	var id [10]byte
	var account uint64
	_, _ = fmt.Sscan(Account, &account) // a constant
	binary.BigEndian.PutUint64(id[:], account<<7<<16)
	binary.BigEndian.PutUint32(id[6:], c.serial)
	k.ID = prefix + base32.StdEncoding.EncodeToString(id[:])
	k.Secret = fmt.Sprintf("not-a-secret-key-%d", c.serial)
	if prefix == "ASIA" {
		k.Session = fmt.Sprintf("not-a-session-token-%d", c.serial)
	}
	c.keys[k.ID] = k
	return k
}
