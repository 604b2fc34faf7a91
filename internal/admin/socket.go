package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dictum/dictum/internal/iam"
)

const (
	// socketName is the socket's name in the data folder.
	socketName = "admin.sock"
	// maxSocketPath is the longest path that a socket's address holds (unix(7), with the final NUL).
	maxSocketPath = 107
	maxBody       = 64 << 10
	timeout       = 30 * time.Second
)

// ErrNotRunning means that no server answers in the data folder.
var ErrNotRunning = errors.New("no server runs in the data folder")

// socketPath is the address of the socket. A longer one than addresses hold goes through the open folder.
func socketPath(data string) (path string, done func(), err error) {
	path, err = filepath.Abs(filepath.Join(data, socketName))
	if err != nil || len(path) <= maxSocketPath {
		return path, func() {}, err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), socketName), func() { folder.Close() }, nil
}

// Listen opens the socket, for its owner alone. It replaces one that an earlier server left: the caller must hold
// the data folder's lock.
func Listen(ctx context.Context, data string) (net.Listener, error) {
	path, done, err := socketPath(data)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("admin socket: remove the old one: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	// The path may be of an open folder that is closed by then. What is left answers nobody, and is replaced.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	// The folder is the owner's alone; the mode is a second lock.
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return listener, nil
}

// Serve answers on the listener until the context ends.
func Serve(ctx context.Context, listener net.Listener, o Operator, log *slog.Logger) error {
	server := &http.Server{
		Handler: Handler(o, log), ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin socket: %w", err)
}

type createAccount struct{ Name string }

type rotateRoot struct{ To string }

type rotated struct{ ID string }

type failure struct {
	Error string
	// Yours tells a mistake of the operator's from a fault of the server's.
	Yours bool
}

// Handler is the operator's API over HTTP: GET and POST /accounts, POST /accounts/{id}/root-key, POST /keys/wrapping and
// /keys/root. Whoever reaches it may do all of it.
func Handler(o Operator, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /accounts", func(w http.ResponseWriter, r *http.Request) {
		accounts, err := o.Accounts(r.Context())
		respond(w, r, log, accounts, err)
	})
	mux.HandleFunc("POST /accounts", func(w http.ResponseWriter, r *http.Request) {
		var in createAccount
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
			respond(w, r, log, nil, refuse("the body is not JSON with a Name"))
			return
		}
		k, err := o.CreateAccount(r.Context(), in.Name)
		respond(w, r, log, k, err)
	})
	mux.HandleFunc("POST /accounts/{id}/root-key", func(w http.ResponseWriter, r *http.Request) {
		k, err := o.CreateRootKey(r.Context(), r.PathValue("id"))
		respond(w, r, log, k, err)
	})
	mux.HandleFunc("POST /keys/wrapping", func(w http.ResponseWriter, r *http.Request) {
		id, err := o.RotateWrappingKey(r.Context())
		respond(w, r, log, rotated{id}, err)
	})
	mux.HandleFunc("POST /keys/root", func(w http.ResponseWriter, r *http.Request) {
		var in rotateRoot
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
			respond(w, r, log, nil, refuse("the body is not JSON with a To"))
			return
		}
		respond(w, r, log, rotated{}, o.RotateRoot(r.Context(), in.To))
	})
	return mux
}

func respond(w http.ResponseWriter, r *http.Request, log *slog.Logger, out any, err error) {
	status := http.StatusOK
	var refusal *iam.Refusal
	switch {
	case errors.As(err, &refusal):
		status, out = http.StatusBadRequest, failure{Error: refusal.Message, Yours: true}
	case err != nil:
		log.ErrorContext(r.Context(), "admin request failed", "path", r.URL.Path, "error", err)
		status, out = http.StatusInternalServerError, failure{Error: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the client went away: nobody is left to tell
}

// Client is an Operator that asks a running server.
type Client struct{ http *http.Client }

var _ Operator = (*Client)(nil)

// Dial returns a client of the server in the data folder. Its methods return ErrNotRunning when there is none.
func Dial(data string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, done, err := socketPath(data)
		if err != nil {
			return nil, err
		}
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: timeout}}
}

// CreateAccount implements Operator.
func (c *Client) CreateAccount(ctx context.Context, name string) (k Key, err error) {
	err = c.call(ctx, http.MethodPost, "/accounts", createAccount{name}, &k)
	return k, err
}

// Accounts implements Operator.
func (c *Client) Accounts(ctx context.Context) (accounts []iam.Account, err error) {
	err = c.call(ctx, http.MethodGet, "/accounts", nil, &accounts)
	return accounts, err
}

// CreateRootKey implements Operator.
func (c *Client) CreateRootKey(ctx context.Context, accountID string) (k Key, err error) {
	err = c.call(ctx, http.MethodPost, "/accounts/"+url.PathEscape(accountID)+"/root-key", nil, &k)
	return k, err
}

// RotateWrappingKey implements Rotator.
func (c *Client) RotateWrappingKey(ctx context.Context) (string, error) {
	var out rotated
	err := c.call(ctx, http.MethodPost, "/keys/wrapping", nil, &out)
	return out.ID, err
}

// RotateRoot implements Rotator.
func (c *Client) RotateRoot(ctx context.Context, to string) error {
	return c.call(ctx, http.MethodPost, "/keys/root", rotateRoot{to}, &rotated{})
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	response, err := c.http.Do(r)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("read server's answer: %w", err)
		}
		return nil
	}
	var f failure
	if err := json.Unmarshal(answer, &f); err != nil {
		return fmt.Errorf("server answered %s", response.Status)
	}
	if f.Yours {
		return refuse("%s", f.Error)
	}
	return fmt.Errorf("server: %s", f.Error)
}
