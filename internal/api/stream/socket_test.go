package stream_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	codec "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/api/stream"
	"github.com/dictum/dictum/internal/aws/eventstream"
)

func TestSocket(t *testing.T) {
	b := newBench(t, setup{token: "a token/with+signs="})
	address, seed := b.socketURL(t, path, with(english, "session-id", "11111111-2222-3333-4444-555555555555", "user-agent", "x", "whatever", "1"), 300)
	const want = "second one. second two."

	t.Run("bare events", func(t *testing.T) {
		got := converse(t, open(t, address), event(t, silence(1)), event(t, silence(0.7)[:22399]), event(t, make([]byte, 1)), event(t, nil))
		if strings.Join(got.finals(), " ") != want || got.exception != "" || websocket.CloseStatus(got.err) != websocket.StatusNormalClosure {
			t.Errorf("%q, %s: %s (%v)", got.finals(), got.exception, got.message, got.err)
		}
	})
	t.Run("signed envelopes", func(t *testing.T) {
		s := newSigner(t, b, seed)
		var frames [][]byte
		for _, inner := range [][]byte{event(t, silence(1)), event(t, silence(1)), nil} {
			frames = append(frames, s.seal(t, inner, time.Now()))
		}
		got := converse(t, open(t, address), frames...)
		if strings.Join(got.finals(), " ") != want || got.exception != "" || websocket.CloseStatus(got.err) != websocket.StatusNormalClosure {
			t.Errorf("%q, %s: %s (%v)", got.finals(), got.exception, got.message, got.err)
		}
	})
	t.Run("a bare event among signed ones", func(t *testing.T) {
		s := newSigner(t, b, seed)
		if got := converse(t, open(t, address), s.seal(t, event(t, silence(1)), time.Now()), event(t, silence(1))); got.exception != "BadRequestException" || !strings.Contains(got.message, "isn't signed") {
			t.Errorf("%s: %s", got.exception, got.message)
		}
	})
	t.Run("an envelope by somebody else", func(t *testing.T) {
		s := newSigner(t, b, strings.Repeat("0", 64))
		if got := converse(t, open(t, address), s.seal(t, event(t, silence(1)), time.Now())); got.exception != "InvalidSignatureException" {
			t.Errorf("%s: %s", got.exception, got.message)
		}
	})
	t.Run("in mid-stream an envelope ends its own stream only", func(t *testing.T) {
		signing := func() (signer, *websocket.Conn) {
			address, seed := b.socketURL(t, path, english, 60)
			return newSigner(t, b, seed), open(t, address)
		}
		besideSigner, beside := signing()
		for name, damage := range map[string]func(s signer) []byte{
			"out of the chain": func(s signer) []byte {
				s.GetSignature(t.Context(), nil, nil, time.Now())
				return s.seal(t, event(t, silence(0.1)), time.Now())
			},
			"of a clock that is ahead":  func(s signer) []byte { return s.seal(t, event(t, silence(0.1)), time.Now().Add(20*time.Minute)) },
			"of a clock that is behind": func(s signer) []byte { return s.seal(t, event(t, silence(0.1)), time.Now().Add(-20*time.Minute)) },
			"whose audio was changed": func(s signer) []byte {
				signed := s.seal(t, event(t, silence(0.1)), time.Now())
				m, err := eventstream.Parse(signed)
				if err != nil {
					t.Fatal(err)
				}
				date, signature, _ := m.Signature()
				other := silence(0.1)
				other[7] = 1
				return encode(t, codec.Headers{{Name: ":date", Value: codec.TimestampValue(date)}, {Name: ":chunk-signature", Value: codec.BytesValue(signature)}}, event(t, other))
			},
		} {
			t.Run(name, func(t *testing.T) {
				s, conn := signing()
				got := converse(t, conn, s.seal(t, event(t, silence(1)), time.Now()), damage(s))
				if got.exception != "InvalidSignatureException" || websocket.CloseStatus(got.err) != websocket.StatusNormalClosure {
					t.Errorf("%s: %s (%v)", got.exception, got.message, got.err)
				}
			})
			if err := beside.Write(t.Context(), websocket.MessageBinary, besideSigner.seal(t, event(t, silence(0.5)), time.Now())); err != nil {
				t.Fatal(err)
			}
		}
		if got := converse(t, beside, besideSigner.seal(t, nil, time.Now())); strings.Join(got.finals(), " ") != want || got.exception != "" {
			t.Errorf("the stream beside: %q, %s: %s", got.finals(), got.exception, got.message)
		}
	})
	t.Run("what is no event of a stream", func(t *testing.T) {
		other, _ := eventstream.Event("ConfigurationEvent", "application/json", []byte("{}"))
		damaged := event(t, silence(0.1))
		damaged[40] ^= 1
		for name, tt := range map[string]struct {
			frame []byte
			says  string
		}{
			"bytes":           {[]byte("something else"), "Could not decode the audio stream"},
			"nothing":         {nil, "Could not decode the audio stream"},
			"a damaged frame": {damaged, "Could not decode the audio stream"},
			"another event":   {other, "ConfigurationEvent"},
			"a large frame":   {event(t, make([]byte, 300_000)), "Your stream is too big."},
			"a huge one":      {event(t, make([]byte, 8<<20)), "Your stream is too big."},
		} {
			t.Run(name, func(t *testing.T) {
				if got := converse(t, open(t, address), tt.frame); got.exception != "BadRequestException" || !strings.Contains(got.message, tt.says) {
					t.Errorf("%s: %s (%v)", got.exception, got.message, got.err)
				}
			})
		}
		t.Run("text", func(t *testing.T) {
			conn := open(t, address)
			if err := conn.Write(t.Context(), websocket.MessageText, event(t, silence(0.1))); err != nil {
				t.Fatal(err)
			}
			if got := converse(t, conn); got.exception != "BadRequestException" {
				t.Errorf("%s: %s (%v)", got.exception, got.message, got.err)
			}
		})
	})
	t.Run("pings are answered and are no audio", func(t *testing.T) {
		b := newBench(t, setup{limits: stream.Limits{Idle: 300 * time.Millisecond}})
		address, _ := b.socketURL(t, path, english, 60)
		conn := open(t, address)
		ended := make(chan told)
		go func() { ended <- converse(t, conn) }()
		began := time.Now()
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			err := conn.Ping(ctx)
			cancel()
			if err != nil {
				break
			}
			if time.Since(began) > 5*time.Second {
				t.Fatal("pings keep the stream open")
			}
		}
		if got := <-ended; got.exception != "BadRequestException" || !strings.Contains(got.message, "no new audio was received") {
			t.Errorf("%s: %s (%v)", got.exception, got.message, got.err)
		}
	})
	t.Run("a client that closes at its end gets no results, and is let go", func(t *testing.T) {
		b := newBench(t, setup{})
		address, _ := b.socketURL(t, path, english, 60)
		conn := open(t, address)
		for _, audio := range [][]byte{silence(1), nil} {
			if err := conn.Write(t.Context(), websocket.MessageBinary, event(t, audio)); err != nil {
				t.Fatal(err)
			}
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
		b.ended(t, 1)
	})
	t.Run("it is on record", func(t *testing.T) {
		starts := b.named("StartStreamTranscriptionWebSocket")
		if len(starts) == 0 || starts[0].Additional["AuthenticationMethod"] != "QueryString" {
			t.Fatalf("%+v", starts)
		}
		b.locked(func() {
			if a := b.accesses[0]; a.Action != "transcribe:StartStreamTranscriptionWebSocket" {
				t.Errorf("it needs %s", a.Action)
			}
		})
	})
}

