package vad

import "math"

// Span is a stretch of samples, from Start up to but without End.
type Span struct{ Start, End int }

// Len is the number of samples.
func (s Span) Len() int { return s.End - s.Start }

// Window is a piece of audio to be recognised by itself.
type Window struct {
	// Samples are the audio, with long pauses left out.
	Samples []float32
	// Pieces are where the samples come from: stretches of the audio as read, one after
	// another.
	Pieces []Span
	// Speech are the stretches taken for speech, in places of Samples.
	Speech []Span
}

// Source is the place in the audio as read of a place in w.Samples; a place on the seam
// between two pieces belongs to the later one, unless it is the end of a stretch.
func (w *Window) Source(place int, end bool) int {
	for i, p := range w.Pieces {
		last := i == len(w.Pieces)-1
		if place < p.Len() || last || end && place == p.Len() {
			return p.Start + min(place, p.Len())
		}
		place -= p.Len()
	}
	return 0
}

// SpeechSamples is how many of the samples were taken for speech.
func (w *Window) SpeechSamples() int {
	n := 0
	for _, s := range w.Speech {
		n += s.Len()
	}
	return n
}

// Speech begins with a frame of at least onset probability and ends before a run of
// frames below offset: Silero's own hysteresis, with a lower onset, since what is wrongly
// taken for speech can still be refused by the recogniser and what is missed is lost.
const (
	onset  = 0.4
	offset = 0.25
)

var (
	// minGap is the shortest pause: shorter ones, as in plosives, are within words.
	minGap = framesOf(130)
	// minSpeech is the shortest stretch that is kept.
	minSpeech = framesOf(65)
	// pad is added before and after speech, for onsets and endings below the threshold.
	pad = framesOf(320)
	// longGap is the shortest pause that is left out of windows, except for the pads.
	longGap = framesOf(2000)
	// maxWindow is the longest window. Whisper loses words from about 28 s on.
	maxWindow = framesOf(28000)
	// minWindow is where cuts begin to be looked for.
	minWindow = framesOf(12000)
	// forced is the stretch before maxWindow in which speech without a pause is cut.
	forced = framesOf(6000)
)

// Cutter cuts audio into windows as it comes: whole utterances, as many as fit, with
// pauses of more than two seconds left out. It holds one window of audio at a time,
// however long the audio and its pauses are. Feed it, frame by frame, what Stream
// detects.
type Cutter struct {
	emit func(Window)

	// blocks are the stretches of audio held. The last one grows; it may have no speech
	// yet, and is then as long as a pad. The others have.
	blocks []*block
	next   int // the number of the next frame
	open   bool
	// quiet counts frames below offset at the end of an open span.
	quiet int
	// end is the number of samples read.
	end    int
	speech int // samples of speech in windows emitted
}

// block is audio without a long pause.
type block struct {
	first   int // the number, from the start of the audio, of its first frame
	samples []float32
	probs   []float32
	spans   []Span // of speech, in frame numbers; the last of the last block may be open
}

// NewCutter returns a cutter that hands each window to emit.
func NewCutter(emit func(Window)) *Cutter {
	return &Cutter{emit: emit, blocks: []*block{{}}}
}

// Add takes the next frames: their samples, of which only the very last frame may be
// short, and the probabilities of speech in them.
func (c *Cutter) Add(samples []float32, probs []float32) {
	for i, p := range probs {
		frame := samples[min(samplesOf(i), len(samples)):min(samplesOf(i+1), len(samples))]
		c.frame(frame, p)
	}
}

// SpeechSamples is how much speech was found so far.
func (c *Cutter) SpeechSamples() int {
	n := c.speech
	for _, b := range c.blocks {
		for _, s := range b.spans {
			n += samplesOf(c.stop(s) - s.Start)
		}
	}
	return n
}

// stop is the end of a span, so far when it is open.
func (c *Cutter) stop(s Span) int {
	if s.End == 0 {
		return c.next - c.quiet
	}
	return s.End
}

func (c *Cutter) frame(samples []float32, p float32) {
	b := c.blocks[len(c.blocks)-1]
	b.samples = append(b.samples, samples...)
	b.probs = append(b.probs, p)
	c.end += len(samples)
	c.next++
	switch {
	case !c.open && p >= onset:
		b.spans = append(b.spans, Span{Start: c.next - 1})
		c.open, c.quiet = true, 0
	case c.open && p < offset:
		if c.quiet++; c.quiet >= minGap {
			c.closeSpan()
		}
	case c.open:
		c.quiet = 0
	}
	if c.open && c.length() >= maxWindow {
		c.cut()
	}
	if !c.open {
		c.rest()
	}
}

func (c *Cutter) closeSpan() {
	b := c.blocks[len(c.blocks)-1]
	last := len(b.spans) - 1
	b.spans[last].End = c.stop(b.spans[last])
	c.open, c.quiet = false, 0
	if b.spans[last].Len() < minSpeech {
		b.spans = b.spans[:last]
	}
}

// length is how many frames a window of all that is held would have.
func (c *Cutter) length() int {
	n := 0
	for _, b := range c.blocks {
		if last := len(b.spans) - 1; last >= 0 {
			n += c.stop(b.spans[last]) - b.spans[0].Start + 2*pad
		}
	}
	return n
}

