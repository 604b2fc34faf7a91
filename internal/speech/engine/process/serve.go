package process

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"

	"golang.org/x/net/http2"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

// Backend is what the child serves: the engine.
type Backend interface {
	speech.Recognizer
	// Preload loads the models now instead of at first use.
	Preload(ctx context.Context) error
	// Stats tells what the engine has done so far.
	Stats() engine.Stats
}

var _ Backend = (*engine.Engine)(nil)

// Inherited returns the child's end of the socket pair that its parent opened for it.
func Inherited() (net.Conn, error) {
	f := os.NewFile(SocketFD, "engine socket")
	if f == nil {
		return nil, fmt.Errorf("no file descriptor %d: this command is started by dictum serve", SocketFD)
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use inherited engine socket (this command is started by dictum serve): %w", err)
	}
	return conn, nil
}

// Serve answers the parent on conn until the parent closes it or ctx ends.
func Serve(ctx context.Context, conn net.Conn, backend Backend) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathRecognize, func(w http.ResponseWriter, r *http.Request) { serveRecognize(w, r, backend) })
	mux.HandleFunc("POST "+pathPreload, func(w http.ResponseWriter, r *http.Request) {
		if err := backend.Preload(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET "+pathStats, func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(backend.Stats()); err != nil {
			slog.Debug("write engine stats", "err", err)
		}
	})
	(&http2.Server{MaxConcurrentStreams: 1024}).ServeConn(conn, &http2.ServeConnOpts{Context: ctx, Handler: mux})
}

func serveRecognize(w http.ResponseWriter, r *http.Request, backend Backend) {
	var settings speech.Settings
	if err := json.Unmarshal([]byte(r.Header.Get(settingsHeader)), &settings); err != nil {
		http.Error(w, "settings: "+err.Error(), http.StatusBadRequest)
		return
	}
	out := &eventWriter{enc: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	w.WriteHeader(http.StatusOK)
	transcript, err := backend.Recognize(r.Context(), &pcmReader{r: r.Body}, settings, func(p speech.Progress) {
		out.send(event{Progress: &p})
	})
	if err != nil {
		out.send(event{Error: toWire(err)})
		return
	}
	out.send(event{Transcript: &transcript})
}

// eventWriter sends events one at a time. A failed write is not reported here: the parent's
// closed stream also cancels the request's context, which ends the recognition.
type eventWriter struct {
	mu    sync.Mutex // guards enc
	enc   *json.Encoder
	flush func() error
}

func (e *eventWriter) send(ev event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.enc.Encode(ev) == nil {
		_ = e.flush()
	}
}
