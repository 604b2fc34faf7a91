package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	codec "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/eventstream"
)

const events = "STREAMING-AWS4-HMAC-SHA256-EVENTS"

// signer makes signed envelopes as the SDK does.
type signer struct{ *v4.StreamSigner }

func newSigner(t testing.TB, b *bench, seed string) signer {
	t.Helper()
	raw, err := hex.DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	return signer{v4.NewStreamSigner(b.cred, "transcribe", "eu-west-1", raw)}
}

// seal signs a message, or nothing, at a time.
func (s signer) seal(t testing.TB, inner []byte, at time.Time) []byte {
	t.Helper()
	headers := codec.Headers{{Name: ":date", Value: codec.TimestampValue(at)}}
	var encoded bytes.Buffer
	if err := codec.EncodeHeaders(&encoded, headers); err != nil {
		t.Fatal(err)
	}
	signature, err := s.GetSignature(context.Background(), encoded.Bytes(), inner, at)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, append(headers, codec.Header{Name: ":chunk-signature", Value: codec.BytesValue(signature)}), inner)
}

func encode(t testing.TB, headers codec.Headers, payload []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := codec.NewEncoder().Encode(&b, codec.Message{Headers: headers, Payload: payload}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// event is a bare AudioEvent.
func event(t testing.TB, audio []byte) []byte {
	t.Helper()
	m, err := eventstream.Event("AudioEvent", "application/octet-stream", audio)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// call is a stream over HTTP/2 as a hand-written client has it.
type call struct {
	signer
	t      testing.TB
	out    *io.PipeWriter
	answer *http.Response
	in     *bufio.Reader
	cancel context.CancelFunc
}

// english are the least parameters.
var english = map[string]string{"language-code": "en-US", "media-encoding": "pcm", "sample-rate": "16000"}

// with returns parameters with others besides; "" removes one.
func with(parameters map[string]string, pairs ...string) map[string]string {
	out := map[string]string{}
	for k, v := range parameters {
		out[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// dial opens a stream with h2c. Whatever the answer is, it is there before any audio was sent.
func (b *bench) dial(t testing.TB, client *http.Client, path string, parameters map[string]string) *call {
	t.Helper()
	return b.dialAt(t, client, path, parameters, time.Now())
}

// dialAt is dial by a client whose clock shows something else.
func (b *bench) dialAt(t testing.TB, client *http.Client, path string, parameters map[string]string, now time.Time) *call {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	body, out := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.plain.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", eventstream.ContentType)
	r.Header.Set("X-Amz-Content-Sha256", events)
	for name, value := range parameters {
		if value != "" {
			r.Header.Set("X-Amzn-Transcribe-"+name, value)
		}
	}
	if err := v4.NewSigner().SignHTTP(ctx, b.cred, r, events, "transcribe", "eu-west-1", now); err != nil {
		t.Fatal(err)
	}
	_, seed, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	answer, err := client.Do(r) //nolint:bodyclose // call.hangUp does
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	c := &call{newSigner(t, b, seed), t, out, answer, bufio.NewReader(answer.Body), cancel}
	t.Cleanup(c.hangUp)
	return c
}

// send writes bytes into the request.
func (c *call) send(b []byte) {
	c.t.Helper()
	if _, err := c.out.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// say sends signed audio in pieces of a tenth of a second.
func (c *call) say(audio []byte) {
	c.t.Helper()
	for len(audio) > 0 {
		n := min(3200, len(audio))
		c.send(c.seal(c.t, event(c.t, audio[:n]), time.Now()))
		audio = audio[n:]
	}
}

func (c *call) end() {
	c.t.Helper()
	c.send(c.seal(c.t, nil, time.Now()))
	_ = c.out.Close()
}

// hangUp breaks the stream off. Go's transport does not notice the end of a context while it waits for the body.
func (c *call) hangUp() {
	c.cancel()
	_ = c.out.CloseWithError(context.Canceled)
	_ = c.answer.Body.Close()
}

// told is all that a stream said.
type told struct {
	results            []map[string]any
	exception, message string
	err                error // how it ended
}

// finals are the texts of final results.
func (t told) finals() (out []string) {
	for _, r := range t.results {
		if r["IsPartial"] == false {
			out = append(out, r["Alternatives"].([]any)[0].(map[string]any)["Transcript"].(string))
		}
	}
	return out
}

// take adds a message.
func (t *told) take(tb testing.TB, m eventstream.Message) {
	tb.Helper()
	if m.Text(":content-type") != "application/json" {
		tb.Errorf("content type %q", m.Text(":content-type"))
	}
	if m.Text(":message-type") == "exception" {
		var body struct{ Message string }
		if err := json.Unmarshal(m.Payload, &body); err != nil {
			tb.Fatal(err)
		}
		t.exception, t.message = m.Text(":exception-type"), body.Message
		return
	}
	if m.Text(":event-type") != "TranscriptEvent" || t.exception != "" {
		tb.Fatalf("event %q after exception %q", m.Text(":event-type"), t.exception)
	}
	var body struct {
		Transcript struct{ Results []map[string]any }
	}
	if err := json.Unmarshal(m.Payload, &body); err != nil {
		tb.Fatal(err)
	}
	t.results = append(t.results, body.Transcript.Results...)
}

// listen reads the answer to its end, which must be a proper one when there was no failure of the connection.
func (c *call) listen() (out told) {
	c.t.Helper()
	if c.answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(c.answer.Body)
		c.t.Fatalf("status %d: %s", c.answer.StatusCode, body)
	}
	for {
		m, err := eventstream.Read(c.in)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				out.err = err
			}
			return out
		}
		out.take(c.t, m)
	}
}

// refused reads an answer that is an error.
func (c *call) refused() (status int, code, message string) {
	c.t.Helper()
	var body struct{ Message string }
	if err := json.NewDecoder(c.answer.Body).Decode(&body); err != nil {
		c.t.Fatalf("status %d: %v", c.answer.StatusCode, err)
	}
	return c.answer.StatusCode, c.answer.Header.Get("X-Amzn-Errortype"), body.Message
}

// socketURL presigns.
func (b *bench) socketURL(t testing.TB, path string, parameters map[string]string, life int) (address, seed string) {
	t.Helper()
	query := url.Values{"X-Amz-Expires": {strconv.Itoa(life)}}
	for name, value := range parameters {
		if value != "" {
			query.Set(name, value)
		}
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.plain.URL+path+"-websocket?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), b.cred, r, nothing, "transcribe", "eu-west-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, seed, _ = strings.Cut(signed, "X-Amz-Signature=")
	return strings.Replace(signed, "http", "ws", 1), seed
}

// open dials a WebSocket.
func open(t testing.TB, address string) *websocket.Conn {
	t.Helper()
	conn, answer, err := websocket.Dial(context.Background(), address, nil) //nolint:bodyclose // the body is the connection's
	if err != nil {
		t.Fatalf("dial: %v (%+v)", err, answer)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return conn
}

// converse sends messages and reads to the end.
func converse(t testing.TB, conn *websocket.Conn, messages ...[]byte) (out told) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, m := range messages {
		if conn.Write(ctx, websocket.MessageBinary, m) != nil {
			break // the server may have ended it
		}
	}
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			out.err = err
			return out
		}
		m, err := eventstream.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		out.take(t, m)
	}
}

// endings waits for the events that tell how streams ended.
func (j *journal) endings(t testing.TB, n int) (out []audit.Event) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		out = nil
		for _, e := range j.named("StartStreamTranscription") {
			if e.Additional["streamEnded"] == true {
				out = append(out, e)
			}
		}
		if len(out) >= n {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d ends are on record", len(out), n)
		}
	}
}

// awaitHeard waits until a stream is open that has been heard.
func (b *bench) awaitHeard(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); b.meter.open.Load() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are open", b.meter.open.Load())
		}
	}
}
