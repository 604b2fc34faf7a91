package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/vad"
)

// readAll reads the audio to its end, cuts it into windows and submits them.
func (j *job) readAll(audio speech.SampleReader, settings speech.Settings) (summary, error) {
	stream, err := j.models.vad.NewStream()
	if err != nil {
		return summary{}, err
	}
	defer stream.Close()

	var s summary
	var windows []vad.Window
	cutter := vad.NewCutter(func(w vad.Window) { windows = append(windows, w) })
	var identify interface {
		submit(w vad.Window) error
		end() error
	} = &identifier{job: j, candidates: settings.LanguageCandidates}
	if settings.MultipleLanguages {
		identify = &interpreter{job: j, candidates: settings.LanguageCandidates}
	}
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
			if j.diarizer != nil {
				if err := j.diarizer.Add(j.ctx, w); err != nil {
					return summary{}, err
				}
			}
			if err := identify.submit(w); err != nil {
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
	s.windows, s.speech = j.windows, cutter.SpeechSamples()
	return s, nil
}

// task makes a window ready for the runner.
func (j *job) task(w vad.Window) *task {
	t := &task{job: j, number: j.windows, window: w, features: j.models.whisper.Features(w.Samples)}
	t.window.Samples = nil
	j.windows++
	return t
}

// submit queues a window to be recognised in a language, when there is room.
func (j *job) submit(t *task, language string) error {
	t.language = language
	select {
	case j.room <- struct{}{}:
		j.engine.queue.push(t)
		return nil
	case <-j.ctx.Done():
		t.release()
		return context.Cause(j.ctx)
	}
}
