package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/speakers"
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

	// language is set before the first window that is not only identified. Of several languages it is the first, until
	// all has been read.
	language string
	scores   []speech.LanguageScore
	// alternatives is how many texts of each segment are wanted; zero asks for the best alone.
	alternatives int
	// diarizer tells speakers apart; nil when that was not asked. It is the reader's until that has ended.
	diarizer *speakers.Diarizer

	// room holds a value for each window under way; results takes them when they are
	// decoded and timed.
	room    chan struct{}
	results chan result
	// identified takes tasks back whose language was identified.
	identified chan *task
	// read wakes the collector after more audio was read.
	read     chan struct{}
	position atomic.Int64 // samples read
	// windows counts those that were numbered; it is the reader's.
	windows int

	// finishing are goroutines that time words.
	finishing sync.WaitGroup
}

// result is what became of a window.
type result struct {
	number int
	// end is the sample of the audio up to which the window reaches.
	end      int
	language string
	items    []speech.Item
	others   []hypothesis
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
		engine: e, models: m, class: class(settings.Priority), ctx: ctx, fail: fail,
		language: settings.Language, alternatives: settings.MaxAlternatives,
		room: make(chan struct{}, maxInFlight), results: make(chan result, maxInFlight),
		identified: make(chan *task, maxIdentify), read: make(chan struct{}, 1),
	}
	if settings.MaxSpeakers > 0 {
		if j.diarizer, err = e.diarizer(ctx, settings.MaxSpeakers); err != nil {
			return speech.Transcript{}, err
		}
	}
	if progress == nil {
		progress = func(speech.Progress) {}
	}
	transcript, err := j.recognize(audio, settings, progress)
	if err != nil {
		return speech.Transcript{}, fmt.Errorf("recognise speech: %w", err)
	}
	e.stats.audio.Add(int64(transcript.Duration))
	return transcript, nil
}

// enter counts a caller in, unless the engine is closed.
func (e *Engine) enter() error {
	select {
	case e.load <- struct{}{}:
		defer func() { <-e.load }()
	case <-e.ctx.Done(): // Close has the lock and waits for callers, of which a live session is one
		return fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	if e.closed {
		return fmt.Errorf("engine is closed: %w", speech.ErrInterrupted)
	}
	e.callers.Add(1)
	return nil
}

// recognize starts the reader and collects results, in order, until there are no more.
func (j *job) recognize(audio speech.SampleReader, settings speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
	ended := make(chan summary, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		s, err := j.readAll(audio, settings)
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
	var heard hearing
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
				heard.add(r)
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
	}
	if j.diarizer != nil {
		transcript.Speakers = heard.tell(j.diarizer.Turns())
	}
	transcript.Segments = heard.segments(j.alternatives)
	if settings.MultipleLanguages {
		transcript.Language = mostSpoken(transcript.Segments, j.language)
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
