package aws

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// instanceToken is the session token of the instance's metadata service. It has one, since nothing else would tell
// whether the one that comes back is the one that was given.
const instanceToken = "not-a-secret-metadata-token"

// rolePath is where the instance's metadata service lists the role and hands out its keys:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
const rolePath = "/latest/meta-data/iam/security-credentials/"

// instance is the metadata service of an instance, version 2 only.
func (c *Cloud) instance(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "not through a proxy", http.StatusForbidden)
		return
	}
	if r.URL.Path == "/latest/api/token" {
		life, err := strconv.Atoi(r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
		if r.Method != http.MethodPut || err != nil || life < 1 || life > 21600 {
			http.Error(w, "a token is asked for with PUT and a life", http.StatusBadRequest)
			return
		}
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", strconv.Itoa(life))
		_, _ = io.WriteString(w, instanceToken)
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != instanceToken {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	switch {
	case c.InstanceRole == "":
		http.NotFound(w, r)
	case r.URL.Path == rolePath:
		_, _ = io.WriteString(w, c.InstanceRole+"\n")
	case r.URL.Path == rolePath+c.InstanceRole:
		keys := c.Session(c.InstanceRole)
		c.called(Call{Service: Instance, Host: r.Host, Principal: keys.Principal})
		writeKeys(w, keys, "Success")
	default:
		http.NotFound(w, r)
	}
}

// ContainerPath is where the container's metadata service answers.
const ContainerPath = "/v2/credentials/2f1a9d2e-not-a-secret"

// ContainerRole is the role of the container.
const ContainerRole = "task"

// container is the metadata service of a container:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
func (c *Cloud) container(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != ContainerPath || r.Header.Get("Authorization") != c.ContainerAuthorization {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"code":"AccessDenied","message":"not authorized"}`)
		return
	}
	keys := c.Session(ContainerRole)
	c.called(Call{Service: Container, Host: r.Host, Principal: keys.Principal})
	writeKeys(w, keys, "")
}

func writeKeys(w http.ResponseWriter, k Keys, code string) {
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client may have gone
		"Code": code, "AccessKeyId": k.ID, "SecretAccessKey": k.Secret, "Token": k.Session,
		"Expiration": k.Expires.UTC().Format(time.RFC3339),
	})
}
