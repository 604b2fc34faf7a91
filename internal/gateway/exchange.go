package gateway

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/aws/awserr"
)

const (
	// stepBytes within stepTime is the pace that a client must keep, reading and writing: slow links
	// pass (a kilobyte a second), and held-open connections do not.
	stepBytes = 64 << 10
	stepTime  = 60 * time.Second
)

// NewServer returns an http.Server for a gateway, with the limits that must hold before any
// handler runs. The caller sets its address and TLS.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

type requestIDs struct{ uuid, s3, host string }

var upperBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// newRequestIDs makes the ids in the forms that AWS has: a UUID, and S3's pair.
func newRequestIDs() requestIDs {
	var raw [58]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand
	id, _ := uuid.FromBytes(raw[:16])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // RFC 9562 §5.4
	return requestIDs{
		uuid: id.String(),
		s3:   upperBase32.EncodeToString(raw[:10]),
		host: base64.StdEncoding.EncodeToString(raw[10:]),
	}
}

// response counts what is answered and keeps the client's reading pace.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	wrote   bool
	status  int
	written int64
	left    int // bytes until the deadline is set anew
	// live leaves the pace to the handler: a stream may have nothing to say for long.
	live bool
	// commit is asked before anything goes out; when it fails, nothing does.
	commit func() error
	failed error
}

func newResponse(w http.ResponseWriter) *response {
	return &response{ResponseWriter: w, control: http.NewResponseController(w)}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.failed != nil {
		return
	}
	if !w.wrote && (status >= 200 || status == http.StatusSwitchingProtocols) {
		if w.commit != nil {
			if w.failed = w.commit(); w.failed != nil {
				return
			}
		}
		w.wrote, w.status = true, status
		if !w.live {
			// A deadline of the connection's last answer would cut one that has no body.
			_ = w.control.SetWriteDeadline(time.Now().Add(stepTime))
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Hijack implements http.Hijacker. What takes the connection over has been put on record by then, or does not get it: who
// upgrades does not look at what became of the 101 that it wrote.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.failed != nil {
		return nil, nil, w.failed
	}
	return w.control.Hijack()
}

// Write implements io.Writer.
func (w *response) Write(p []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	if w.failed != nil {
		return 0, w.failed
	}
	if w.left -= len(p); w.left < 0 && !w.live {
		// A recorder in tests has no deadlines; a real connection always does.
		_ = w.control.SetWriteDeadline(time.Now().Add(stepTime))
		w.left = stepBytes
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// countingBody is the body as it travels: it counts, and breaks connections that dawdle.
type countingBody struct {
	io.ReadCloser
	control *http.ResponseController
	// deadline is absolute when set; otherwise each step has its own.
	deadline time.Time
	n        int64
	left     int64
}

// pace puts a countingBody in the place of r.Body. The connection itself is read on the first Read,
// which is also when net/http answers "100 Continue": so no client is asked for a body before the
// checks that need none were passed.
func (x *exchange) pace() {
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return
	}
	x.body = &countingBody{ReadCloser: x.r.Body, control: x.w.control}
	x.r.Body = x.body
}

// Read implements io.Reader.
func (b *countingBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		deadline := b.deadline
		if deadline.IsZero() {
			deadline = time.Now().Add(stepTime)
		}
		_ = b.control.SetReadDeadline(deadline)
		b.left = stepBytes
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.left -= int64(n)
	if err != nil {
		// The deadline must not outlive the body: net/http goes on watching the connection, and would
		// take the timeout for the client going away.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// readBody reads a whole body of at most limit bytes, in the time given, and returns it with its hex SHA-256.
func readBody(x *exchange, limit int64, within time.Duration) (body []byte, hash string, err error) {
	tooLarge := func() error { return awserr.Fail(awserr.BodyTooLarge, "limit", strconv.FormatInt(limit, 10)) }
	if x.r.ContentLength > limit {
		return nil, "", tooLarge()
	}
	if x.body != nil {
		x.body.deadline = time.Now().Add(within)
		body, err = io.ReadAll(io.LimitReader(x.body, limit+1))
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, "", awserr.Fail(awserr.SlowBody)
	case err != nil:
		return nil, "", awserr.Fail(awserr.IncompleteBody)
	case int64(len(body)) > limit:
		return nil, "", tooLarge()
	}
	sum := sha256.Sum256(body)
	return body, hex.EncodeToString(sum[:]), nil
}

// replay gives the request the body that was read from it.
func replay(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}
