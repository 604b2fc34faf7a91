package sts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProfiles has AWS's own tools assume roles as their configuration files tell them to.
func TestProfiles(t *testing.T) {
	var tools []string
	for _, name := range []string{"aws", "/usr/bin/aws"} { // version 1 or 2, as installed
		if path, err := exec.LookPath(name); err == nil {
			tools = append(tools, path)
		}
	}
	if len(tools) == 0 {
		t.Skip("there is no AWS CLI")
	}
	f := newFederation(t)
	alice := f.user(t, "alice", mayAssume)
	partner := f.bench.role(t, "partner", f.trustAccount(`"sts:AssumeRole"`, `{"StringEquals":{"sts:ExternalId":"e-123"}}`), "")
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token", f.issuer.Sign(t, f.claims()))
	config := write("config", fmt.Sprintf(`[profile base]
aws_access_key_id = %s
aws_secret_access_key = %s
[profile partner]
source_profile = base
role_arn = %s
role_session_name = cli
external_id = e-123
[profile web]
role_arn = %s
role_session_name = cli
web_identity_token_file = %s
`, alice.AccessKeyID, alice.SecretAccessKey, partner, f.role, token))
	run := func(t *testing.T, tool string, args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Env = append(cmd.Environ(), "AWS_CONFIG_FILE="+config, "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_ENDPOINT_URL="+f.url,
			"AWS_REGION=us-west-2", "AWS_DEFAULT_REGION=us-west-2", "AWS_DEFAULT_OUTPUT=text", "HOME="+t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, tool := range tools {
		out, _ := run(t, tool, "--version")
		version, _, _ := strings.Cut(out, " ")
		for profile, role := range map[string]string{"partner": "partner", "web": "web"} {
			t.Run(profile+" by "+version, func(t *testing.T) {
				var major, minor int
				if _, err := fmt.Sscanf(version, "aws-cli/%d.%d", &major, &minor); err != nil || major == 2 && minor < 13 {
					t.Skip("it knows no AWS_ENDPOINT_URL, and would ask AWS")
				}
				out, err := run(t, tool, "--profile", profile, "sts", "get-caller-identity", "--query", "Arn")
				if want := "arn:aws:sts::" + f.account + ":assumed-role/" + role + "/cli"; err != nil || strings.TrimSpace(out) != want {
					t.Errorf("got %s, %v, want %s", out, err, want)
				}
			})
		}
		t.Run("assume-role by "+version, func(t *testing.T) {
			command := []string{"--profile", "base", "--endpoint-url", f.url, "sts", "assume-role", "--role-arn", partner, "--role-session-name", "cli", "--query", "AssumedRoleUser.Arn"}
			out, err := run(t, tool, append(command, "--external-id", "e-123")...)
			if want := "arn:aws:sts::" + f.account + ":assumed-role/partner/cli"; err != nil || strings.TrimSpace(out) != want {
				t.Errorf("got %s, %v, want %s", out, err, want)
			}
			out, err = run(t, tool, command...)
			want := "An error occurred (AccessDenied) when calling the AssumeRole operation: User: arn:aws:iam::" + f.account +
				":user/alice is not authorized to perform: sts:AssumeRole on resource: " + partner
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("got %s, %v, want %s", out, err, want)
			}
		})
		t.Run("assume-role-with-web-identity by "+version, func(t *testing.T) {
			out, err := run(t, tool, "--endpoint-url", f.url, "sts", "assume-role-with-web-identity", "--role-arn", f.role, "--role-session-name", "cli",
				"--web-identity-token", "file://"+token, "--query", "Provider")
			if err != nil || strings.TrimSpace(out) != f.provider {
				t.Errorf("got %s, %v, want %s", out, err, f.provider)
			}
		})
	}
}