// rest lets go, during a pause, of audio that no window needs.
func (c *Cutter) rest() {
	b := c.blocks[len(c.blocks)-1]
	if last := len(b.spans) - 1; last >= 0 {
		end := b.spans[last].End
		if c.next-end < longGap {
			return
		}
		fresh := &block{first: c.next - pad}
		from := samplesOf(fresh.first - b.first)
		fresh.samples = append(fresh.samples, b.samples[min(from, len(b.samples)):]...)
		fresh.probs = append(fresh.probs, b.probs[fresh.first-b.first:]...)
		b.trim(b.first, end+pad)
		c.blocks = append(c.blocks, fresh)
		return
	}
	if c.next-b.first > framesOf(1000) {
		b.trim(c.next-pad, c.next)
	}
}

// trim keeps frames from … to-1.
func (b *block) trim(from, to int) {
	from = max(from, b.first)
	low, high := samplesOf(from-b.first), min(samplesOf(to-b.first), len(b.samples))
	b.samples = b.samples[:copy(b.samples, b.samples[min(low, high):high])]
	b.probs = b.probs[:copy(b.probs, b.probs[from-b.first:min(to-b.first, len(b.probs))])]
	b.first = from
}

// cut emits the first part of what is held: up to a pause that is long or late, and at
// the quietest place when nobody paused.
func (c *Cutter) cut() {
	bestBlock, bestSpan, bestScore := -1, -1, 0.0
	position := 0
	for i, b := range c.blocks {
		for j, s := range b.spans {
			if i > 0 || j > 0 {
				gap := longGap
				if j > 0 {
					gap = s.Start - b.spans[j-1].End
				}
				// A second of pause is worth as much as a window of full length.
				score := min(1, float64(gap)/float64(framesOf(1000))) + float64(position)/float64(maxWindow)
				if position >= minWindow && score > bestScore {
					bestBlock, bestSpan, bestScore = i, j, score
				}
			}
			if j == 0 {
				position += 2 * pad
			} else {
				position += s.Start - b.spans[j-1].End
			}
			position += c.stop(s) - s.Start
		}
	}
	if bestBlock >= 0 {
		c.take(bestBlock, bestSpan)
		return
	}
	// Speech has gone on since before minWindow.
	b := c.blocks[len(c.blocks)-1]
	last := len(b.spans) - 1
	at := b.quietest(max(b.spans[last].Start+1, c.next-forced), c.next)
	b.spans[last].End = at
	b.spans = append(b.spans, Span{Start: at})
	c.take(len(c.blocks)-1, last+1)
}

// quietest is the frame from … to-1 with the least energy, weighed by its probability of
// speech.
func (b *block) quietest(from, to int) int {
	best, least := from, math.Inf(1)
	for f := from; f < to; f++ {
		energy := 1e-9
		for _, v := range b.frame(f) {
			energy += float64(v) * float64(v)
		}
		if weighed := energy * float64(b.probs[f-b.first]); weighed < least {
			best, least = f, weighed
		}
	}
	return best
}

// frame is the samples of a frame: fewer, or none, at the end of the audio.
func (b *block) frame(f int) []float32 {
	from := samplesOf(f - b.first)
	return b.samples[min(from, len(b.samples)):min(from+FrameSamples, len(b.samples))]
}

// take emits a window of all before the given span, and goes on with the rest.
func (c *Cutter) take(blocks, span int) {
	whole, rest := c.blocks[:blocks], c.blocks[blocks:]
	if span > 0 {
		b := rest[0]
		end, start := b.spans[span-1].End, b.spans[span].Start
		middle := (end + start + 1) / 2
		right := &block{first: max(middle, start-pad), spans: append([]Span(nil), b.spans[span:]...)}
		right.samples = append(right.samples, b.samples[samplesOf(right.first-b.first):]...)
		right.probs = append(right.probs, b.probs[right.first-b.first:]...)
		b.spans = b.spans[:span]
		b.trim(b.first, min(end+pad, middle))
		whole = append(append([]*block(nil), whole...), b)
		rest = append([]*block{right}, rest[1:]...)
	}
	var w Window
	for _, b := range whole {
		last := b.spans[len(b.spans)-1].End
		b.trim(b.spans[0].Start-pad, last+pad)
		start := samplesOf(b.first)
		for _, s := range b.spans {
			from := len(w.Samples) + samplesOf(s.Start) - start
			to := min(len(w.Samples)+samplesOf(s.End)-start, len(w.Samples)+len(b.samples))
			w.Speech = append(w.Speech, Span{from, to})
			c.speech += to - from
		}
		w.Samples = append(w.Samples, b.samples...)
		w.Pieces = append(w.Pieces, Span{start, start + len(b.samples)})
	}
	c.blocks = append([]*block(nil), rest...)
	c.emit(w)
}

// End emits what is left, at the end of the audio.
func (c *Cutter) End() {
	if c.open {
		c.closeSpan()
	}
	last := len(c.blocks) - 1
	if len(c.blocks[last].spans) == 0 {
		c.blocks = c.blocks[:last]
	}
	if len(c.blocks) > 0 {
		c.take(len(c.blocks), 0)
	}
}
