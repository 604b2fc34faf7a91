// Package stream is Amazon Transcribe's streaming API: HTTP/2 with event streams both ways, and WebSocket with the same
// messages. What a stream may ask for and what becomes of its audio is package transcribe/stream's business. Start at
// New and then at exchange.run.
package stream

import (
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/speech"
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
}

// Service is Transcribe, with streams.
type Service struct {
	Batch
	config Config
}

var _ gateway.Streamer = (*Service)(nil)

// New makes the service for the gateway.
func New(config Config) *Service { return &Service{Batch: config.Batch, config: config} }

// The paths, with the operation that each is for. Medical, Call Analytics and HealthScribe streams are not there yet.
const (
	pathHTTP2     = "/stream-transcription"
	pathWebSocket = "/stream-transcription-websocket"
)

// later are the paths of streams that this version has not.
var later = map[string]string{
	"/medical-stream-transcription":        "StartMedicalStreamTranscription",
	"/call-analytics-stream-transcription": "StartCallAnalyticsStreamTranscription",
	"/medical-scribe-stream":               "StartMedicalScribeStream",
}

func operation(path string) (name string, ours bool) {
	base, socket := strings.CutSuffix(path, "-websocket")
	if base == pathHTTP2 {
		name = "StartStreamTranscription"
	} else {
		name = later[base]
	}
	if name != "" && socket {
		name += "WebSocket"
	}
	return name, name != ""
}

// Streams implements gateway.Streamer.
func (s *Service) Streams(r *http.Request) bool {
	_, ours := operation(r.URL.Path)
	return ours
}

// Claims implements gateway.Claimer.
func (s *Service) Claims(r *http.Request) bool { return s.Streams(r) || s.Batch.Claims(r) }

// Route implements gateway.Service.
func (s *Service) Route(r *http.Request, c *gateway.Call) (gateway.Route, error) {
	name, ours := operation(r.URL.Path)
	if !ours {
		return s.Batch.Route(r, c)
	}
	route := gateway.Route{Action: name, Access: []iam.Access{{Action: "transcribe:" + name, Resource: "*"}}, Request: parameters(r)}
	base := strings.TrimSuffix(r.URL.Path, "-websocket")
	if what := later[base]; what != "" {
		return route, awserr.BadRequest("The operation %s isn't available in this version of Dictum yet.", what)
	}
	switch {
	case r.URL.Path == pathHTTP2 && r.Method == http.MethodPost:
		route.Handler = s.http2
	case r.URL.Path == pathWebSocket && r.Method == http.MethodGet:
		route.Handler = s.socket
	default:
		return route, awserr.BadRequest("%s can't be called with %s.", r.URL.Path, r.Method)
	}
	return route, nil
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

func isSocket(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "-websocket") }

// parameters are what the audit shows.
func parameters(r *http.Request) map[string]string {
	out, get := map[string]string{}, parameter(r)
	for _, name := range stream.Names {
		if v := get(name); v != "" {
			out[camel(name)] = v
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

// WriteError implements gateway.Service. Clients of WebSockets see no error before the upgrade: they are told after it.
func (s *Service) WriteError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	if !s.Streams(r) {
		s.Batch.WriteError(w, r, requestID, err)
		return
	}
	e := shown(err)
	if isSocket(r) && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		conn, err := accept(w, r)
		if err != nil {
			return // it has answered
		}
		socket := &socket{conn: conn}
		if socket.exception(r.Context(), e) == nil {
			_ = conn.Close(websocket.StatusNormalClosure, "") // the client may be gone
		}
		return
	}
	h := w.Header()
	h.Set("X-Amzn-Errortype", e.Code)
	h.Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(message(e)) // as above
}
