package process_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/speech/engine/process"
)

// childVariable makes this test binary the engine process.
const childVariable = "DICTUM_TEST_ENGINE"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(serve())
	}
	os.Exit(m.Run())
}

func serve() int {
	conn, err := process.Inherited()
	if err != nil {
		return 1
	}
	dir, err := models.Dir()
	if err != nil {
		return 1
	}
	backend, err := engine.New(engine.Config{Models: dir})
	if err != nil {
		return 1
	}
	process.Serve(context.Background(), conn, backend)
	return 0
}

func start(t *testing.T) *process.Supervisor {
	t.Helper()
	t.Setenv(childVariable, "1")
	s := process.Start(process.Config{Command: []string{os.Args[0]}})
	t.Cleanup(s.Close)
	return s
}

// speechFile opens the short reading that make setup installs.
func speechFile(t *testing.T) *audio.Stream {
	t.Helper()
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "speech-samples", "beckett.wav"))
	if err != nil {
		t.Fatalf("%v: run make setup", err)
	}
	t.Cleanup(func() { f.Close() })
	stream, err := audio.Open(t.Context(), f, audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	return stream
}

var english = speech.Settings{Language: "en", Priority: speech.PriorityBatch}

func TestTheChildRecognisesAsAnEngineInThisProcessDoes(t *testing.T) {
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	local, err := engine.New(engine.Config{Models: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	want, err := local.Recognize(t.Context(), speechFile(t), english, nil)
	if err != nil {
		t.Fatal(err)
	}
	var reached time.Duration
	got, err := start(t).Recognize(t.Context(), speechFile(t), english, func(p speech.Progress) { reached = p.Position })
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Segments) == 0 {
		t.Error("nothing was recognised")
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if reached == 0 {
		t.Error("no progress was told")
	}
}

// gated yields speech up to a point and then waits, so that a test knows a recognition is under way.
type gated struct {
	speech.SampleReader
	left    int
	reached chan struct{} // closed at the gate
	open    chan struct{}
	once    sync.Once
}

func gate(r speech.SampleReader, samples int) *gated {
	return &gated{SampleReader: r, left: samples, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gated) ReadSamples(dst []float32) (int, error) {
	if g.left <= 0 {
		g.once.Do(func() { close(g.reached) })
		<-g.open
	}
	n, err := g.SampleReader.ReadSamples(dst)
	g.left -= n
	return n, err
}

func TestAChildThatDiesInterruptsItsWorkAndIsReplaced(t *testing.T) {
	s := start(t)
	held := gate(speechFile(t), speech.SampleRate)
	result := make(chan error, 1)
	go func() {
		_, err := s.Recognize(t.Context(), held, english, nil)
		result <- err
	}()
	<-held.reached
	first := s.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	close(held.open)
	if err := <-result; !errors.Is(err, speech.ErrInterrupted) {
		t.Errorf("recognition in the killed child: got %v, want ErrInterrupted", err)
	}
	got, err := s.Recognize(t.Context(), speechFile(t), english, nil)
	if err != nil {
		t.Fatalf("recognition in the next child: %v", err)
	}
	if len(got.Segments) == 0 {
		t.Error("the next child recognised nothing")
	}
	if s.PID() == first || s.Restarts() != 1 {
		t.Errorf("got child %d after %d restarts, want another than %d after 1", s.PID(), s.Restarts(), first)
	}
}

func TestCancellationEndsTheRecognition(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	held := gate(speechFile(t), speech.SampleRate)
	result := make(chan error, 1)
	go func() {
		_, err := s.Recognize(ctx, held, english, nil)
		result <- err
	}()
	<-held.reached
	cancel()
	close(held.open)
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if s.Restarts() != 0 {
		t.Error("cancelling one recognition cost the child")
	}
}

var errTorn = errors.New("torn tape")

// torn fails after some audio.
type torn struct {
	speech.SampleReader
	left int
}

func (r *torn) ReadSamples(dst []float32) (int, error) {
	if r.left <= 0 {
		return 0, errTorn
	}
	n, err := r.SampleReader.ReadSamples(dst)
	r.left -= n
	return n, err
}

func TestAReadersErrorComesBackAndIsNotTheEndOfTheAudio(t *testing.T) {
	_, err := start(t).Recognize(t.Context(), &torn{speechFile(t), speech.SampleRate}, english, nil)
	if !errors.Is(err, errTorn) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// silence is samples zeros.
type silence struct{ left int }

func (s *silence) ReadSamples(dst []float32) (int, error) {
	n := min(len(dst), s.left)
	clear(dst[:n])
	if s.left -= n; s.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestTheSentinelsOfSpeechCrossTheProcessBoundary(t *testing.T) {
	_, err := start(t).Recognize(t.Context(), &silence{5 * speech.SampleRate}, speech.Settings{}, nil)
	if !errors.Is(err, speech.ErrTooLittleSpeech) {
		t.Errorf("got %v, want ErrTooLittleSpeech", err)
	}
}

func TestAClosedSupervisorSaysSo(t *testing.T) {
	s := start(t)
	s.Close()
	if _, err := s.Recognize(t.Context(), &silence{100}, english, nil); !errors.Is(err, speech.ErrInterrupted) {
		t.Errorf("got %v, want ErrInterrupted", err)
	}
}

func TestInheritedExplainsWhoStartsIt(t *testing.T) {
	_, err := process.Inherited()
	if err == nil || !strings.Contains(err.Error(), "dictum serve") {
		t.Errorf("got %v, want an error that names dictum serve", err)
	}
}
