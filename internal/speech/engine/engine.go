// Package engine recognises speech: it implements speech.Recognizer over Whisper, with
// one scheduler for all the work of a process.
//
// Each Recognize reads its audio in a goroutine of its own, finds the speech in it and
// cuts it into windows of up to 28 s. All windows wait in one queue, ordered by priority
// and fair between jobs. One goroutine, the runner, owns the model: it encodes windows
// one by one and decodes up to Config.Rows of them side by side. What was decoded is
// aligned, split into words and put in order by the job that it belongs to. Start reading
// at Engine, then job.go, queue.go and runner.go.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/live"
	"github.com/dictum/dictum/internal/speech/speakers"
	"github.com/dictum/dictum/internal/speech/vad"
	"github.com/dictum/dictum/internal/speech/whisper"
	"github.com/dictum/dictum/internal/text/pii/ner"
)

// Config says where the models are and how much of the machine to use.
type Config struct {
	// Models is the folder that holds the models, $DICTUM_MODELS.
	Models string
	// Model is the folder in it of the Whisper model; empty means DefaultModel.
	Model string
	// Threads is how many threads one run of a graph uses; zero means one per processor.
	Threads int
	// Rows is how many windows are decoded side by side; zero means DefaultRows.
	Rows int
	// BestFinals has Whisper make finals of live English too, which makes fewer mistakes than the low-latency model, while
	// they are likely to come within live.BetterWithin. They come later then, and the load decides which text they have.
	BestFinals bool
	// Logger takes what an operator should know; nil means slog.Default.
	Logger *slog.Logger
}

// Defaults of Config.
const (
	DefaultModel = "whisper-base"
	DefaultRows  = 8
)

// The places of the other files in Config.Models.
const (
	runtimeFile = "onnxruntime/libonnxruntime.so"
	vadFile     = "silero-vad/silero_vad_16k_sequence.onnx"
	speakersDir = "speakers"
)

var _ speech.Recognizer = (*Engine)(nil)

// ErrUnknownLanguage means that a language was named which the model does not know.
var ErrUnknownLanguage = errors.New("the model does not know the language")

// Engine is a speech.Recognizer for any number of concurrent callers.
type Engine struct {
	config Config
	queue  *queue
	// lane is where runs of the low-latency model queue.
	lane     *live.Lane
	refining refining
	stats    counters

	// ctx ends when the engine is closed, and with it all work.
	ctx   context.Context
	close context.CancelFunc
	// callers are those inside Recognize and Tag; the runner outlives them, then stopped ends it.
	callers sync.WaitGroup
	runner  sync.WaitGroup
	stopped chan struct{}

	// load is a lock that can be waited for under a context; it guards the fields below.
	load     chan struct{}
	models   *models
	entities *ner.Model
	closed   bool
}

// models is what is loaded.
type models struct {
	whisper *whisper.Model
	vad     *vad.Detector
	// batch decodes windows of recordings, live those of live sessions.
	batch, live *whisper.Batch
	// speakers and english are loaded at first use.
	speakers *speakers.Model
	english  *live.English
}

// New makes an engine. It loads nothing yet: models are loaded by Preload, or by the
// first Recognize. The caller closes it.
func New(config Config) (*Engine, error) {
	if config.Models == "" {
		return nil, errors.New("engine: no folder of models is given")
	}
	if config.Model == "" {
		config.Model = DefaultModel
	}
	if config.Threads < 0 || config.Rows < 0 {
		return nil, fmt.Errorf("engine: %d threads and %d rows: neither can be negative", config.Threads, config.Rows)
	}
	if config.Threads == 0 {
		config.Threads = runtime.NumCPU()
	}
	if config.Rows == 0 {
		config.Rows = DefaultRows
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	e := &Engine{config: config, queue: newQueue(), lane: live.NewLane(max(1, config.Threads)), load: make(chan struct{}, 1), stopped: make(chan struct{})}
	e.ctx, e.close = context.WithCancel(context.Background())
	return e, nil
}

// Preload loads the models now instead of at first use. A failed load may be repeated.
func (e *Engine) Preload(ctx context.Context) error {
	_, err := e.loaded(ctx)
	return err
}

// loaded returns the models, loading them when that has not been done.
func (e *Engine) loaded(ctx context.Context) (*models, error) {
	select {
	case e.load <- struct{}{}:
		defer func() { <-e.load }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.closed {
		return nil, fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	if e.models != nil {
		return e.models, nil
	}
	m, err := e.open()
	if err != nil {
		return nil, fmt.Errorf("load speech models from %s (dictum models pull installs them): %w", e.config.Models, err)
	}
	e.models = m
	e.runner.Go(func() {
		beNice(e.config.Logger)
		e.run(m)
	})
	return m, nil
}

// diarizer starts to tell at most so many speakers apart.
func (e *Engine) diarizer(ctx context.Context, most int) (*speakers.Diarizer, error) {
	select {
	case e.load <- struct{}{}:
		defer func() { <-e.load }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.closed {
		return nil, fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	if e.models.speakers == nil {
		// The recogniser has the other processors.
		m, err := speakers.Open(filepath.Join(e.config.Models, speakersDir), max(1, e.config.Threads/2))
		if err != nil {
			return nil, fmt.Errorf("load speaker models from %s (dictum models pull installs them): %w", e.config.Models, err)
		}
		e.models.speakers = m
	}
	return e.models.speakers.NewDiarizer(speakers.Options{MaxSpeakers: most})
}

func (e *Engine) open() (*models, error) {
	if err := inference.Init(filepath.Join(e.config.Models, runtimeFile)); err != nil {
		return nil, err
	}
	var m models
	var err error
	if m.vad, err = vad.Open(filepath.Join(e.config.Models, vadFile)); err != nil {
		return nil, err
	}
	var opening sync.WaitGroup
	opening.Go(func() {
		beNice(e.config.Logger) // the runtime's threads are as nice as the one that opens the model
		m.whisper, err = whisper.Open(filepath.Join(e.config.Models, e.config.Model), e.config.Threads)
	})
	if opening.Wait(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if m.batch, err = m.whisper.NewBatch(e.config.Rows); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if m.live, err = m.whisper.NewBatch(liveRows); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return &m, nil
}

func (m *models) close() error {
	var errs []error
	if m.batch != nil {
		errs = append(errs, m.batch.Close())
	}
	if m.live != nil {
		errs = append(errs, m.live.Close())
	}
	if m.whisper != nil {
		errs = append(errs, m.whisper.Close())
	}
	if m.vad != nil {
		errs = append(errs, m.vad.Close())
	}
	if m.speakers != nil {
		errs = append(errs, m.speakers.Close())
	}
	if m.english != nil {
		errs = append(errs, m.english.Model.Close())
	}
	return errors.Join(errs...)
}

// Close ends all work, which returns speech.ErrInterrupted, and frees the models. It
// waits for callers of Recognize, which may be in their SampleReader.
func (e *Engine) Close() error {
	e.close()
	e.load <- struct{}{}
	defer func() { <-e.load }()
	if e.closed {
		return nil
	}
	e.closed = true
	e.callers.Wait()
	close(e.stopped)
	e.runner.Wait()
	err := e.closeTagger()
	if m := e.models; m != nil {
		e.models = nil
		err = errors.Join(err, m.close())
	}
	if err != nil {
		return fmt.Errorf("close engine: %w", err)
	}
	return nil
}