func TestSocketErrorsComeAfterTheUpgrade(t *testing.T) {
	var shift atomic.Int64
	b := newBench(t, setup{now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
	good, _ := b.socketURL(t, path, english, 60)
	long, _ := b.socketURL(t, path, english, 301)
	unknown, _ := b.socketURL(t, path, with(english, "language-code", "xx-YY"), 60)
	medical, _ := b.socketURL(t, "/medical-stream-transcription", english, 60)
	analytics, _ := b.socketURL(t, "/call-analytics-stream-transcription", english, 60)
	unsigned, _, _ := strings.Cut(good, "?")
	for _, tt := range []struct {
		name, address, exception, says string
		deny                           string
		shift                          time.Duration
	}{
		{name: "another signature", address: good[:len(good)-4] + "0000", exception: "InvalidSignatureException", says: "The request signature we calculated does not match"},
		{name: "a parameter more", address: good + "&session-id=11111111-2222-3333-4444-555555555555", exception: "InvalidSignatureException", says: "does not match"},
		{name: "an unknown key", address: strings.Replace(good, "AKIDEXAMPLE", "AKIDOTHER", 1), exception: "UnrecognizedClientException", says: "security token"},
		{name: "no signature", address: unsigned, exception: "MissingAuthenticationTokenException", says: "Missing Authentication Token"},
		{name: "a life of 301 s", address: long, exception: "IncompleteSignatureException", says: "300"},
		{name: "past its end", address: good, exception: "InvalidSignatureException", says: "Signature expired", shift: 2 * time.Minute},
		{name: "a policy says no", address: good, exception: "AccessDeniedException", says: "is not authorized to perform: transcribe:StartStreamTranscriptionWebSocket because", deny: "transcribe:StartStreamTranscriptionWebSocket"},
		{name: "an unknown language", address: unknown, exception: "BadRequestException", says: "Value 'xx-YY' at 'languageCode'"},
		{name: "medical without a specialty", address: medical, exception: "BadRequestException", says: "'specialty'"},
		{name: "call analytics", address: analytics, exception: "BadRequestException", says: "isn't available"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.locked(func() { b.deny = tt.deny })
			shift.Store(int64(tt.shift))
			defer func() { shift.Store(0); b.locked(func() { b.deny = "" }) }()
			got := converse(t, open(t, tt.address))
			if got.exception != tt.exception || !strings.Contains(got.message, tt.says) || websocket.CloseStatus(got.err) != websocket.StatusNormalClosure {
				t.Errorf("%s: %s (%v)", got.exception, got.message, got.err)
			}
		})
	}
	t.Run("a request that is no upgrade is answered plainly", func(t *testing.T) {
		answer, err := http.Get(strings.Replace(good, "ws", "http", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("status %d", answer.StatusCode)
		}
	})
	t.Run("a URL opens streams until it expires", func(t *testing.T) {
		conn := open(t, good)
		if err := conn.Write(t.Context(), websocket.MessageBinary, event(t, silence(1))); err != nil {
			t.Fatal(err)
		}
		shift.Store(int64(2 * time.Minute)) // it is looked at when the stream opens, and not again
		defer shift.Store(0)
		if got := converse(t, conn, event(t, silence(1)), event(t, nil)); len(got.finals()) != 2 || got.exception != "" {
			t.Errorf("%q, %s: %s", got.finals(), got.exception, got.message)
		}
	})
	t.Run("any page may open one", func(t *testing.T) {
		conn, answer, err := websocket.Dial(t.Context(), good, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}}}) //nolint:bodyclose // the body is the connection's
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if answer.Header.Get("X-Amzn-Requestid") == "" || answer.Header.Get("Sec-Websocket-Protocol") != "" {
			t.Errorf("headers %v", answer.Header)
		}
	})
}
