package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

const (
	// restartDelay is the pause before a child that died is started again; it doubles up to maxRestartDelay
	// while children die young.
	restartDelay    = 100 * time.Millisecond
	maxRestartDelay = 10 * time.Second
	// settled is how long a child must have lived for its death to count as the first.
	settled = 30 * time.Second
	// stopGrace is how long a child may take to exit once its socket was closed.
	stopGrace = 3 * time.Second
	// niceness makes the child wait for the parent where both want a core: recognition takes all the
	// cores there are, and requests must be answered beside it. Measured at 500 signed requests a second
	// beside two jobs on two cores; see docs/decisions.md.
	niceness = 10
)

// Config says how to run the child.
type Config struct {
	// Command is the child's program and arguments; it must call Inherited and Serve.
	Command []string
	// Preload makes every new child load its models at once.
	Preload bool
	Logger  *slog.Logger
}

// Supervisor keeps one engine process running and recognises through it. It is safe for
// concurrent use. Requests that find no child wait for the next one.
type Supervisor struct {
	cfg    Config
	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex // guards the fields below
	conn     *http.ClientConn
	pid      int
	changed  chan struct{} // closed and replaced whenever conn changes
	restarts int
}

var _ speech.Recognizer = (*Supervisor)(nil)

// Start starts the child and returns at once; the child is started anew whenever it dies, until Close.
func Start(cfg Config) *Supervisor {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Supervisor{cfg: cfg, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{})}
	go s.run(ctx)
	return s
}

// Close stops the child and waits for it. Recognitions under way end with speech.ErrInterrupted.
func (s *Supervisor) Close() {
	s.cancel()
	<-s.done
}

// PID is the running child's process id, 0 when there is none at the moment.
func (s *Supervisor) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

// Restarts counts the children that died without being asked to.
func (s *Supervisor) Restarts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restarts
}

func (s *Supervisor) run(ctx context.Context) {
	defer close(s.done)
	// The parent-death signal is tied to the thread that started the child (prctl(2)), so this
	// goroutine keeps its thread for as long as it has children.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	delay := restartDelay
	for ctx.Err() == nil {
		began := time.Now()
		err := s.runChild(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > settled {
			delay = restartDelay
		}
		s.mu.Lock()
		s.restarts++
		s.mu.Unlock()
		s.cfg.Logger.Error("speech engine process ended, starting another", "err", err, "after", time.Since(began).Round(time.Millisecond), "delay", delay)
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
		delay = min(2*delay, maxRestartDelay)
	}
}

// runChild runs one child from its start to its end.
func (s *Supervisor) runChild(ctx context.Context) error {
	conn, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer conn.Close()
	cmd := exec.CommandContext(ctx, s.cfg.Command[0], s.cfg.Command[1:]...)
	cmd.Cancel = conn.Close // the child leaves when its parent hangs up
	cmd.WaitDelay = stopGrace
	cmd.Stderr = os.Stderr
	cmd.Env = environment(os.Environ())
	cmd.ExtraFiles = []*os.File{theirs} // becomes SocketFD
	// A group of its own keeps a terminal's Ctrl-C from the child: jobs under way get their grace period.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return fmt.Errorf("start engine process: %w", err)
	}
	// Threads that the child starts later inherit it. Failing costs latency only.
	if err := unix.Setpriority(unix.PRIO_PGRP, cmd.Process.Pid, niceness); err != nil {
		s.cfg.Logger.Warn("lower the engine process's priority", "err", err)
	}
	transport := &http.Transport{
		Protocols:          protocols(),
		DisableCompression: true,
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}
	client, err := transport.NewClientConn(ctx, "http", "engine:80")
	if err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(fmt.Errorf("connect to engine process: %w", err), cmd.Wait())
	}
	defer client.Close()
	s.setConn(client, cmd.Process.Pid)
	defer s.setConn(nil, 0)
	if s.cfg.Preload {
		go s.preload(ctx, client)
	}
	return cmd.Wait()
}

