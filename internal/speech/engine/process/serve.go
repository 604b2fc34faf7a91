package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/text/pii"
)

// Backend is what the child serves: the engine.
type Backend interface {
	speech.Recognizer
	speech.LiveRecognizer
	pii.Tagger
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
	mux.HandleFunc("POST "+pathListen, func(w http.ResponseWriter, r *http.Request) { serveListen(w, r, backend) })
	mux.HandleFunc("POST "+pathEntities, func(w http.ResponseWriter, r *http.Request) { serveEntities(w, r, backend) })
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
	ended := make(chan struct{})
	server := &http.Server{
		Handler:     mux,
		Protocols:   protocols(),
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 1024},
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(ended)
			}
		},
	}
	if err := server.Serve(&single{Conn: conn, ended: ended}); !errors.Is(err, net.ErrClosed) {
		slog.Error("serve the parent", "err", err)
	}
}

// single is a listener that accepts one connection, the one it has, until that one ended.
type single struct {
	net.Conn
	ended    <-chan struct{}
	accepted bool
}

// Accept implements net.Listener for one goroutine.
func (s *single) Accept() (net.Conn, error) {
	if !s.accepted {
		s.accepted = true
		return s.Conn, nil
	}
	<-s.ended
	return nil, net.ErrClosed
}

// Addr implements net.Listener.
func (s *single) Addr() net.Addr { return s.LocalAddr() }

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
