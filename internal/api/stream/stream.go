// Package stream is Amazon Transcribe's streaming API: HTTP/2 with event streams both ways, and WebSocket with the same
// messages. What a stream may ask for and what becomes of its audio is package transcribe/stream's business. Start at
// New and then at exchange.run.
package stream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// Batch is the service of the same name that requests go to which are not for a stream.
type Batch interface {
	gateway.Service
	gateway.Claimer
	gateway.Speaker
}

// Config is what the API needs.
type Config struct {
	Batch      Batch
	Recognizer speech.LiveRecognizer
	// Languages are those that the recogniser knows.
	Languages language.Set
	Sessions  *stream.Sessions
	// Filters are the vocabulary filters that streams name.
	Filters stream.Filters
	// Edits are what is done to results; with a zero value, streams that ask for personal information are refused.
	Edits stream.Edits
	// Observer may be nil.
	Observer Observer
	// Limits are AWS's where they are zero.
	Limits Limits
	// Now is optional: the clock.
	Now func() time.Time
}

// Observer counts streams, for metrics.
type Observer interface {
	// StreamEnded is called once a stream that had begun. Outcome is "completed", "disconnected", or the code of the
	// exception that ended it.
	StreamEnded(operation string, transport stream.Transport, outcome string, audio time.Duration)
}

// Service is Transcribe, with streams.
type Service struct {
	Batch
	config Config
}

var _ gateway.Streamer = (*Service)(nil)

// New makes the service for the gateway.
func New(config Config) *Service {
	config.Limits.complete()
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Service{Batch: config.Batch, config: config}
}

// operations are those that open streams, by path. Over WebSocket the path has suffixSocket behind it.
var operations = map[string]*stream.Operation{
	"/stream-transcription":         stream.Standard,
	"/medical-stream-transcription": stream.Medical,
}

const suffixSocket = "-websocket"

// later are the paths of streams that this version has not.
var later = map[string]string{
	"/call-analytics-stream-transcription": "StartCallAnalyticsStreamTranscription",
	"/medical-scribe-stream":               "StartMedicalScribeStream",
}

// operation returns the operation at a path, which is nil for one that is not there yet, and its name.
func operation(path string) (op *stream.Operation, name string, ours bool) {
	base, socket := strings.CutSuffix(path, suffixSocket)
	if op = operations[base]; op != nil {
		name = op.Name
	} else {
		name = later[base]
	}
	if name != "" && socket {
		name += "WebSocket"
	}
	return op, name, name != ""
}

// Streams implements gateway.Streamer.
func (s *Service) Streams(r *http.Request) bool {
	_, _, ours := operation(r.URL.Path)
	return ours
}

// Claims implements gateway.Claimer. The paths alone do not tell: a bucket may have such a name.
func (s *Service) Claims(r *http.Request) bool {
	if !s.Streams(r) {
		return s.Batch.Claims(r)
	}
	if isSocket(r) {
		return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	}
	if r.Header.Get("Content-Type") == eventstream.ContentType {
		return true
	}
	for name := range r.Header {
		if strings.HasPrefix(name, headerPrefix) {
			return true
		}
	}
	return false
}

// Route implements gateway.Service.
func (s *Service) Route(r *http.Request, c *gateway.Call) (gateway.Route, error) {
	op, name, ours := operation(r.URL.Path)
	if !ours {
		return s.Batch.Route(r, c)
	}
	route := gateway.Route{Action: name, Access: []iam.Access{{Action: "transcribe:" + name, Resource: "*"}}}
	if op == nil {
		return route, awserr.BadRequest("The operation %s isn't available in this version of Dictum yet.", name)
	}
	route.Request = parameters(r, op)
	switch {
	case !isSocket(r) && r.Method == http.MethodPost:
		route.Handler = s.http2(op)
	case isSocket(r) && r.Method == http.MethodGet:
		route.Handler = s.socket(op)
	default:
		return route, awserr.BadRequest("%s can't be called with %s.", r.URL.Path, r.Method)
	}
	return route, nil
}

