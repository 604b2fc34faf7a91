package stream_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dictum/dictum/internal/api/stream"
	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/wordfilter"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/language"
	domain "github.com/dictum/dictum/internal/transcribe/stream"
)

// meter is a recogniser for rules of the protocol: it hears how long the audio is, and nothing else. Each half second
// is a partial result, each second a final one, of the words that count it.
type meter struct {
	// gate holds audio back when it is not nil, until it is closed.
	gate chan struct{}
	// mute has it hear without results but the last one.
	mute bool
	// padding is put behind each word.
	padding string

	open atomic.Int64
}

func (m *meter) Listen(ctx context.Context, settings speech.LiveSettings) (speech.Listener, error) {
	m.open.Add(1)
	l := &metered{meter: m, settings: settings, results: make(chan speech.LiveResult, 16)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l, nil
}

type metered struct {
	meter    *meter
	settings speech.LiveSettings
	ctx      context.Context
	cancel   context.CancelFunc
	results  chan speech.LiveResult
	heard    int // samples
	told     int // half seconds
	close    sync.Once
}

const half = speech.SampleRate / 2

func (l *metered) Write(ctx context.Context, samples []float32) error {
	if l.meter.gate != nil {
		select {
		case <-l.meter.gate:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
	for l.heard += len(samples); l.heard >= (l.told+1)*half; {
		l.told++
		if l.meter.mute {
			continue
		}
		if err := l.tell(ctx, l.told%2 == 1, time.Duration(l.told)*time.Second/2); err != nil {
			return err
		}
	}
	return nil
}

var numbers = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}

func (l *metered) tell(ctx context.Context, partial bool, end time.Duration) error {
	second := int((end - 1) / time.Second)
	begin := time.Duration(second) * time.Second
	word := func(text string, at time.Duration) speech.Item {
		return speech.Item{Kind: speech.Word, Text: text + l.meter.padding, Start: begin + at, End: begin + at + 100*time.Millisecond, Confidence: 0.9}
	}
	r := speech.LiveResult{Number: second, Partial: partial, Stable: 1, Segment: speech.Segment{Start: begin, End: end, Language: l.settings.Language}}
	r.Segment.Items = []speech.Item{word("second", 0), word(numbers[(second+1)%len(numbers)], 200*time.Millisecond)}
	if l.settings.Language == "" {
		r.Segment.Language = l.settings.LanguageCandidates[0]
		r.Languages = []speech.LanguageScore{{Language: r.Segment.Language, Score: 0.9}}
	}
	if !partial {
		r.Segment.Items = append(r.Segment.Items, speech.Item{Kind: speech.Punctuation, Text: ".", NoSpaceBefore: true})
		r.Stable = 3
		if l.settings.MaxSpeakers > 0 {
			r.Segment.Speaker = 1 + second%2
		}
	}
	select {
	case l.results <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

func (l *metered) Finish() error {
	if l.heard > 0 && l.heard%speech.SampleRate != 0 {
		if err := l.tell(l.ctx, false, time.Duration(l.heard)*time.Second/speech.SampleRate); err != nil {
			return err
		}
	}
	close(l.results)
	return nil
}

func (l *metered) Next(ctx context.Context) (speech.LiveResult, error) {
	select {
	case r, ok := <-l.results:
		if !ok {
			return r, io.EOF
		}
		return r, nil
	case <-ctx.Done():
		return speech.LiveResult{}, ctx.Err()
	case <-l.ctx.Done():
		return speech.LiveResult{}, l.ctx.Err()
	}
}

func (l *metered) Close() error {
	l.cancel()
	l.close.Do(func() { l.meter.open.Add(-1) })
	return nil
}

// journal is an audit and an authorizer that remember.
type journal struct {
	mu       sync.Mutex
	events   []audit.Event
	accesses []iam.Access
	deny     string
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

func (j *journal) Authorize(_ context.Context, c iam.Caller, a iam.Access) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.accesses = append(j.accesses, a)
	if a.Action == j.deny {
		return awserr.Fail(awserr.NotAuthorized, "principal", c.Principal.ARN, "action", a.Action, "resource", a.Resource,
			"reason", "because no identity-based policy allows the "+a.Action+" action")
	}
	return nil
}

// named returns the events of an action, oldest first.
func (j *journal) named(action string) (out []audit.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Name == action {
			out = append(out, e)
		}
	}
	return out
}

// StreamEnded implements stream.Observer.
func (b *bench) StreamEnded(_ string, _ domain.Transport, outcome string, _ time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes = append(b.outcomes, outcome)
}

// ended waits until so many streams have ended, and returns their outcomes.
func (b *bench) ended(t *testing.T, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.mu.Lock()
		out := append([]string(nil), b.outcomes...)
		b.mu.Unlock()
		if len(out) >= n {
			return out
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d of %d streams have ended: %v\n%s", len(out), n, out, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// words are vocabulary filters by name, all for English.
type words map[string][]string

func (w words) ForCaller(_ context.Context, _ job.Caller, name string) (string, *wordfilter.Filter, error) {
	list, ok := w[name]
	if !ok {
		return "", nil, awserr.BadRequest("The requested vocabulary filter couldn't be found.")
	}
	f, err := wordfilter.New(list)
	return "en-US", f, err
}

type keys map[string]iam.Credential

func (k keys) Lookup(_ context.Context, id string) (iam.Credential, error) {
	c, ok := k[id]
	if !ok {
		return c, iam.ErrNoSuchKey
	}
	return c, nil
}

// bench is a gateway with the streaming API over the meter.
type bench struct {
	*journal
	meter    *meter
	sessions *domain.Sessions
	// tls has HTTP/2 by ALPN, plain has HTTP/1 and h2c.
	tls, plain *httptest.Server
	cred       aws.Credentials

	mu       sync.Mutex
	outcomes []string
}

// setup are what tests change.
type setup struct {
	meter  *meter
	limits stream.Limits
	most   int
	token  string
	now    func() time.Time
}

func newBench(t testing.TB, s setup) *bench {
	t.Helper()
	if s.meter == nil {
		s.meter = &meter{}
	}
	b := &bench{journal: &journal{}, meter: s.meter, sessions: domain.NewSessions(s.most), cred: aws.Credentials{
		AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: s.token,
	}}
	user := iam.Principal{Kind: iam.KindUser, AccountID: "111122223333", ARN: "arn:aws:iam::111122223333:user/u", UserID: "AIDAU", UserName: "u"}
	front, err := gateway.New(gateway.Config{
		Services: []gateway.Service{stream.New(stream.Config{
			Batch: awsjson.NewService("transcribe", "Transcribe", nil), Recognizer: s.meter, Languages: language.NewSet(), Sessions: b.sessions,
			Filters: words{"bad": {"one", "two three"}, "phrase": {"second two"}}, Observer: b, Limits: s.limits, Now: s.now,
		})},
		Credentials: keys{b.cred.AccessKeyID: {AccessKeyID: b.cred.AccessKeyID, SecretAccessKey: b.cred.SecretAccessKey, SessionToken: s.token, Principal: user}},
		Authorizer:  b.journal, Auditor: b.journal, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: s.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	start := func(secure bool) *httptest.Server {
		server := httptest.NewUnstartedServer(front)
		server.Config = gateway.NewServer(front)
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		if secure {
			server.EnableHTTP2 = true
			server.StartTLS()
		} else {
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(true)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
		}
		t.Cleanup(server.Close)
		return server
	}
	b.tls, b.plain = start(true), start(false)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.sessions.Stop(ctx)
		if ctx.Err() != nil || b.meter.open.Load() != 0 {
			t.Errorf("%d streams and %d listeners are left", b.sessions.Open(), b.meter.open.Load())
		}
	})
	return b
}

// h2c is a client that speaks HTTP/2 without TLS.
func h2c() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

// silence is so many seconds of PCM at 16 kHz.
func silence(seconds float64) []byte { return make([]byte, 2*int(16000*seconds)) }
