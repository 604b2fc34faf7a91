package stream_test

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dictum/dictum/internal/api/stream"
	"github.com/dictum/dictum/internal/aws/eventstream"
)

const path = "/stream-transcription"

func TestParametersAreRefusedBeforeTheAnswer(t *testing.T) {
	b, client := newBench(t, setup{}), h2c()
	medical := with(english, "specialty", "UROLOGY", "type", "DICTATION")
	tests := []struct {
		name       string
		path       string
		parameters map[string]string
		message    string
	}{
		{"an unknown language", path, with(english, "language-code", "xx-YY"), "1 validation error detected: Value 'xx-YY' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{"two errors", path, with(english, "sample-rate", "48001", "media-encoding", "mp3"), "2 validation errors detected: Value '48001' at 'mediaSampleRateHertz' failed to satisfy constraint: Member must have value less than or equal to 48000; Value 'mp3' at 'mediaEncoding'"},
		{"no encoding", path, with(english, "media-encoding", ""), "Value null at 'mediaEncoding' failed to satisfy constraint: Member must not be null"},
		{"a session id that is none", path, with(english, "session-id", "mine"), "'sessionId' failed to satisfy constraint: Member must satisfy regular expression pattern"},
		{"no language", path, with(english, "language-code", ""), "LanguageCode, IdentifyLanguage or IdentifyMultipleLanguages"},
		{"language and identification", path, with(english, "identify-language", "true"), "LanguageCode can't be used with"},
		{"one option", path, with(english, "language-code", "", "identify-language", "True", "language-options", "en-US"), "at least 2 language options"},
		{"two variants of a language", path, with(english, "language-code", "", "identify-language", "true", "language-options", "en-US,en-GB"), "one variant"},
		{"a preference that is no option", path, with(english, "language-code", "", "identify-language", "true", "language-options", "en-US,fr-FR", "preferred-language", "de-DE"), "PreferredLanguage must be one of"},
		{"channels without their number", path, with(english, "enable-channel-identification", "true"), "EnableChannelIdentification and NumberOfChannels"},
		{"three channels", path, with(english, "enable-channel-identification", "true", "number-of-channels", "3"), "'numberOfChannels'"},
		{"stability without stabilization", path, with(english, "partial-results-stability", "low"), "EnablePartialResultsStabilization"},
		{"identification and redaction", path, with(english, "content-identification-type", "PII", "content-redaction-type", "PII"), "can't be used together"},
		{"types of entities alone", path, with(english, "pii-entity-types", "NAME"), "PiiEntityTypes can only be used with"},
		{"redaction, which is still to come", path, with(english, "content-redaction-type", "PII"), "PII redaction in streams isn't available"},
		{"a vocabulary, which is still to come", path, with(english, "vocabulary-name", "v"), "(vocabulary-name)"},
		{"a language model, which is still to come", path, with(english, "language-model-name", "m"), "(language-model-name)"},
		{"a filter that is not there", path, with(english, "vocabulary-filter-name", "none"), "vocabulary filter couldn't be found"},
		{"a filter with a name that is none", path, with(english, "vocabulary-filter-name", "a b"), "'vocabularyFilterName' failed to satisfy constraint"},
		{"filters for identification alone", path, with(english, "vocabulary-filter-names", "bad"), "VocabularyFilterNames can only be used with"},
		{"a window of six hours", path, with(english, "session-resume-window", "360"), "'sessionResumeWindow' failed to satisfy constraint: Member must have value less than or equal to 300"},
		{"G.729", path, with(english, "media-encoding", "g729"), "MediaEncoding g729"},
		{"medical without a specialty", "/medical-stream-transcription", with(medical, "specialty", ""), "Value null at 'specialty'"},
		{"medical in French", "/medical-stream-transcription", with(medical, "language-code", "fr-FR"), "Member must satisfy enum value set: [en-US]"},
		{"medical at 8 kHz", "/medical-stream-transcription", with(medical, "sample-rate", "8000"), "greater than or equal to 16000"},
		{"medical PHI, which is still to come", "/medical-stream-transcription", with(medical, "content-identification-type", "PHI"), "PHI identification in streams isn't available"},
		{"call analytics", "/call-analytics-stream-transcription", english, "StartCallAnalyticsStreamTranscription isn't available"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, code, message := b.dial(t, client, tt.path, tt.parameters).refused()
			if status != http.StatusBadRequest || code != "BadRequestException" || !strings.Contains(message, tt.message) {
				t.Errorf("%d %s: %s", status, code, message)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	b, client := newBench(t, setup{token: "token"}), h2c()
	for name, tt := range map[string]struct {
		cred aws.Credentials
		deny string
		code string
		says string
	}{
		"a wrong secret":   {aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "x", SessionToken: "token"}, "", "InvalidSignatureException", "does not match"},
		"a wrong token":    {aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "x"}, "", "UnrecognizedClientException", "security token"},
		"an unknown key":   {aws.Credentials{AccessKeyID: "AKIDOTHER", SecretAccessKey: "secret"}, "", "UnrecognizedClientException", "security token"},
		"a policy says no": {b.cred, "transcribe:StartStreamTranscription", "AccessDeniedException", "is not authorized to perform: transcribe:StartStreamTranscription because no identity-based policy allows the transcribe:StartStreamTranscription action"},
	} {
		t.Run(name, func(t *testing.T) {
			other := &bench{journal: b.journal, plain: b.plain, cred: tt.cred}
			b.locked(func() { b.deny = tt.deny })
			defer b.locked(func() { b.deny = "" })
			status, code, message := other.dial(t, client, path, english).refused()
			if status != http.StatusForbidden || code != tt.code || !strings.Contains(message, tt.says) {
				t.Errorf("%d %s: %s", status, code, message)
			}
		})
	}
	t.Run("medical streams are an action of their own", func(t *testing.T) {
		c := b.dial(t, client, "/medical-stream-transcription", with(english, "specialty", "UROLOGY", "type", "DICTATION"))
		c.end()
		c.listen()
		b.locked(func() {
			if a := b.accesses[len(b.accesses)-1]; a.Action != "transcribe:StartMedicalStreamTranscription" || a.Resource != "*" {
				t.Errorf("it needs %+v", a)
			}
		})
	})
}

// locked runs f under the journal's lock.
func (j *journal) locked(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

func TestWhatEndsAStream(t *testing.T) {
	b, client := newBench(t, setup{}), h2c()
	frame := func(c *call) []byte { return c.seal(t, event(t, silence(0.1)), time.Now()) }
	tests := []struct {
		name      string
		send      func(c *call)
		exception string
		message   string
	}{
		{"a wrong signature", func(c *call) {
			c.GetSignature(t.Context(), nil, nil, time.Now()) // which moves the chain on
			c.send(frame(c))
		}, "InvalidSignatureException", "does not match"},
		{"an event twice", func(c *call) { f := frame(c); c.send(f); c.send(f) }, "InvalidSignatureException", "does not match"},
		{"a clock that is 20 minutes ahead", func(c *call) { c.send(c.seal(t, event(t, silence(0.1)), time.Now().Add(20*time.Minute))) }, "InvalidSignatureException", "does not match"},
		{"a clock that is 20 minutes behind", func(c *call) { c.send(c.seal(t, event(t, silence(0.1)), time.Now().Add(-20*time.Minute))) }, "InvalidSignatureException", "does not match"},
		{"an event without a signature", func(c *call) { c.send(event(t, silence(0.1))) }, "BadRequestException", "isn't signed"},
		{"a damaged frame", func(c *call) { f := frame(c); f[len(f)-1] ^= 1; c.send(f) }, "BadRequestException", "Could not decode the audio stream that you provided."},
		{"a damaged frame in a good envelope", func(c *call) {
			inner := event(t, silence(0.1))
			inner[len(inner)-1] ^= 1
			c.send(c.seal(t, inner, time.Now()))
		}, "BadRequestException", "Could not decode the audio stream that you provided."},
		{"a frame that is cut", func(c *call) { c.send(frame(c)[:100]); _ = c.out.Close() }, "BadRequestException", "Could not decode the audio stream that you provided."},
		{"a frame that is too large", func(c *call) { c.send(c.seal(t, event(t, make([]byte, 300_000)), time.Now())[:20]) }, "BadRequestException", "Your stream is too big. Reduce the frame size and try your request again."},
		{"another event", func(c *call) {
			m, _ := eventstream.Event("ConfigurationEvent", "application/json", []byte("{}"))
			c.send(c.seal(t, m, time.Now()))
		}, "BadRequestException", `"ConfigurationEvent"`},
		{"an end without the empty frame", func(c *call) { _ = c.out.Close() }, "BadRequestException", "A complete signal was sent without the preceding empty frame."},
	}
	// Beside all of these another stream of the same connection goes on.
	beside := b.dial(t, client, path, english)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := b.dial(t, client, path, english)
			c.say(silence(1))
			tt.send(c)
			got := c.listen()
			if got.exception != tt.exception || !strings.Contains(got.message, tt.message) || got.err != nil {
				t.Errorf("%s: %s (%v)", got.exception, got.message, got.err)
			}
			if outcomes := b.ended(t, i+1); outcomes[i] != tt.exception {
				t.Errorf("the outcome is %q", outcomes[i])
			}
		})
		beside.say(silence(0.1))
	}
	beside.end()
	if got := beside.listen(); strings.Join(got.finals(), " ") != "second one. second two." || got.exception != "" {
		t.Errorf("the stream beside: %q, %s: %s", got.finals(), got.exception, got.message)
	}
}

