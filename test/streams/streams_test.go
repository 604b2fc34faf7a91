// Package streams_test breaks streams of a running server in the ways that clients and networks do, and looks at what is
// left of them in its processes.
package streams_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming/types"
	"github.com/coder/websocket"

	"github.com/dictum/dictum/internal/aws/eventstream"
	"github.com/dictum/dictum/test/harness"
)

// atOnce is how many bytes of audio an event has: a fifth of a second.
const atOnce = 6400

// limit is how many streams of each transport a server lets an account have.
const limit = 25

const parameters = "language-code=en-US&media-encoding=pcm&sample-rate=16000"

// speech is the reading as PCM at 16 kHz.
func speech(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reading.pcm")
	harness.FFmpeg(t, "-i", harness.ReadingFile(t), "-ac", "1", "-ar", "16000", "-f", "s16le", path)
	pcm, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// stream is one over either transport.
type stream interface {
	// send gives a piece of audio; none ends it.
	send(ctx context.Context, audio []byte) error
	// hear waits for a result.
	hear(ctx context.Context) error
	// wait reads results to the end, and returns the exception that ended the stream, if one did.
	wait(ctx context.Context) error
	// drop breaks the connection without a word.
	drop()
}

// opener opens a stream of its own connection. Its error is what the server refused it with.
type opener func(ctx context.Context, t *testing.T, server *harness.Server) (stream, error)

var transports = map[string]opener{"HTTP/2": openHTTP2, "WebSocket": openSocket}

// http2 is a stream of the Go SDK.
type http2 struct {
	*transcribestreaming.StartStreamTranscriptionEventStream
	conn      net.Conn
	transport *http.Transport
}

func openHTTP2(ctx context.Context, _ *testing.T, server *harness.Server) (stream, error) {
	s := &http2{transport: &http.Transport{Protocols: new(http.Protocols)}}
	s.transport.Protocols.SetUnencryptedHTTP2(true)
	s.transport.DialContext = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		s.conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return s.conn, err
	}
	client := transcribestreaming.New(transcribestreaming.Options{
		Region: "us-east-1", BaseEndpoint: &server.API, RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: s.transport},
		Credentials: credentials.NewStaticCredentialsProvider(server.Env["AWS_ACCESS_KEY_ID"], server.Env["AWS_SECRET_ACCESS_KEY"], ""),
	})
	out, err := client.StartStreamTranscription(ctx, &transcribestreaming.StartStreamTranscriptionInput{
		LanguageCode: "en-US", MediaEncoding: types.MediaEncodingPcm, MediaSampleRateHertz: aws.Int32(16000),
	})
	if err != nil {
		s.transport.CloseIdleConnections()
		return nil, err
	}
	s.StartStreamTranscriptionEventStream = out.GetStream()
	return s, nil
}

func (s *http2) send(ctx context.Context, audio []byte) error {
	if len(audio) == 0 {
		return s.Writer.Close()
	}
	return s.Send(ctx, &types.AudioStreamMemberAudioEvent{Value: types.AudioEvent{AudioChunk: audio}})
}

func (s *http2) hear(context.Context) error {
	if _, ok := <-s.Events(); !ok {
		return errors.Join(errors.New("no result"), s.Err())
	}
	return nil
}

func (s *http2) wait(context.Context) error {
	for range s.Events() { // to the end
	}
	defer s.transport.CloseIdleConnections()
	return errors.Join(s.Err(), s.Close())
}

func (s *http2) drop() {
	_ = s.conn.Close()
	_ = s.Close() // which finds out
}

// socket is a stream as a hand-written client has it.
type socket struct{ *websocket.Conn }

func openSocket(ctx context.Context, t *testing.T, server *harness.Server) (stream, error) {
	conn, _, err := websocket.Dial(ctx, server.SocketURL(t, parameters), nil) //nolint:bodyclose // the body is the connection's
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	return socket{conn}, nil
}

func (s socket) send(ctx context.Context, audio []byte) error {
	m, err := eventstream.Event("AudioEvent", "application/octet-stream", audio)
	if err != nil {
		return err
	}
	return s.Write(ctx, websocket.MessageBinary, m)
}

func (s socket) hear(ctx context.Context) error {
	_, _, err := s.Read(ctx)
	return err
}

// exception is what ended a stream over a WebSocket.
type exception string

// Error implements error.
func (e exception) Error() string { return string(e) }

func (s socket) wait(ctx context.Context) (ended error) {
	for {
		_, raw, err := s.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return ended
		}
		if err != nil {
			return errors.Join(ended, err)
		}
		m, err := eventstream.Parse(raw)
		if err != nil {
			return err
		}
		if kind := m.Text(":exception-type"); kind != "" {
			ended = exception(kind)
		}
	}
}

func (s socket) drop() { _ = s.CloseNow() }

// talk sends audio as fast as it is taken until there is no more.
func talk(ctx context.Context, s stream, audio []byte) error {
	for at := 0; at < len(audio); at += atOnce {
		if err := s.send(ctx, audio[at:min(at+atOnce, len(audio))]); err != nil {
			return err
		}
	}
	return nil
}

// engine is the process that the models run in.
func engine(t *testing.T, server *harness.Server) int {
	t.Helper()
	children, err := server.Children()
	if err != nil || len(children) != 1 {
		t.Fatalf("the server's children are %v: %v", children, err)
	}
	return children[0]
}

// awaitNone waits until the server and its engine know of no stream any more.
func awaitNone(t *testing.T, server *harness.Server) {
	t.Helper()
	harness.Until(t, 30*time.Second, "no stream is left", func() bool {
		return server.Metric(t, "dictum_live_streams") == 0 && server.Metric(t, "dictum_engine_streams") == 0
	})
}

// together runs f so many times at once.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}