func (s *Supervisor) preload(ctx context.Context, client *http.ClientConn) {
	resp, err := roundTrip(ctx, client, http.MethodPost, pathPreload, nil, nil)
	if err != nil {
		s.cfg.Logger.Error("preload models", "err", err)
		return
	}
	resp.Body.Close()
}

func (s *Supervisor) setConn(client *http.ClientConn, pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.pid = client, pid
	close(s.changed)
	s.changed = make(chan struct{})
}

// client waits until a child is there.
func (s *Supervisor) client(ctx context.Context) (*http.ClientConn, error) {
	for {
		s.mu.Lock()
		conn, changed := s.conn, s.changed
		s.mu.Unlock()
		if conn != nil && conn.Available() > 0 {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.done:
			return nil, speech.ErrInterrupted
		case <-changed:
		case <-time.After(time.Second): // the connection can be full without the child changing
		}
	}
}

// Recognize implements speech.Recognizer. When the child dies it returns speech.ErrInterrupted:
// the audio cannot be read twice here, so the caller decides whether to open it again.
func (s *Supervisor) Recognize(ctx context.Context, audio speech.SampleReader, settings speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
	client, err := s.client(ctx)
	if err != nil {
		return speech.Transcript{}, fmt.Errorf("wait for the engine process: %w", err)
	}
	header, err := encodeSettings(settings)
	if err != nil {
		return speech.Transcript{}, fmt.Errorf("encode settings: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	body, feed := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := sendPCM(feed, audio)
		feed.CloseWithError(err) // nil means end of audio; anything else resets the stream
		sent <- err
	}()
	// The reader belongs to the caller, so its goroutine must have ended when we return.
	finish := func() error {
		body.CloseWithError(io.ErrClosedPipe)
		cancel()
		return <-sent
	}
	transcript, err := receive(ctx, client, header, body, progress)
	sendErr := finish()
	var lost errSend
	if sendErr != nil && !errors.As(sendErr, &lost) {
		return speech.Transcript{}, fmt.Errorf("read audio: %w", sendErr)
	}
	return transcript, err
}

// receive sends the request and follows the child's events to the last.
func receive(ctx context.Context, client *http.ClientConn, settings string, body io.Reader, progress func(speech.Progress)) (speech.Transcript, error) {
	none := speech.Transcript{}
	resp, err := roundTrip(ctx, client, http.MethodPost, pathRecognize, http.Header{settingsHeader: {settings}}, body)
	if err != nil {
		return none, interruption(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return none, fmt.Errorf("engine process answered %s", resp.Status)
	}
	dec := json.NewDecoder(bufio.NewReader(resp.Body))
	for {
		var ev event
		if err := dec.Decode(&ev); err != nil {
			return none, interruption(ctx, err)
		}
		switch {
		case ev.Error != nil:
			return none, ev.Error.err()
		case ev.Transcript != nil:
			return *ev.Transcript, nil
		case ev.Progress != nil && progress != nil:
			progress(*ev.Progress)
		}
	}
}

// interruption tells the caller's own cancellation from the loss of the child.
func interruption(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", speech.ErrInterrupted, err)
}

// Stats asks the child what it has done since it started.
func (s *Supervisor) Stats(ctx context.Context) (engine.Stats, error) {
	var stats engine.Stats
	client, err := s.client(ctx)
	if err != nil {
		return stats, err
	}
	resp, err := roundTrip(ctx, client, http.MethodGet, pathStats, nil, nil)
	if err != nil {
		return stats, fmt.Errorf("ask engine process for its stats: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		return stats, fmt.Errorf("read stats of engine process: %w", err)
	}
	return stats, nil
}

func roundTrip(ctx context.Context, client *http.ClientConn, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	return client.RoundTrip(req)
}

// socketPair opens two connected Unix sockets: ours as a connection, theirs as a file to be inherited.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open socket pair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "engine socket")
	mine := os.NewFile(uintptr(fds[0]), "engine socket")
	defer mine.Close()
	ours, err = net.FileConn(mine)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("use socket pair: %w", err)
	}
	return ours, theirs, nil
}
