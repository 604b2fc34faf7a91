package sdk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/dictum/dictum/test/harness"
)

// reading is some seconds of speech as PCM at 16 kHz.
func reading(t *testing.T, seconds string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reading.pcm")
	harness.FFmpeg(t, "-i", harness.ReadingFile(t), "-t", seconds, "-ac", "1", "-ar", "16000", "-f", "s16le", path)
	return path
}

// telephoneNumber is a prompt and digits, by the woman of Asterisk's prompts, as PCM at 16 kHz.
func telephoneNumber(t *testing.T) string {
	t.Helper()
	const sounds = "/usr/share/asterisk/sounds/en/"
	args := []string{"-i", sounds + "privacy-prompt.wav"}
	const digits = "212555"
	for _, d := range digits {
		args = append(args, "-i", sounds+"digits/"+string(d)+".wav")
	}
	path := filepath.Join(t.TempDir(), "call.pcm")
	filter := fmt.Sprintf("concat=n=%d:v=0:a=1", 1+len(digits))
	harness.FFmpeg(t, append(args, "-filter_complex", filter, "-ac", "1", "-ar", "16000", "-f", "s16le", path)...)
	return path
}

func TestStreamingJavaScriptSDK(t *testing.T) {
	modules := filepath.Join(harness.Root(), ".cache/js/node_modules")
	if _, err := os.Stat(modules); err != nil {
		t.Skip("make setup found no Node.js 20 or newer with npm; the JavaScript SDK needs it")
	}
	server := harness.Run(t)
	suite := filepath.Join(harness.Root(), ".cache/js/stream.mjs")
	source, err := os.ReadFile("js/stream.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(suite, source, 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", suite, reading(t, "10"), telephoneNumber(t))
	command.Env = server.Environ(t.TempDir())
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestStreamingPython uses amazon-transcribe, which speaks HTTP/2 over TLS only, and signs its requests otherwise than the
// other SDKs: the body as an empty one, the host without its port.
func TestStreamingPython(t *testing.T) {
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	harness.Tool(t, binary, "tls", "init", "--data", data)
	server := harness.RunIn(t, data)
	python := filepath.Join(harness.Root(), ".cache/venv/bin/python")
	endpoint := strings.Replace(server.API, "127.0.0.1", "localhost", 1)
	command := exec.CommandContext(t.Context(), python, "streaming.py", endpoint, server.Env["AWS_CA_BUNDLE"], reading(t, "6"))
	command.Env = server.Environ(t.TempDir())
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestStreamingListen has the program itself be the client, over HTTP/2 with TLS and without.
func TestStreamingListen(t *testing.T) {
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	recording := filepath.Join(t.TempDir(), "reading.wav")
	harness.FFmpeg(t, "-i", harness.ReadingFile(t), "-t", "6", recording)
	data := t.TempDir()
	harness.Tool(t, binary, "tls", "init", "--data", data)
	for name, server := range map[string]*harness.Server{"TLS": harness.RunIn(t, data), "plain": harness.Run(t)} {
		t.Run(name, func(t *testing.T) {
			listen := func(environ ...string) (string, error) {
				command := exec.CommandContext(t.Context(), binary, "listen", "--endpoint-url", server.API, recording)
				command.Env = append(server.Environ(t.TempDir()), environ...)
				out, err := command.CombinedOutput()
				return string(out), err
			}
			if out, err := listen(); err != nil || !strings.Contains(strings.ToLower(out), "best of times") {
				t.Errorf("%v\n%s", err, out)
			}
			if out, err := listen("AWS_SECRET_ACCESS_KEY=another"); err == nil || !strings.Contains(out, "InvalidSignatureException") {
				t.Errorf("with another secret: %v\n%s", err, out)
			}
		})
	}
}

// frame encodes a message by hand: headers are pairs of names and texts.
func frame(payload []byte, headers ...string) []byte {
	var h bytes.Buffer
	for i := 0; i+1 < len(headers); i += 2 {
		h.WriteByte(byte(len(headers[i])))
		h.WriteString(headers[i])
		h.WriteByte(7)
		_ = binary.Write(&h, binary.BigEndian, uint16(len(headers[i+1])))
		h.WriteString(headers[i+1])
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+h.Len()+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Len()))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h.Bytes()...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func audioEvent(pcm []byte) []byte {
	return frame(pcm, ":message-type", "event", ":event-type", "AudioEvent", ":content-type", "application/octet-stream")
}

// unframe splits a message into its headers, which are all texts, and its payload.
func unframe(t *testing.T, b []byte) (headers map[string]string, payload []byte) {
	t.Helper()
	if len(b) < 16 || int(binary.BigEndian.Uint32(b)) != len(b) || crc32.ChecksumIEEE(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		t.Fatalf("not a message: % x", b[:min(len(b), 32)])
	}
	end := 12 + int(binary.BigEndian.Uint32(b[4:]))
	headers = map[string]string{}
	for at := 12; at < end; {
		name := string(b[at+1 : at+1+int(b[at])])
		at += 2 + len(name)
		size := int(binary.BigEndian.Uint16(b[at:]))
		headers[name] = string(b[at+2 : at+2+size])
		at += 2 + size
	}
	return headers, b[end : len(b)-4]
}

const english = "language-code=en-US&media-encoding=pcm&sample-rate=16000"

// conversation opens a socket, sends messages, and returns the results, what ended them, and the closing status.
func conversation(t *testing.T, address string, messages ...[]byte) (texts []string, exception, message string, status websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, address, nil) //nolint:bodyclose // the body is the connection's
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for _, m := range messages {
			if conn.Write(ctx, websocket.MessageBinary, m) != nil {
				return // the server may have ended it
			}
		}
	})
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return texts, exception, message, websocket.CloseStatus(err)
		}
		headers, payload := unframe(t, raw)
		if exception = headers[":exception-type"]; exception != "" {
			var body struct{ Message string }
			if err := json.Unmarshal(payload, &body); err != nil {
				t.Fatal(err)
			}
			message = body.Message
			continue
		}
		var event struct {
			Transcript struct {
				Results []struct {
					IsPartial    bool
					Alternatives []struct{ Transcript string }
				}
			}
		}
		if err := json.Unmarshal(payload, &event); err != nil || headers[":event-type"] != "TranscriptEvent" {
			t.Fatalf("%v: %s", headers, payload)
		}
		for _, r := range event.Transcript.Results {
			if !r.IsPartial {
				texts = append(texts, r.Alternatives[0].Transcript)
			}
		}
	}
}