func TestEndOfAudio(t *testing.T) {
	b, client := newBench(t, setup{}), h2c()
	for name, end := range map[string]func(c *call){
		"a signed envelope of nothing": func(c *call) { c.send(c.seal(t, nil, time.Now())) },
		"an event without audio":       func(c *call) { c.send(c.seal(t, event(t, nil), time.Now())) },
	} {
		for _, closes := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				c := b.dial(t, client, path, english)
				c.say(silence(1.5))
				end(c)
				if closes {
					_ = c.out.Close()
				}
				if got := c.listen(); strings.Join(got.finals(), " ") != "second one. second two." || got.exception != "" || got.err != nil {
					t.Errorf("%q, %s: %s (%v)", got.finals(), got.exception, got.message, got.err)
				}
			})
		}
	}
	t.Run("no audio at all", func(t *testing.T) {
		c := b.dial(t, client, path, english)
		c.end()
		if got := c.listen(); len(got.results) != 0 || got.exception != "" || got.err != nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestTimes(t *testing.T) {
	t.Run("a client that is silent is cut", func(t *testing.T) {
		b := newBench(t, setup{limits: stream.Limits{Idle: 200 * time.Millisecond}})
		c := b.dial(t, h2c(), path, english)
		c.say(silence(1))
		if got := c.listen(); got.exception != "BadRequestException" || got.message != "Your request timed out because no new audio was received for 15 seconds." || len(got.results) != 2 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("recognition that is behind is not silence", func(t *testing.T) {
		m := &meter{gate: make(chan struct{})}
		b := newBench(t, setup{meter: m, limits: stream.Limits{Idle: 200 * time.Millisecond}})
		c := b.dial(t, h2c(), path, english)
		go func() {
			time.Sleep(600 * time.Millisecond) // three times as long as a client may be silent
			close(m.gate)
		}()
		c.say(silence(1))
		c.end()
		if got := c.listen(); got.exception != "" || len(got.finals()) != 1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a stream without results goes on", func(t *testing.T) {
		b := newBench(t, setup{meter: &meter{mute: true}, limits: stream.Limits{Stalled: 100 * time.Millisecond}})
		c := b.dial(t, h2c(), path, english)
		for range 6 {
			time.Sleep(100 * time.Millisecond) // a deadline for writing passes in between
			c.say(silence(0.05))
		}
		c.end()
		if got := c.listen(); got.exception != "" || got.err != nil || len(got.finals()) != 1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("an event that waited long is good", func(t *testing.T) {
		var later atomic.Int64
		b := newBench(t, setup{now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
		c := b.dial(t, h2c(), path, english)
		later.Store(int64(2 * time.Hour)) // what was signed at once is read now
		c.say(silence(1))
		c.end()
		if got := c.listen(); got.exception != "" || len(got.finals()) != 1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a stream has a longest time", func(t *testing.T) {
		b := newBench(t, setup{limits: stream.Limits{Length: 200 * time.Millisecond}})
		c := b.dial(t, h2c(), path, english)
		c.say(silence(0.5))
		if got := c.listen(); got.exception != "LimitExceededException" || !strings.Contains(got.message, "4 hours") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("streams end when the server stops", func(t *testing.T) {
		b := newBench(t, setup{})
		c := b.dial(t, h2c(), path, english)
		c.say(silence(1))
		b.sessions.Stop(t.Context())
		if got := c.listen(); got.exception != "ServiceUnavailableException" || got.err != nil {
			t.Errorf("%+v", got)
		}
		if status, code, _ := b.dial(t, h2c(), path, english).refused(); status != http.StatusServiceUnavailable || code != "ServiceUnavailableException" {
			t.Errorf("another stream: %d %s", status, code)
		}
	})
}

func TestBackpressure(t *testing.T) {
	t.Run("a client that is faster than recognition waits", func(t *testing.T) {
		m := &meter{gate: make(chan struct{})}
		b := newBench(t, setup{meter: m})
		c := b.dial(t, h2c(), path, english)
		var sent int
		done := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(done)
			for {
				frame := c.seal(t, event(t, silence(1)), time.Now())
				select {
				case <-stopped:
					return
				default:
				}
				if _, err := c.out.Write(frame); err != nil {
					return
				}
				sent += len(frame)
			}
		}()
		time.Sleep(time.Second) // the writer has long been stopped by then
		close(stopped)
		c.hangUp()
		<-done
		// What the connection, HTTP/2's windows and one frame hold: no more than some megabytes, however long it lasts.
		if sent > 4<<20 {
			t.Errorf("%d bytes were taken while nothing was recognised", sent)
		}
		close(m.gate)
	})
	t.Run("a client that does not read is cut", func(t *testing.T) {
		b := newBench(t, setup{meter: &meter{padding: strings.Repeat("x", 100_000)}, limits: stream.Limits{Stalled: 300 * time.Millisecond}})
		c := b.dial(t, h2c(), path, english)
		go func() {
			for range 600 { // five minutes of audio, 120 MB of results
				if _, err := c.out.Write(c.seal(t, event(t, silence(1)), time.Now())); err != nil {
					return
				}
			}
		}()
		if got := b.ended(t, 1); got[0] != "BadRequestException" {
			t.Errorf("the outcome is %q", got[0])
		}
	})
	t.Run("a client of a WebSocket that does not read is cut", func(t *testing.T) {
		b := newBench(t, setup{meter: &meter{padding: strings.Repeat("x", 100_000)}, limits: stream.Limits{Stalled: 300 * time.Millisecond}})
		address, _ := b.socketURL(t, path, english, 60)
		conn, second := open(t, address), event(t, silence(1))
		go func() {
			for range 600 {
				if conn.Write(context.Background(), 2, second) != nil {
					return
				}
			}
		}()
		if got := b.ended(t, 1); got[0] != "BadRequestException" {
			t.Errorf("the outcome is %q", got[0])
		}
	})
	t.Run("a client of a WebSocket that is faster than recognition waits", func(t *testing.T) {
		m := &meter{gate: make(chan struct{})}
		b := newBench(t, setup{meter: m})
		address, _ := b.socketURL(t, path, english, 60)
		conn, frame := open(t, address), event(t, silence(1))
		sent := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // much longer than a message takes
			err := conn.Write(ctx, 2, frame)
			cancel()
			if err != nil {
				break
			}
			// What the connection's buffers hold on both sides, and one message.
			if sent += len(frame); sent > 16<<20 {
				t.Fatalf("%d bytes were taken while nothing was recognised", sent)
			}
		}
		close(m.gate)
	})
}

func TestLimits(t *testing.T) {
	now, mu := time.Now(), sync.Mutex{}
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	b, client := newBench(t, setup{most: 2, now: clock}), h2c()
	const id = "11111111-2222-3333-4444-555555555555"
	first, second := b.dial(t, client, path, english), b.dial(t, client, path, with(english, "session-id", id, "session-resume-window", "30"))
	t.Run("one stream too many", func(t *testing.T) {
		status, code, message := b.dial(t, client, path, english).refused()
		if status != http.StatusTooManyRequests || code != "LimitExceededException" || message != "You have reached your limit of concurrent streams, 2. Try again later." {
			t.Errorf("%d %s: %s", status, code, message)
		}
	})
	t.Run("WebSockets are counted apart", func(t *testing.T) {
		address, _ := b.socketURL(t, path, english, 60)
		if got := converse(t, open(t, address), event(t, nil)); got.exception != "" {
			t.Errorf("%s: %s", got.exception, got.message)
		}
	})
	t.Run("a session id that is in use", func(t *testing.T) {
		address, _ := b.socketURL(t, path, with(english, "session-id", id), 60)
		if got := converse(t, open(t, address)); got.exception != "ConflictException" {
			t.Errorf("%s: %s", got.exception, got.message)
		}
	})
	for _, c := range []*call{first, second} {
		c.end()
		c.listen()
	}
	b.ended(t, 3)
	b.locked(func() { b.events = nil })
	t.Run("a session is resumed within its window", func(t *testing.T) {
		for _, tt := range []struct {
			after time.Duration
			want  bool
		}{{20 * time.Minute, true}, {5 * time.Minute, true}, {6 * time.Minute, false}} {
			mu.Lock()
			now = now.Add(tt.after)
			mu.Unlock()
			// The client's clock goes with the server's.
			other := &bench{journal: b.journal, plain: b.plain, cred: b.cred}
			c := other.dialAt(t, client, path, with(english, "session-id", id, "session-resume-window", "30"), clock())
			_ = c.out.Close()
			c.listen()
			ends := b.endings(t, 1)
			if got := ends[len(ends)-1].Additional["sessionResumed"]; got != tt.want {
				t.Errorf("after %v more: resumed %v, want %v", tt.after, got, tt.want)
			}
			b.locked(func() { b.events = nil })
		}
	})
}

func TestAudit(t *testing.T) {
	b, client := newBench(t, setup{}), h2c()
	c := b.dial(t, client, path, with(english, "show-speaker-label", "true"))
	starts := b.named("StartStreamTranscription")
	if len(starts) != 1 {
		t.Fatalf("%d events before any audio", len(starts))
	}
	e := starts[0]
	if p, ok := e.Request.(map[string]string); !ok || p["languageCode"] != "en-US" || p["showSpeakerLabel"] != "true" || e.Source != "transcribe.amazonaws.com" || e.ErrorCode != "" {
		t.Errorf("the start is %+v", e)
	}
	c.say(silence(2))
	c.end()
	c.listen()
	bad := b.dial(t, client, path, english)
	bad.say(silence(0.5))
	bad.send(event(t, silence(0.1)))
	bad.listen()
	gone := b.dial(t, client, path, english)
	gone.say(silence(0.5))
	b.awaitHeard(t)
	gone.hangUp()
	for i, tt := range []struct {
		outcome, code string
		bytes         int64
	}{
		{"completed", "", 64000}, {"BadRequestException", "BadRequestException", 16000}, {"disconnected", "", 16000},
	} {
		ends := b.endings(t, i+1)
		e := ends[i]
		if e.Additional["streamOutcome"] != tt.outcome || e.ErrorCode != tt.code || e.Additional["audioBytes"].(int64) > tt.bytes {
			t.Errorf("end %d is %+v, want %+v", i, e, tt)
		}
		if i == 0 && (e.Additional["audioBytes"] != tt.bytes || e.Additional["audioSeconds"] != 2.0) {
			t.Errorf("%v", e.Additional)
		}
	}
}

func TestAbruptDisconnects(t *testing.T) {
	b := newBench(t, setup{most: 200})
	const broken = 200 // half over each transport
	before := runtime.NumGoroutine()
	var wait sync.WaitGroup
	clients := make(chan *http.Client, broken)
	for range broken / 20 {
		for i := range 20 {
			wait.Go(func() {
				if i%2 == 0 {
					client := h2c()
					clients <- client
					c := b.dial(t, client, path, english)
					c.say(silence(float64(i) / 4))
					c.hangUp()
					return
				}
				address, _ := b.socketURL(t, path, english, 60)
				conn := open(t, address)
				for range i {
					if conn.Write(context.Background(), 2, event(t, silence(0.2))) != nil {
						break
					}
				}
				_ = conn.CloseNow()
			})
		}
		wait.Wait()
	}
	got := b.ended(t, broken)
	if n := len(slices.DeleteFunc(slices.Clone(got), func(o string) bool { return o != "disconnected" })); n != broken {
		t.Errorf("%d of %d were told to be disconnected: %v", n, broken, got)
	}
	close(clients)
	var all []*http.Client
	for c := range clients {
		all = append(all, c)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+10 || b.meter.open.Load() > 0 || b.sessions.Open() > 0 {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines instead of %d, %d listeners, %d streams\n%s", runtime.NumGoroutine(), before, b.meter.open.Load(), b.sessions.Open(), stacks[:runtime.Stack(stacks, true)])
		}
		for _, c := range all {
			c.CloseIdleConnections() // which they are once the broken streams are done with
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestVocabularyFilters(t *testing.T) {
	b, client := newBench(t, setup{}), h2c()
	for _, tt := range []struct{ filter, method, want string }{
		{"bad", "mask", "second ***. second two."},
		{"bad", "", "second ***. second two."},
		{"bad", "remove", "second. second two."},
		{"bad", "tag", "second one. second two."},
		{"phrase", "mask", "second one. *** ***."},
	} {
		t.Run(tt.filter+" "+tt.method, func(t *testing.T) {
			parameters := with(english, "vocabulary-filter-name", tt.filter, "enable-partial-results-stabilization", "true")
			if tt.method != "" {
				parameters["vocabulary-filter-method"] = tt.method
			}
			c := b.dial(t, client, path, parameters)
			c.say(silence(2))
			c.end()
			got := c.listen()
			if text := strings.Join(got.finals(), " "); text != tt.want {
				t.Errorf("finals %q, want %q", text, tt.want)
			}
			for _, r := range got.results {
				text := r["Alternatives"].([]any)[0].(map[string]any)["Transcript"].(string)
				if tt.filter == "bad" && tt.method != "tag" && strings.Contains(text, "one") || tt.filter == "phrase" && text == "second two" {
					t.Errorf("%q shows what is listed (partial: %v)", text, r["IsPartial"])
				}
				for _, item := range r["Alternatives"].([]any)[0].(map[string]any)["Items"].([]any) {
					item := item.(map[string]any)
					if match := tt.method == "tag" && item["Content"] == "one"; item["VocabularyFilterMatch"] != match {
						t.Errorf("item %v", item)
					}
					if r["IsPartial"] == false && item["Stable"] != true {
						t.Errorf("item %v of a final", item)
					}
				}
			}
		})
	}
}
