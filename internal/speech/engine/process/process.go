// Package process runs the speech engine in a child process, so that a crash in native code
// that reads untrusted audio costs one attempt of a job and not the server. Parent and child
// talk HTTP/2 over an inherited, unnamed Unix socket pair: nothing to find in the file system,
// nothing another user can connect to, and a stream's flow control is the audio's backpressure.
// Start at Supervisor (the parent's side) and Serve (the child's).
package process

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/dictum/dictum/internal/speech"
)

// SocketFD is the file descriptor at which the child finds its end of the socket pair.
const SocketFD = 3

// Paths of the child's API, settings travel as JSON in a header.
const (
	pathRecognize  = "/recognize"
	pathListen     = "/listen"
	pathEntities   = "/entities"
	pathPreload    = "/preload"
	pathStats      = "/stats"
	settingsHeader = "Dictum-Settings"
)

// protocols is what parent and child speak: HTTP/2, and nobody else listens.
func protocols() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

// event is one line of the child's answer to pathRecognize: any number with Progress, then
// exactly one with Transcript or Error.
type event struct {
	Progress   *speech.Progress   `json:",omitempty"`
	Transcript *speech.Transcript `json:",omitempty"`
	Error      *wireError         `json:",omitempty"`
}

// wireError carries an error over the process boundary and keeps the sentinels that callers test for.
type wireError struct {
	Kind    string
	Message string
}

// The kinds of wireError that stand for sentinels.
const (
	kindTooLittleSpeech = "too-little-speech"
	kindInterrupted     = "interrupted"
	kindOther           = "other"
)

func toWire(err error) *wireError {
	kind := kindOther
	switch {
	case errors.Is(err, speech.ErrTooLittleSpeech):
		kind = kindTooLittleSpeech
	case errors.Is(err, speech.ErrInterrupted):
		kind = kindInterrupted
	}
	return &wireError{Kind: kind, Message: err.Error()}
}

func (e *wireError) err() error {
	switch e.Kind {
	case kindTooLittleSpeech:
		return fmt.Errorf("engine: %w", speech.ErrTooLittleSpeech)
	case kindInterrupted:
		return fmt.Errorf("engine: %w", speech.ErrInterrupted)
	}
	return fmt.Errorf("engine: %s", e.Message)
}

// pcmReader reads samples that travel as little-endian float32, which keeps them bit-identical
// to what an engine in the same process would be given.
type pcmReader struct {
	r   io.Reader
	buf []byte
}

var _ speech.SampleReader = (*pcmReader)(nil)

func (p *pcmReader) ReadSamples(dst []float32) (int, error) {
	if need := 4 * len(dst); cap(p.buf) < need {
		p.buf = make([]byte, need)
	}
	n, err := io.ReadFull(p.r, p.buf[:4*len(dst)])
	if n%4 != 0 {
		return 0, fmt.Errorf("read samples: stream ends inside a sample: %w", io.ErrUnexpectedEOF)
	}
	for i := range n / 4 {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(p.buf[4*i:]))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n / 4, err
}

// sendPCM writes audio to w until its end, in pieces of a fifth of a second.
func sendPCM(w io.Writer, audio speech.SampleReader) error {
	samples := make([]float32, speech.SampleRate/5)
	buf := make([]byte, 4*len(samples))
	for {
		n, err := audio.ReadSamples(samples)
		for i, s := range samples[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(s))
		}
		if n > 0 {
			if _, werr := w.Write(buf[:4*n]); werr != nil {
				return errSend{werr}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errSend marks a failure of the connection, as against one of the audio.
type errSend struct{ error }

func (e errSend) Unwrap() error { return e.error }

func encodeSettings(s any) (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}
