// Package console_test looks at the console's pages in a real browser: Chromium, whose microphone is a recording, driven by
// the scripts in js/ with the pinned packages of make setup. The pages' modules are tested in Node.js besides.
package console_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dictum/dictum/test/harness"
)

// script copies a script of js/ to where the packages are: modules are found beside the file that imports them.
func script(t *testing.T, name string) string {
	t.Helper()
	folder := filepath.Join(harness.Root(), ".cache/console")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		t.Skip("make setup found no Node.js 20 or newer with npm; the browser's driver needs it")
	}
	source, err := os.ReadFile(filepath.Join("js", name))
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(folder, name)
	if err := os.WriteFile(to, source, 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestModules holds what the page encodes and signs against what the AWS SDK for Go does.
func TestModules(t *testing.T) {
	vectors, err := json.Marshal(map[string]any{"messages": messages(t), "signatures": signatures(t)})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "vectors.json")
	if err := os.WriteFile(file, vectors, 0o644); err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(harness.Root(), "internal/console/assets")
	if out, err := exec.CommandContext(t.Context(), "node", script(t, "modules.mjs"), modules, file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// messages are some as the SDK encodes them: the name, the bytes in hex, and headers and payload as the page is to see them.
func messages(t *testing.T) []map[string]any {
	t.Helper()
	events := func(kind string) eventstream.Headers {
		return eventstream.Headers{
			{Name: ":message-type", Value: eventstream.StringValue("event")},
			{Name: ":event-type", Value: eventstream.StringValue(kind)},
			{Name: ":content-type", Value: eventstream.StringValue("application/octet-stream")},
		}
	}
	var out []map[string]any
	for name, m := range map[string]eventstream.Message{
		"nothing":  {},
		"no audio": {Headers: events("AudioEvent")},
		"audio":    {Headers: events("AudioEvent"), Payload: bytes.Repeat([]byte{0, 127, 128, 255}, 800)},
		"other types": {Headers: eventstream.Headers{
			{Name: "yes", Value: eventstream.BoolValue(true)},
			{Name: "no", Value: eventstream.BoolValue(false)},
			{Name: "byte", Value: eventstream.Int8Value(-1)},
			{Name: "short", Value: eventstream.Int16Value(2)},
			{Name: "int", Value: eventstream.Int32Value(3)},
			{Name: "long", Value: eventstream.Int64Value(4)},
			{Name: "bytes", Value: eventstream.BytesValue([]byte("abc"))},
			{Name: "when", Value: eventstream.TimestampValue(time.UnixMilli(5))},
			{Name: "id", Value: eventstream.UUIDValue{1, 2, 3}},
			{Name: "ünï", Value: eventstream.StringValue("códe")},
		}, Payload: []byte("x")},
	} {
		var encoded bytes.Buffer
		if err := eventstream.NewEncoder().Encode(&encoded, m); err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{}
		for _, h := range m.Headers {
			if text, ok := h.Value.(eventstream.StringValue); ok {
				headers[h.Name] = string(text)
			}
		}
		out = append(out, map[string]any{
			"name": name, "bytes": hex.EncodeToString(encoded.Bytes()), "texts": headers, "all": len(m.Headers), "payload": hex.EncodeToString(m.Payload),
		})
	}
	return out
}

// signatures are requests of the page and the URLs that the SDK signs for them.
func signatures(t *testing.T) []map[string]any {
	t.Helper()
	now := time.Date(2026, 11, 23, 23, 59, 58, 0, time.UTC)
	const path = "/stream-transcription-websocket"
	var out []map[string]any
	for _, r := range []struct {
		origin, region, token string
		parameters            map[string]string
	}{
		{"ws://127.0.0.1:7600", "us-east-1", "", map[string]string{"language-code": "en-US", "media-encoding": "pcm", "sample-rate": "16000"}},
		{"wss://speech.example", "eu-west-1", "to+ken/with=signs", map[string]string{"identify-language": "true", "language-options": "en-US,es-US", "z": "!'()* ~ü", "A": ""}},
	} {
		query := url.Values{"X-Amz-Expires": {"60"}}
		for name, value := range r.parameters {
			query.Set(name, value)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(r.origin, "ws", "http", 1)+path+"?"+query.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		keys := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: r.token}
		signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), keys, request, nothing, "transcribe", r.region, now)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, map[string]any{
			"origin": r.origin, "path": path, "region": r.region, "id": keys.AccessKeyID, "secret": keys.SecretAccessKey, "token": r.token,
			"parameters": r.parameters, "now": now.UnixMilli(), "signature": u.Query().Get("X-Amz-Signature"),
		})
	}
	return out
}

func TestLivePage(t *testing.T) {
	suite := script(t, "live.mjs")
	const chromium = "/usr/bin/chromium"
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("there is no Chromium here (make setup)")
	}
	server := harness.Run(t, "--preload")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", suite, chromium, server.Console, harness.Excerpt(t, 12, "microphone.wav"), t.TempDir())
	command.Env = server.Environ(t.TempDir())
	var complaints bytes.Buffer
	command.Stderr = &complaints
	lines, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	obey(t, server, lines, answers)
	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &complaints)
	}
}

// obey does with the server what the script asks for, a word a line, and answers when it is done. Other lines are logged.
func obey(t *testing.T, server *harness.Server, lines io.Reader, answers io.Writer) {
	t.Helper()
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		var err error
		switch line := scanner.Text(); line {
		case "kill":
			err = server.Kill()
		case "restart":
			err = server.Restart(t.Context())
		default:
			t.Log(line)
			continue
		}
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintln(answers, "done")
	}
}