func TestWebSocket(t *testing.T) {
	server := harness.Run(t)
	pcm, err := os.ReadFile(reading(t, "5"))
	if err != nil {
		t.Fatal(err)
	}
	var talk [][]byte
	for at := 0; at < len(pcm); at += 3200 {
		talk = append(talk, audioEvent(pcm[at:min(at+3200, len(pcm))]))
	}
	end := audioEvent(nil)

	t.Run("a hand-written client is answered", func(t *testing.T) {
		texts, exception, message, status := conversation(t, server.SocketURL(t, english), append(talk, end)...)
		if text := strings.ToLower(strings.Join(texts, " ")); !strings.Contains(text, "best of times") || exception != "" || status != websocket.StatusNormalClosure {
			t.Errorf("%q, %s: %s, closed with %d", texts, exception, message, status)
		}
	})
	for name, test := range map[string]struct {
		parameters string
		change     func(url string) string
		messages   [][]byte
		exception  string
		says       string
	}{
		"wrong signature": {english, func(u string) string { return u[:len(u)-4] + "0000" }, nil, "InvalidSignatureException", "signature"},
		"unknown key": {english, func(u string) string {
			return strings.Replace(u, server.Env["AWS_ACCESS_KEY_ID"], "AKIAAAAAAAAAAAAAAAAA", 1)
		}, nil, "UnrecognizedClientException", "security token"},
		"parameter added after signing": {english, func(u string) string { return u + "&session-id=11111111-2222-3333-4444-555555555555" }, nil, "InvalidSignatureException", "signature"},
		"too long a life":               {english + "&X-Amz-Expires=600", nil, nil, "IncompleteSignatureException", "300"},
		"no such language":              {"language-code=xx-YY&media-encoding=pcm&sample-rate=16000", nil, nil, "BadRequestException", "'languageCode' failed to satisfy constraint"},
		"an encoding that is not there": {"language-code=en-US&media-encoding=g729&sample-rate=16000", nil, nil, "BadRequestException", "g729"},
		"a frame with a wrong checksum": {english, nil, [][]byte{append(audioEvent(pcm[:3200])[:3000], 0)}, "BadRequestException", "Could not decode the audio stream"},
		"a frame that is too large":     {english, nil, [][]byte{audioEvent(make([]byte, 300_000))}, "BadRequestException", "Your stream is too big."},
		"another event":                 {english, nil, [][]byte{frame([]byte("{}"), ":message-type", "event", ":event-type", "ConfigurationEvent")}, "BadRequestException", "ConfigurationEvent"},
	} {
		t.Run(name, func(t *testing.T) {
			address := server.SocketURL(t, test.parameters)
			if test.change != nil {
				address = test.change(address)
			}
			_, exception, message, _ := conversation(t, address, test.messages...)
			if exception != test.exception || !strings.Contains(message, test.says) {
				t.Errorf("%s: %s", exception, message)
			}
		})
	}

	t.Run("a session id is one stream's", func(t *testing.T) {
		same := english + "&session-id=99999999-2222-3333-4444-555555555555"
		conn, _, err := websocket.Dial(t.Context(), server.SocketURL(t, same), nil) //nolint:bodyclose // as above
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if err := conn.Write(t.Context(), websocket.MessageBinary, talk[0]); err != nil {
			t.Fatal(err)
		}
		harness.Until(t, 10*time.Second, "the stream is open", func() bool { return server.Metric(t, "dictum_live_streams") == 1 })
		if _, exception, _, _ := conversation(t, server.SocketURL(t, same)); exception != "ConflictException" {
			t.Errorf("the exception is %q", exception)
		}
	})
}
