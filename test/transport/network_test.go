package transport_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

func TestStrangersFromOtherNetworks(t *testing.T) {
	t.Parallel()
	server := run(t, "--api-allow", "127.0.0.2/32,2001:db8::/32", "--console-allow", "10.0.0.0/8")
	for _, c := range []struct {
		name, origin, from string
		ok                 bool
	}{
		{"the API from an allowed network", server.API, "127.0.0.2", true},
		{"the API from another", server.API, "127.0.0.1", false},
		{"the console from a network that the API allows", server.Console, "127.0.0.2", false},
		{"operations, which have no list", server.Ops, "127.0.0.1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, c.origin, c.from)
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") // it may be closed by now
			if got := answers(t, conn); (len(got) == 1) != c.ok {
				t.Errorf("answered %v, want an answer: %v", got, c.ok)
			}
		})
	}
	t.Run("operations count them", func(t *testing.T) {
		resp, err := http.Get(server.Ops + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		metrics, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`dictum_connections_refused_total{listener="api"} 1`, `dictum_connections_refused_total{listener="console"} 1`, `dictum_connections_refused_total{listener="ops"} 0`} {
			if !strings.Contains(string(metrics), want+"\n") {
				t.Errorf("the metrics lack %s", want)
			}
		}
	})
	t.Run("before TLS, without a byte", func(t *testing.T) {
		server, _ := runTLS(t, "--api-allow", "127.0.0.2")
		if _, err := shake(t.Context(), server.API, &tls.Config{InsecureSkipVerify: true}); err == nil {
			t.Error("a handshake is done")
		}
		if n, err := io.Copy(io.Discard, dial(t, server.API, "")); n > 0 || err != nil && !closed(err) {
			t.Errorf("got %d bytes, %v", n, err)
		}
	})
}

func TestForgedSourceAddress(t *testing.T) {
	t.Parallel()
	server := run(t, "--trusted-proxy", "127.0.0.2")
	users := iam.NewFromConfig(server.Clients("us-east-1").Config)
	const (
		home     = "203.0.113.7"
		stranger = "198.51.100.1"
	)
	name := aws.String("at-home")
	if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: name, PolicyName: name, PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"transcribe:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"` + home + `/32"}}}]}`,
	)}); err != nil {
		t.Fatal(err)
	}
	key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		t.Fatal(err)
	}
	list := listJobs
	list.credentials = aws.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}
	for _, c := range []struct {
		name, from, forwarded string
		ok                    bool
	}{
		{"the proxy says home", "127.0.0.2", home, true},
		{"the proxy says home, behind a stranger's claim", "127.0.0.2", stranger + ", " + home, true},
		{"the proxy says a stranger, who claims home", "127.0.0.2", home + ", " + stranger, false},
		{"the proxy says nothing", "127.0.0.2", "", false},
		{"somebody else says home", "127.0.0.1", home, false},
		{"somebody else says home by way of the proxy", "127.0.0.1", home + ", 127.0.0.2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, server.API, c.from)
			head := list.head(t, server)
			if c.forwarded != "" {
				head += "X-Forwarded-For: " + c.forwarded + "\r\n"
			}
			io.WriteString(conn, head+"Content-Length: 2\r\n\r\n{}")
			got := answers(t, conn)
			if len(got) != 1 || (got[0].status == http.StatusOK) != c.ok {
				t.Errorf("answered %v, want it let in: %v", got, c.ok)
			}
			if !c.ok && len(got) == 1 && !strings.Contains(got[0].body, "AccessDenied") {
				t.Errorf("refused for another reason: %s", got[0].body)
			}
		})
	}
}
