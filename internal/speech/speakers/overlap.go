package speakers

import (
	"context"
	"slices"
	"time"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/speech/vad"
)

// The segmentation model (pyannote, arXiv 2310.13025) reads ten seconds and says for each
// of 589 frames which of up to three voices are heard. Which is which means nothing from
// one run to the next.
const (
	segmentSamples = 10 * second
	segmentFrames  = 589
	segmentVoices  = 3
	// A frame is 270 samples after the one before, and sees 991.
	segmentStep  = 270
	segmentFirst = 991 / 2
)

// activity is what the segmentation model says of a window: runs of frames in which the
// same voices are heard.
type activity []state

// state is a run of frames.
type state struct {
	span vad.Span
	// voices has a bit for each voice that is heard.
	voices uint8
	// run is the number of the run of the model; voices of different runs are not comparable.
	run int
}

// several tells that more than one voice is heard.
func (s state) several() bool { return s.voices&(s.voices-1) != 0 }

// segment runs the model over the samples, ten seconds a run.
func (m *Model) segment(ctx context.Context, samples []float32) (_ activity, err error) {
	if len(samples) == 0 {
		return nil, nil
	}
	in, err := inference.NewTensor[float32](1, 1, segmentSamples)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := inference.NewTensor[float32](1, segmentFrames, segmentVoices)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	var a activity
	for run, start := 0, 0; start < len(samples); run, start = run+1, start+segmentSamples {
		// The last run reaches back, so that it does not see a fragment alone.
		from := max(0, min(start, len(samples)-segmentSamples))
		clear(in.Data())
		copy(in.Data(), samples[from:])
		if err := m.segmentation.Run(ctx, []inference.Value{in}, []inference.Value{out}); err != nil {
			return nil, err
		}
		end := min(start+segmentSamples, len(samples))
		for f := range segmentFrames {
			var s state
			for v := range segmentVoices {
				if out.Data()[f*segmentVoices+v] > 0.5 {
					s.voices |= 1 << v
				}
			}
			s.run = run
			s.span.Start = from + f*segmentStep + segmentFirst - segmentStep/2
			s.span.End = s.span.Start + segmentStep
			if f == 0 {
				s.span.Start = from
			}
			if f == segmentFrames-1 {
				s.span.End = from + segmentSamples
			}
			s.span = vad.Span{Start: max(s.span.Start, start), End: min(s.span.End, end)}
			a.add(s)
		}
	}
	return a, nil
}

func (a *activity) add(s state) {
	if s.span.Len() <= 0 {
		return
	}
	if last := len(*a) - 1; last >= 0 && (*a)[last].voices == s.voices && (*a)[last].run == s.run {
		(*a)[last].span.End = s.span.End
		return
	}
	*a = append(*a, s)
}

// split cuts a stretch of speech where one voice alone gives way to another alone. Sounds
// of less than minVoice do not make a voice.
func (a activity) split(s vad.Span) []vad.Span {
	var parts []vad.Span
	before := state{}
	start := s.Start
	for _, now := range a {
		lone := now.voices != 0 && !now.several()
		if !lone || now.span.Len() < minStretch || now.span.End <= s.Start || now.span.Start >= s.End {
			continue
		}
		at := now.span.Start
		if before.voices != 0 && before.run == now.run && before.voices != now.voices {
			// In the middle of what lies between the two: silence, or both.
			at = (before.span.End + at) / 2
			if at-start >= minStretch && s.End-at >= minStretch {
				parts = append(parts, vad.Span{Start: start, End: at})
				start = at
			}
		}
		before = now
	}
	return append(parts, vad.Span{Start: start, End: s.End})
}

// Overlap is a stretch in which a second speaker talks into a turn.
type Overlap struct {
	// Start and End are offsets from the start of the audio.
	Start, End time.Duration
	// Speakers are the two, in ascending order.
	Speakers [2]int
}

// crossing is an overlap, in samples of the audio, with stretches in which the two voices
// are heard alone, by which they are recognised.
type crossing struct {
	span  vad.Span
	alone [2][]vad.Span
}

// minOverlap is the shortest overlap that is told, in samples.
const minOverlap = second / 10

// crossings are the places where two talk at once.
func (a activity) crossings(w *vad.Window) []crossing {
	source := func(s vad.Span) vad.Span {
		return vad.Span{Start: w.Source(s.Start, false), End: w.Source(s.End, true)}
	}
	var cs []crossing
	for _, s := range a {
		if !s.several() || s.span.Len() < minOverlap {
			continue
		}
		c := crossing{span: source(s.span)}
		voice := 0
		for v := range segmentVoices {
			if s.voices&(1<<v) == 0 || voice == 2 {
				continue
			}
			for _, t := range a {
				if t.run == s.run && t.voices == 1<<v {
					c.alone[voice] = append(c.alone[voice], source(t.span))
				}
			}
			voice++
		}
		cs = append(cs, c)
	}
	return cs
}

// Overlaps are the stretches in which two speakers talk at once, in order, as far as both
// are known. Call it with what Turns gave.
func (d *Diarizer) Overlaps(turns []Turn) []Overlap {
	var out []Overlap
	for _, c := range d.overlaps {
		first, ok := most(turns, c.alone[0])
		second, ok2 := most(turns, c.alone[1])
		if !ok || !ok2 || first == second {
			continue
		}
		out = append(out, Overlap{
			Start: duration(c.span.Start), End: duration(c.span.End),
			Speakers: [2]int{min(first, second), max(first, second)},
		})
	}
	return out
}

// most is the speaker who has the largest part of some stretches.
func most(turns []Turn, spans []vad.Span) (int, bool) {
	times := make(map[int]time.Duration)
	for _, s := range spans {
		start, end := duration(s.Start), duration(s.End)
		i, _ := slices.BinarySearchFunc(turns, start, func(t Turn, at time.Duration) int { return int(t.End - at) })
		for ; i < len(turns) && turns[i].Start < end; i++ {
			times[turns[i].Speaker] += max(0, min(end, turns[i].End)-max(start, turns[i].Start))
		}
	}
	best, longest := 0, time.Duration(0)
	for speaker, t := range times {
		if t > longest || t == longest && speaker < best {
			best, longest = speaker, t
		}
	}
	return best, longest > 0
}
