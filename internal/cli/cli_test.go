package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/cli"
	"github.com/dictum/dictum/internal/models/modelstest"
)

// run calls the command line and returns its exit code and output.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// reading is the short recording that make setup installs.
func reading(t *testing.T) string {
	t.Helper()
	return filepath.Join(modelstest.Path(t, "speech-samples"), "beckett.wav")
}

func TestExitCodes(t *testing.T) {
	noise := filepath.Join(t.TempDir(), "noise.wav")
	if err := os.WriteFile(noise, []byte("this is not audio"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for _, tc := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"help", []string{"--help"}, 0, "transcribe"},
		{"version", []string{"version"}, 0, "dictum"},
		{"no command", nil, 2, "dictum --help"},
		{"an unknown flag", []string{"serve", "--nonsense"}, 2, "--nonsense"},
		{"a missing file", []string{"transcribe", "/does/not/exist.wav"}, 2, "/does/not/exist.wav"},
		{"an unknown language", []string{"transcribe", "--language", "xx-YY", noise}, 2, "xx-YY"},
		{"a file that is not audio", []string{"transcribe", noise}, 1, "noise.wav"},
		{"missing models", []string{"transcribe", "--models", empty, noise}, 3, "dictum models pull"},
		{"env before any server", []string{"env", "--data", empty, "--wait", "0s"}, 3, "dictum serve"},
		{"beyond loopback without TLS", []string{"serve", "--data", empty, "--api", "0.0.0.0:0"}, 1, "dictum tls init"},
		{"half a certificate", []string{"serve", "--data", empty, "--tls-cert", "x.pem"}, 1, "--tls-key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := run(t, tc.args...)
			if code != tc.code {
				t.Errorf("exit code: got %d, want %d", code, tc.code)
			}
			if !strings.Contains(stdout+stderr, tc.says) {
				t.Errorf("got %q and %q, want a text with %q", stdout, stderr, tc.says)
			}
		})
	}
}

func TestTranscribeWritesEachFormat(t *testing.T) {
	for format, begins := range map[string]string{"txt": "", "json": `{"jobName":"beckett","accountId"`, "srt": "1\n00:00:0", "vtt": "WEBVTT\n\n"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			code, stdout, stderr := run(t, "transcribe", reading(t), "--language", "en-US", "--format", format, "-o", dir)
			if code != 0 || stdout != "" {
				t.Fatalf("exit code %d, output %q, errors %q", code, stdout, stderr)
			}
			text, err := os.ReadFile(filepath.Join(dir, "beckett."+format))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), begins) || !strings.Contains(strings.ToLower(string(text)), "fail") {
				t.Errorf("got %q, want it to begin with %q and to hold what was read", text, begins)
			}
		})
	}
}

func TestTranscribeGoesOnAfterAFileThatFails(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.flac")
	if err := os.WriteFile(broken, []byte("fLaC"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "transcribe", "--stats", broken, reading(t))
	if code != 1 {
		t.Errorf("exit code: got %d, want 1", code)
	}
	if !strings.Contains(strings.ToLower(stdout), "fail") {
		t.Errorf("got %q, want the words of the file that is good", stdout)
	}
	if !strings.Contains(stderr, "broken.flac") || !strings.Contains(stderr, "1 of 2 files failed") {
		t.Errorf("got errors %q, want them to name the broken file and the count", stderr)
	}
	_, line, _ := strings.Cut(stderr, "{")
	var stats struct {
		Audio float64 `json:"audio_seconds"`
		Wall  float64 `json:"wall_seconds"`
	}
	if err := json.NewDecoder(strings.NewReader("{" + line)).Decode(&stats); err != nil || stats.Audio <= 0 || stats.Wall <= 0 {
		t.Errorf("got stats %+v (%v), want times above zero", stats, err)
	}
}

func TestTranscribeRefusesTwoInputsForOneOutput(t *testing.T) {
	other := filepath.Join(t.TempDir(), "beckett.mp3")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, "transcribe", "-o", t.TempDir(), reading(t), other)
	if code != 2 || !strings.Contains(stderr, "beckett") {
		t.Errorf("got exit code %d and %q, want 2 and the name", code, stderr)
	}
}

func TestConfigurationFile(t *testing.T) {
	for _, tc := range []struct{ name, yaml, says string }{
		{"sets flags", "log: debug\nserve:\n  jobs: 0\n", "--jobs"},
		{"may not hold unknown keys", "serve:\n  job: 3\n", `"job"`},
		{"may not hold unknown sections", "server:\n  jobs: 3\n", `"server"`},
		{"must be YAML", "serve: [", "configuration file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "dictum.yaml")
			if err := os.WriteFile(file, []byte(tc.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := run(t, "--config", file, "serve", "--data", t.TempDir())
			if code == 0 || !strings.Contains(stderr, tc.says) {
				t.Errorf("got exit code %d and %q, want a failure that says %s", code, stderr, tc.says)
			}
		})
	}
}
