package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long a server may take. The product promises to be ready in 2 s and to stop within its
// 10 s of grace; a busy machine gets more.
const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second
	pollInterval = 20 * time.Millisecond
)

// Options say how to start a server.
type Options struct {
	// Binary is the program; see Binary.
	Binary string
	// Data is the data folder, made when missing.
	Data string
	// Flags come after those that the harness sets: data folder and listeners.
	Flags []string
	// Env is put into the server's environment, over what is there.
	Env []string
	// Name is part of the name of the file that keeps the log.
	Name string
	// Debug has the server log all that it can.
	Debug bool
	// Log receives what the server writes; nil keeps it in memory only.
	Log io.Writer
}

// Addresses are the origins of a server's listeners, as it leaves them in its data folder.
type Addresses struct {
	API     string `json:"api"`
	Console string `json:"console"`
	Ops     string `json:"ops"`
}

// Server is a running `dictum serve`. Its addresses stay the same over Restart.
type Server struct {
	Addresses
	// Env is what `dictum env` exports: AWS_ENDPOINT_URL, keys, region, AWS_CONFIG_FILE.
	Env map[string]string
	// LogFile keeps all that the server writes, over all its runs. When the server ends, it is searched for
	// secrets; see Leaks.
	LogFile string

	options Options
	command *exec.Cmd
	exited  chan struct{} // closed when the process has ended
	err     error         // how it ended; read after exited
	output  *buffer
	secrets secretStore
	checked int64 // how much of LogFile was searched for secrets
}

// Start runs a server on free ports and returns when it is ready.
func Start(ctx context.Context, o Options) (*Server, error) {
	log, err := logFile(o.Name)
	if err != nil {
		return nil, err
	}
	log.Close()
	s := &Server{options: o, output: &buffer{}, LogFile: log.Name()}
	const free = "127.0.0.1:0"
	if err := s.launch(ctx, free, free, free); err != nil {
		return nil, err
	}
	env, err := readEnv(ctx, o.Binary, o.Data)
	if err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	s.Env = env
	s.Secret(env["AWS_SECRET_ACCESS_KEY"])
	return s, nil
}

// Restart runs an ended server again at the same addresses and returns when it is ready.
func (s *Server) Restart(ctx context.Context) error {
	return s.launch(ctx, hostPort(s.API), hostPort(s.Console), hostPort(s.Ops))
}

func hostPort(origin string) string {
	_, rest, _ := strings.Cut(origin, "://")
	return rest
}

func (s *Server) launch(ctx context.Context, api, console, ops string) error {
	addresses := filepath.Join(s.options.Data, "addresses.json")
	if err := os.Remove(addresses); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the last run's addresses: %w", err)
	}
	log, err := os.OpenFile(s.LogFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("keep server log: %w", err)
	}
	var args []string
	if s.options.Debug {
		args = append(args, "--log", "debug")
	}
	args = append(args, "serve", "--data", s.options.Data, "--api", api, "--console", console, "--ops", ops)
	s.command = exec.Command(s.options.Binary, append(args, s.options.Flags...)...)
	s.command.Env = append(os.Environ(), s.options.Env...)
	out := io.MultiWriter(s.output, log)
	if s.options.Log != nil {
		out = io.MultiWriter(s.output, log, s.options.Log)
	}
	s.command.Stdout, s.command.Stderr = out, out
	// After a kill the engine child may hold the output for a moment; it must not hold us.
	s.command.WaitDelay = time.Second
	// A server must not outlive a test that panics.
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		log.Close()
		return fmt.Errorf("start %s: %w", s.options.Binary, err)
	}
	s.exited = make(chan struct{})
	go func(command *exec.Cmd, exited chan struct{}) {
		s.err = command.Wait()
		log.Close()
		close(exited)
	}(s.command, s.exited)

	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.awaitReady(ctx, addresses); err != nil {
		return fmt.Errorf("%w; it wrote:\n%s", errors.Join(err, s.Kill()), s.Output())
	}
	return nil
}

func (s *Server) awaitReady(ctx context.Context, addresses string) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if s.readyNow(ctx, addresses) {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("server ended before it was ready: %v", s.command.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("server is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (s *Server) readyNow(ctx context.Context, addresses string) bool {
	b, err := os.ReadFile(addresses)
	if err != nil || json.Unmarshal(b, &s.Addresses) != nil {
		return false
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Ops+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Kill ends the server at once, as a power cut would, and waits for it. Like Stop it returns an error when the
// log gives a secret away.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop asks the server to end, waits for it, and returns an error when it did not end well.
func (s *Server) Stop() error {
	if err := s.end(syscall.SIGTERM); err != nil {
		return err
	}
	if s.err != nil {
		return fmt.Errorf("server ended with %w; it wrote:\n%s", s.err, s.Output())
	}
	return nil
}

func (s *Server) end(signal syscall.Signal) error {
	if err := s.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal server: %w", err)
	}
	select {
	case <-s.exited:
		return s.checkLog()
	case <-time.After(stopTimeout):
		s.command.Process.Kill()
		return fmt.Errorf("server ignored %v for %v; it wrote:\n%s", signal, stopTimeout, s.Output())
	}
}

// Pid is the server's process.
func (s *Server) Pid() int { return s.command.Process.Pid }

// Output is what the server wrote, over all its runs, cut to the last 64 KiB.
func (s *Server) Output() string { return s.output.String() }

// Children are the processes that the server started and that run now: the engine, decoders.
func (s *Server) Children() ([]int, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.Pid()))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if errors.Is(err, os.ErrNotExist) { // the thread has ended
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list children: %w", err)
		}
		for _, field := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("list children: %w", err)
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// readEnv runs `dictum env` and reads its exports as a POSIX shell would.
func readEnv(ctx context.Context, binary, data string) (map[string]string, error) {
	const mark = "--- exports ---"
	script := fmt.Sprintf(`eval "$("$0" env --data "$1")"; echo %q; env -0`, mark)
	command := exec.CommandContext(ctx, "sh", "-ec", script, binary, data)
	command.Env = []string{"HOME=" + data, "PATH=" + os.Getenv("PATH")}
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("dictum env: %w: %s", err, stderr.String())
	}
	_, exports, ok := strings.Cut(string(out), mark+"\n")
	if !ok {
		return nil, fmt.Errorf("dictum env printed something odd: %q", out)
	}
	env := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(exports))
	lines.Split(splitNUL)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.HasPrefix(name, "AWS_") {
			env[name] = value
		}
	}
	return env, lines.Err()
}

func splitNUL(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// buffer keeps the last 64 KiB written to it.
type buffer struct {
	mu   sync.Mutex // guards last
	last []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const keep = 64 << 10
	b.last = append(b.last, p...)
	if len(b.last) > keep {
		b.last = append([]byte(nil), b.last[len(b.last)-keep:]...)
	}
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.last)
}
