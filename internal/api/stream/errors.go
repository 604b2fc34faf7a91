package stream

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/stream"
)

// forbidden are the errors that have status 403 here, and 400 in the batch API (spec streaming.md §4).
var forbidden = []string{
	"UnrecognizedClientException", "InvalidSignatureException", "AccessDeniedException", "MissingAuthenticationTokenException", "ExpiredTokenException",
}

// shown is an error as a client of a stream sees it.
func shown(err error) *awserr.Error {
	if errors.Is(err, speech.ErrInterrupted) {
		return stream.ErrStopping
	}
	e := *awserr.For(awserr.JSON, err)
	if awserr.IsInternal(err) {
		e.Code = "InternalFailureException"
	}
	if slices.Contains(forbidden, e.Code) {
		e.Status = http.StatusForbidden
	}
	if e.Code == "AccessDeniedException" {
		// Streams act on no resource, and AWS then names none.
		e.Message = strings.Replace(e.Message, " on resource: *", "", 1)
	}
	return &e
}

// message is the body of an error.
func message(e *awserr.Error) []byte {
	body, err := json.Marshal(struct{ Message string }{e.Message})
	if err != nil {
		return []byte("{}") // a string is always JSON
	}
	return body
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
		defer func() { _ = conn.CloseNow() }() // it is closed by then, or the client is gone
		if m, err := exception(e); err == nil && (&socket{conn: conn, stalled: s.config.Limits.Stalled}).send(m) == nil {
			_ = conn.Close(websocket.StatusNormalClosure, "") // the client may be gone
		}
		return
	}
	h := w.Header()
	h.Set("X-Amzn-Request-Id", requestID)
	h.Set("X-Amzn-Errortype", e.Code)
	h.Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(message(e)) // as above
}
