package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/test/harness"
)

// TestStreamingJavaSDK runs java/Stream.java with the SDK that scripts/setup.sh has fetched: once over TLS, with the
// server's authority in a trust store as its users have one, and once as on one machine.
func TestStreamingJavaSDK(t *testing.T) {
	jars := filepath.Join(harness.Root(), ".cache/java")
	if _, err := os.Stat(filepath.Join(jars, ".pins")); err != nil {
		t.Fatalf("the AWS SDK for Java is missing (run make setup): %v", err)
	}
	suite := func(t *testing.T, server *harness.Server, options ...string) {
		options = append(options, "-cp", filepath.Join(jars, "*"), "java/Stream.java", reading(t, "6"))
		command := exec.CommandContext(t.Context(), "java", options...)
		command.Env = server.Environ(t.TempDir())
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	t.Run("HTTP/2 over TLS, which it does not ask for by ALPN", func(t *testing.T) {
		binary, err := harness.Binary()
		if err != nil {
			t.Fatal(err)
		}
		data, store := t.TempDir(), filepath.Join(t.TempDir(), "trust.p12")
		harness.Tool(t, binary, "tls", "init", "--data", data)
		server := harness.RunIn(t, data)
		harness.Tool(t, "keytool", "-importcert", "-noprompt", "-alias", "dictum", "-file", server.Env["AWS_CA_BUNDLE"],
			"-keystore", store, "-storepass", "changeit")
		suite(t, server, "-Djavax.net.ssl.trustStore="+store, "-Djavax.net.ssl.trustStorePassword=changeit")
	})
	t.Run("HTTP/2 without TLS", func(t *testing.T) { suite(t, harness.Run(t)) })
}
