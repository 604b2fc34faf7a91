package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/lid"
	"github.com/dictum/dictum/internal/speech/vad"
)

const (
	// maxInFlight bounds the windows of one job that are under way, 1 MB each: enough to
	// fill a batch, so that one file alone is as fast as many.
	maxInFlight = 12
	// identifySpeech is how much speech, in samples, a language is told from.
	identifySpeech = 45 * speech.SampleRate
	// maxIdentify bounds the windows that it is told from: their encodings are kept.
	maxIdentify = 4
)

// job is one Recognize under way.
type job struct {
	engine *Engine
	models *models
	class  int
	// ctx ends with the caller's, with the engine's, and at the job's first error.
	ctx  context.Context
	fail context.CancelCauseFunc

	// waiting are windows in the queue, guarded by the queue's mutex.
	waiting []*task

	// language is set before the first window that is not only identified.
	language string
	scores   []speech.LanguageScore

	// room holds a value for each window under way; results takes them when they are
	// decoded and timed.
	room    chan struct{}
	results chan result
	// identified takes tasks back whose language was identified.
	identified chan *task
	// read wakes the collector after more audio was read.
	read     chan struct{}
	position atomic.Int64 // samples read

	// finishing are goroutines that time words.
	finishing sync.WaitGroup
}

// result is what became of a window.
type result struct {
	number int
	// end is the sample of the audio up to which the window reaches.
	end   int
	items []speech.Item
}

// summary is what the reader knows at the end of the audio.
type summary struct {
	samples, speech, windows int
}

// Recognize implements speech.Recognizer. It returns ErrUnknownLanguage for a language
// that the model does not know, and speech.ErrInterrupted when the engine is closed.
func (e *Engine) Recognize(ctx context.Context, audio speech.SampleReader, settings speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
	m, err := e.loaded(ctx)
	if err != nil {
		return speech.Transcript{}, err
	}
	for _, language := range append([]string{settings.Language}, settings.LanguageCandidates...) {
		if language != "" && !m.whisper.Knows(language) {
			return speech.Transcript{}, fmt.Errorf("recognise speech in %q: %w", language, ErrUnknownLanguage)
		}
	}
	if err := e.enter(); err != nil {
		return speech.Transcript{}, err
	}
	defer e.callers.Done()
	e.stats.jobs.Add(1)
	defer e.stats.jobs.Add(-1)

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := context.AfterFunc(e.ctx, func() { fail(speech.ErrInterrupted) })
	defer stop()
	j := &job{
		engine: e, models: m, class: class(settings.Priority), ctx: ctx, fail: fail, language: settings.Language,
		room: make(chan struct{}, maxInFlight), results: make(chan result, maxInFlight),
		identified: make(chan *task, maxIdentify), read: make(chan struct{}, 1),
	}
	if progress == nil {
		progress = func(speech.Progress) {}
	}
	transcript, err := j.recognize(audio, settings.LanguageCandidates, progress)
	if err != nil {
		return speech.Transcript{}, fmt.Errorf("recognise speech: %w", err)
	}
	e.stats.audio.Add(int64(transcript.Duration))
	return transcript, nil
}

// enter counts a caller in, unless the engine is closed.
func (e *Engine) enter() error {
	e.load <- struct{}{}
	defer func() { <-e.load }()
	if e.closed {
		return fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	e.callers.Add(1)
	return nil
}

// recognize starts the reader and collects results, in order, until there are no more.
func (j *job) recognize(audio speech.SampleReader, candidates []string, progress func(speech.Progress)) (speech.Transcript, error) {
	ended := make(chan summary, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		s, err := j.readAll(audio, candidates)
		if err != nil {
			j.fail(err)
		}
		ended <- s
	})
	defer func() {
		// In this order: nobody submits, nothing waits, nothing is being timed.
		j.fail(nil)
		reader.Wait()
		for _, t := range j.engine.queue.drop(j) {
			t.release()
			<-j.room
		}
		for len(j.room) > 0 {
			<-j.results
			<-j.room
		}
		j.finishing.Wait()
	}()

	var total summary
	var segments segmenter
	total.windows = -1
	next, position := 0, 0
	early := make(map[int]result)
	for next != total.windows {
		select {
		case <-j.ctx.Done():
			return speech.Transcript{}, context.Cause(j.ctx)
		case r := <-j.results:
			<-j.room
			early[r.number] = r
			for {
				r, ok := early[next]
				if !ok {
					break
				}
				delete(early, next)
				next++
				segments.add(r.items)
				position = r.end
			}
		case total = <-ended:
			if total.windows == next {
				position = total.samples
			}
		case <-j.read:
		}
		p := speech.Progress{Position: duration(position), Read: duration(int(j.position.Load()))}
		progress(p)
	}
	if err := j.ctx.Err(); err != nil {
		return speech.Transcript{}, context.Cause(j.ctx)
	}
	transcript := speech.Transcript{
		Language: j.language, Languages: j.scores,
		Duration: duration(total.samples), Speech: duration(total.speech),
		Segments: segments.end(j.language),
	}
	last := speech.Progress{Position: transcript.Duration, Read: transcript.Duration, Language: j.languageScore()}
	progress(last)
	return transcript, nil
}