// opened is a stream that was let in, and is not answered yet.
type opened struct {
	service    *Service
	call       *gateway.Call
	operation  *stream.Operation
	transport  stream.Transport
	parameters stream.Parameters
	entry      stream.Entry
	session    *stream.Session
	// close ends recognition and counts the stream out, once.
	close func()
}

// open checks what is asked for, counts the stream in and starts recognition.
func (s *Service) open(ctx context.Context, r *http.Request, c *gateway.Call, op *stream.Operation, t stream.Transport) (_ *opened, err error) {
	o := &opened{service: s, call: c, operation: op, transport: t}
	if o.parameters, err = stream.Parse(op, parameter(r), s.config.Languages, s.config.Edits.Personal != nil); err != nil {
		return nil, err
	}
	who := job.Caller{Scope: job.Scope{AccountID: c.Principal.AccountID, Region: c.Region}, Identity: c.Caller, Origin: c.Origin}
	edits, err := s.config.Edits.WithFilters(ctx, s.config.Filters, who, o.parameters)
	if err != nil {
		return nil, err
	}
	if o.entry, err = s.config.Sessions.Enter(c.Principal.AccountID, c.Region, t, o.parameters, s.config.Now()); err != nil {
		return nil, err
	}
	if o.session, err = stream.Open(ctx, s.config.Recognizer, o.parameters, edits); err != nil {
		o.entry.Leave()
		o.entry.HungUp()
		return nil, err
	}
	o.close = sync.OnceFunc(func() {
		_ = o.session.Close() // it has nothing more to tell
		o.entry.Leave()
	})
	return o, nil
}

// run has the exchange.
func (o *opened) run(ctx context.Context, x *exchange) {
	began := o.service.config.Now()
	x.done = o.close
	x.session, x.chain, x.limits, x.stopping = o.session, o.call.Events, o.service.config.Limits, o.service.config.Sessions.Stopping()
	o.ended(ctx, began, x.run(ctx))
}

// ended leaves what the audit and the metrics tell of a stream that began and how it ended.
func (o *opened) ended(ctx context.Context, began time.Time, err error) {
	octets, length := o.session.Heard()
	outcome := "completed"
	switch {
	case errors.Is(err, errGone):
		outcome = "disconnected"
	case err != nil:
		o.call.OutcomeErr = shown(err)
		outcome = shown(err).Code
		if awserr.IsInternal(err) && !errors.Is(err, speech.ErrInterrupted) {
			slog.ErrorContext(ctx, "stream failed", "action", o.operation.Name, "request_id", o.call.RequestID, "err", err)
		}
	}
	o.call.Outcome = map[string]any{
		"streamEnded": true, "streamOutcome": outcome, "sessionId": o.parameters.SessionID, "sessionResumed": o.entry.Resumed,
		"audioBytes": octets, "audioSeconds": length.Seconds(), "streamSeconds": o.service.config.Now().Sub(began).Seconds(),
	}
	if o.service.config.Observer != nil {
		o.service.config.Observer.StreamEnded(o.operation.Name, o.transport, outcome, length)
	}
}

// headerPrefix is what parameters' names begin with in headers.
const headerPrefix = "X-Amzn-Transcribe-"

// parameter reads a parameter of a request.
func parameter(r *http.Request) func(name string) string {
	if isSocket(r) {
		query := r.URL.Query()
		return query.Get
	}
	return func(name string) string { return r.Header.Get(headerPrefix + name) }
}

func isSocket(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, suffixSocket) }

// parameters are what the audit shows.
func parameters(r *http.Request, op *stream.Operation) map[string]string {
	out, get := map[string]string{}, parameter(r)
	for _, name := range op.Names {
		if v := get(name); v != "" {
			out[camel(name)] = clip(v)
		}
	}
	return out
}

// camel is a parameter's name as CloudTrail has it: "languageCode".
func camel(name string) string {
	words := strings.Split(name, "-")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}