// languageScore is the language with its score, one when it was given.
func (j *job) languageScore() speech.LanguageScore {
	if len(j.scores) > 0 {
		return j.scores[0]
	}
	return speech.LanguageScore{Language: j.language, Score: 1}
}

// duration is the length of so many samples.
func duration(samples int) time.Duration {
	return time.Duration(samples) * time.Second / speech.SampleRate
}

// readAll reads the audio to its end, cuts it into windows and submits them.
func (j *job) readAll(audio speech.SampleReader, candidates []string) (summary, error) {
	stream, err := j.models.vad.NewStream()
	if err != nil {
		return summary{}, err
	}
	defer stream.Close()

	var s summary
	var windows []vad.Window
	cutter := vad.NewCutter(func(w vad.Window) { windows = append(windows, w) })
	identify := identifier{job: j, candidates: candidates}
	chunk := make([]float32, vad.ChunkSamples)
	for end := false; !end; {
		n := 0
		for n < len(chunk) && !end {
			k, err := audio.ReadSamples(chunk[n:])
			n += k
			if err != nil && !errors.Is(err, io.EOF) {
				return summary{}, fmt.Errorf("read audio: %w", err)
			}
			if err := j.ctx.Err(); err != nil {
				return summary{}, context.Cause(j.ctx)
			}
			end = err != nil
		}
		if n > 0 {
			probabilities, err := stream.Detect(j.ctx, chunk[:n])
			if err != nil {
				return summary{}, err
			}
			cutter.Add(chunk[:n], probabilities)
			s.samples += n
			j.position.Store(int64(s.samples))
		}
		if end {
			cutter.End()
		}
		for _, w := range windows {
			t := &task{job: j, number: s.windows, window: w, features: j.models.whisper.Features(w.Samples)}
			t.window.Samples = nil
			s.windows++
			if err := identify.submit(t); err != nil {
				return summary{}, err
			}
		}
		windows = windows[:0]
		select {
		case j.read <- struct{}{}:
		default:
		}
	}
	if err := identify.end(); err != nil {
		return summary{}, err
	}
	s.speech = cutter.SpeechSamples()
	return s, nil
}

// submit queues a window, when there is room.
func (j *job) submit(t *task) error {
	select {
	case j.room <- struct{}{}:
		j.engine.queue.push(t)
		return nil
	case <-j.ctx.Done():
		t.release()
		return context.Cause(j.ctx)
	}
}

// identifier holds the first windows of a job back until their language is known.
type identifier struct {
	job        *job
	candidates []string
	held       []*task
	speech     int
}

// submit passes a window on, or holds it when the language is not known yet.
func (i *identifier) submit(t *task) error {
	if i.job.language != "" {
		return i.job.submit(t)
	}
	i.held = append(i.held, t)
	i.speech += t.window.SpeechSamples()
	if i.speech < identifySpeech && len(i.held) < maxIdentify {
		return nil
	}
	return i.decide()
}

// end identifies the language of audio that was short.
func (i *identifier) end() error {
	if i.job.language != "" {
		return nil
	}
	return i.decide()
}

// decide has the language of the windows held identified, and passes them on.
func (i *identifier) decide() error {
	j := i.job
	if i.speech < lid.MinSpeech {
		return speech.ErrTooLittleSpeech
	}
	for _, t := range i.held {
		t.identify = true
		j.engine.queue.push(t)
	}
	var err error
	evidence := make([]lid.Evidence, len(i.held))
	for range i.held {
		// Tasks come back even when the job is cancelled: they have memory to release.
		t := <-j.identified
		if t.err != nil {
			err = errors.Join(err, t.err)
			continue
		}
		evidence[t.number] = lid.Evidence{Probabilities: t.row.Languages(), Speech: t.window.SpeechSamples()}
	}
	var scores []speech.LanguageScore
	if err == nil {
		scores, err = lid.Decide(j.models.whisper.Languages(), evidence, i.candidates)
	}
	if err != nil {
		for _, t := range i.held {
			t.release()
		}
		return err
	}
	j.scores, j.language = scores, scores[0].Language
	for n, t := range i.held {
		t.identify = false
		if err := j.submit(t); err != nil {
			for _, t := range i.held[n+1:] {
				t.release()
			}
			return err
		}
	}
	i.held = nil
	return nil
}

// done takes a task back from the runner. It does not block: the channels have room for
// all that is under way.
func (j *job) done(t *task) {
	if t.identify {
		j.identified <- t
		return
	}
	j.finishing.Go(func() {
		r, err := t.timed()
		t.release()
		if err != nil {
			j.fail(err)
		}
		j.results <- r
	})
}

// release gives the window's memory back.
func (t *task) release() {
	if t.encoding != nil {
		t.encoding.Release()
		t.encoding = nil
	}
}
