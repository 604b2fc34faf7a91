package live

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/vad"
)

// When speech begins and ends, in probabilities of voice activity and samples.
const (
	second = speech.SampleRate
	frame  = vad.FrameSamples
	// Speech begins when so many frames in a row are above begins, and goes on while they are above goesOn.
	begins      = 0.5
	goesOn      = 0.35
	firstFrames = 3
	// lead and tail are what is taken before and after what is found, since words begin and end softly.
	lead = second * 3 / 10
	tail = second / 5
	// An utterance ends after a pause, which is shorter when the text ends a sentence.
	pause         = second * 45 / 100
	sentencePause = second * 30 / 100
	// hush is the pause after which the text is made that a final will have, if nothing more is said.
	hush = second * 15 / 100
	// cadence is how much new audio there is between two partial results, when there is time for more.
	cadence = second * 9 / 100
	// Long utterances end at a short pause from longish on, and at the quietest place of the last half when long.
	longish    = second * 8
	long       = second * 12
	shortPause = second * 12 / 100
	// An utterance that is cut within speech is cut after cutFrom. Words settle only up to settleGap before that: their
	// times are not exact, and what has settled is not said again in the next utterance.
	cutFrom   = second * 9
	settleGap = second / 2
	// slowCadence is the least cadence where recognition is costly; it is also slowness times as long as that takes, and
	// twice that when it takes longer than unhurried, since others are waiting then: finals, too, wait for what has begun.
	slowCadence = second * 2 / 5
	slowness    = 1.5
	unhurried   = 400 * time.Millisecond
	// What was said before helps while no more than recent lies between, and both are not longer than remembered.
	recent     = second * 3 / 2
	remembered = second * 10
	// least is the least speech that anything is made of.
	least = second / 5
)

// hearing is the state of a session: the audio from the beginning of the open utterance on, and what is known of it.
type hearing struct {
	stream  *vad.Stream
	options Options
	emit    func(speech.LiveResult) error

	rest  []float32 // less than a frame, not yet heard
	base  int       // the place of audio[0]
	audio []float32
	probs []float32 // of each frame of audio

	speaking bool
	run      int // frames in a row above begins
	start    int // of the utterance
	lastEnd  int // of the last frame with speech

	number  int
	text    settled
	decoded int  // the place up to which the last text was made
	leftOut bool // the last partial was
	hushed  int  // lastEnd for which guess was made in the pause after it
	guess   Hypothesis
	draft   Draft // the last one of the utterance
	told    int   // the place before which finals have been given

	// context is that of the last final, which ended at told.
	context Context

	language  string
	languages []speech.LanguageScore

	since   time.Time     // of the last text
	cost    time.Duration // of the last partial, where recognition is costly
	came    time.Time     // when what is being heard came
	endCame time.Time     // when lastEnd did
	better  *better       // the text that is being made of the pause
	making  sync.WaitGroup
}

func (h *hearing) place() int { return h.base + len(h.audio) }

// hear takes in audio.
func (h *hearing) hear(ctx context.Context, p piece) error {
	h.came = p.came
	h.rest = append(h.rest, p.samples...)
	for len(h.rest) >= frame {
		n := min(len(h.rest), vad.ChunkSamples) / frame * frame
		probs, err := h.stream.Detect(ctx, h.rest[:n])
		if err != nil {
			return err
		}
		for i, p := range probs {
			h.audio = append(h.audio, h.rest[i*frame:][:frame]...)
			h.probs = append(h.probs, p)
			h.notice(p)
			// Pauses are acted on where they are, however much audio has come since: the same audio has the same finals.
			if err := h.pause(ctx); err != nil {
				return err
			}
		}
		h.rest = append(h.rest[:0], h.rest[n:]...)
	}
	if !h.speaking {
		h.forget(h.place() - lead - firstFrames*frame)
	}
	return nil
}

// notice moves on by a frame.
func (h *hearing) notice(p float32) {
	if h.speaking {
		if p >= goesOn {
			h.lastEnd, h.endCame = h.place(), h.came
			h.drop()
		}
		return
	}
	if p < begins {
		h.run = 0
		return
	}
	if h.run++; h.run >= firstFrames {
		h.speaking, h.run = true, 0
		h.start = max(h.base, h.told, h.place()-firstFrames*frame-lead)
		h.lastEnd, h.decoded, h.hushed = h.place(), h.start, 0
		h.endCame, h.cost = h.came, 0
		h.number++
		h.text, h.draft = settled{stability: h.options.Settings.Stability}, Draft{}
	}
}

// forget drops audio before a place.
func (h *hearing) forget(place int) {
	frames := (place - h.base) / frame
	if frames <= 0 {
		return
	}
	h.audio = slices.Delete(h.audio, 0, frames*frame)
	h.probs = slices.Delete(h.probs, 0, frames)
	h.base += frames * frame
}

// pause ends the utterance when the speaker has paused for long enough, or talked for too long, and makes the text that
// a final will have when the pause has just begun.
func (h *hearing) pause(ctx context.Context) error {
	if !h.speaking {
		return nil
	}
	silence, length := h.place()-h.lastEnd, h.place()-h.start
	needed := pause
	if h.hushed == h.lastEnd && h.text.sentence() {
		needed = sentencePause
	}
	switch {
	case silence >= needed, length >= longish && silence >= shortPause:
		return h.finish(ctx, min(h.place(), h.lastEnd+tail))
	case length >= long:
		return h.cut(ctx)
	case silence >= hush && h.hushed != h.lastEnd:
		h.hushed, h.guess = h.lastEnd, Hypothesis{}
		// It is urgent as a final is: it will be one.
		return h.partial(ctx, min(h.place(), h.lastEnd+tail), true)
	}
	return nil
}

// recognise makes a partial result when one is due.
func (h *hearing) recognise(ctx context.Context) error {
	due := cadence
	if h.cost > 0 {
		due = max(slowCadence, int(slowness*h.cost.Seconds()*second))
		if h.cost > unhurried {
			due *= 2
		}
	}
	again := h.leftOut
	h.leftOut = false
	if h.speaking && h.place()-h.lastEnd < hush && (again || h.place()-max(h.decoded, h.start) >= due) {
		return h.partial(ctx, h.place(), false)
	}
	return nil
}

// partial tells what has been said so far. In a pause the text may become that of the final.
func (h *hearing) partial(ctx context.Context, end int, pause bool) error {
	h.decoded = end
	u := h.utterance(end)
	if u.Final = pause; !pause { // what may become a final does not depend on the partials before
		u.Draft = h.draft
	}
	if u.Spoken() < least {
		return nil
	}
	began := time.Now()
	guess, err := h.options.Recognizer.Recognize(ctx, u)
	if err != nil {
		return err
	}
	if h.cost = 0; guess.Costly {
		h.cost = time.Since(began)
	}
	if h.guess, h.leftOut = guess, guess.LeftOut; !guess.LeftOut {
		h.since, h.draft = began, guess.Draft
	}
	if !guess.Credible || len(guess.Items) == 0 {
		return nil
	}
	if pause {
		h.improve(ctx, guess)
	}
	settles := at(h.start + cutFrom - settleGap)
	if guess.Unsure {
		settles = 0
	}
	h.text.hear(shifted(guess.Items, h.start), settles)
	return h.tell(end, guess, true, nil)
}

// finish ends the utterance.
func (h *hearing) finish(ctx context.Context, end int) error {
	if err := h.final(ctx, end); err != nil {
		return err
	}
	h.speaking, h.told = false, end
	return nil
}

// cut ends an utterance within speech, at the quietest place of its end, and goes on with the rest.
func (h *hearing) cut(ctx context.Context) error {
	end := h.base + (h.quietest((h.start+cutFrom-h.base)/frame, len(h.probs)-firstFrames)+1)*frame
	if err := h.final(ctx, end); err != nil {
		return err
	}
	h.start, h.told, h.decoded, h.hushed = end, end, end, 0
	h.number++
	h.text, h.draft = settled{stability: h.options.Settings.Stability}, Draft{}
	h.forget(end)
	return nil
}

// quietest is the frame among from … to-1 around which there is least sound that may be speech.
func (h *hearing) quietest(from, to int) int {
	best, least := from, math.Inf(1)
	for f := max(1, from); f < to; f++ {
		sum := 1e-9
		for _, v := range h.audio[(f-1)*frame : (f+2)*frame] {
			sum += float64(v) * float64(v)
		}
		if sum *= float64(h.probs[f]); sum < least {
			best, least = f, sum
		}
	}
	return best
}

// final gives the final of the utterance up to a place, if anything has been said.
func (h *hearing) final(ctx context.Context, end int) error {
	u := h.utterance(end)
	u.Final = true
	var guess Hypothesis
	if h.hushed == h.lastEnd && h.guess.Best {
		guess = h.guess // nothing has been said since
	} else if u.Spoken() >= least {
		var err error
		if guess, err = h.options.Recognizer.Recognize(ctx, u); err != nil {
			return err
		}
	}
	refined := false
	if !guess.Credible || len(guess.Items) == 0 {
		h.drop()
		// What was told stays told.
		if len(h.text.items) == 0 {
			return nil
		}
		guess.Items, guess.Context = h.text.items, Context{}
	} else {
		guess, refined = h.improved(ctx, guess)
		guess.Items = h.text.last(shifted(guess.Items, h.start))
	}
	var speakers []int
	if h.options.Labeler != nil {
		var err error
		if speakers, err = h.options.Labeler.Label(ctx, h.start, u, guess.Items); err != nil {
			return err
		}
	}
	h.context = guess.Context
	h.text.items = guess.Items
	if err := h.tell(end, guess, false, speakers); err != nil {
		return err
	}
	if h.options.Told != nil {
		h.options.Told(Report{Speech: at(end - h.start), Refined: refined, Delay: time.Since(h.endCame)})
	}
	return nil
}

// tell gives a result.
func (h *hearing) tell(end int, guess Hypothesis, partial bool, speakers []int) error {
	if guess.Language != "" {
		h.language, h.languages = guess.Language, guess.Languages
	}
	r := speech.LiveResult{Number: h.number, Partial: partial, Speakers: speakers, Stable: h.text.stable}
	r.Segment = speech.Segment{Start: at(h.start), End: at(end), Language: h.language, Items: slices.Clone(h.text.items)}
	if h.options.Settings.Language == "" {
		r.Languages = h.languages
	}
	inOrder(r.Segment.Items, at(h.start), at(end))
	words := slices.DeleteFunc(slices.Clone(r.Segment.Items), func(i speech.Item) bool { return i.Kind != speech.Word })
	if len(words) > 0 {
		r.Segment.Start, r.Segment.End = words[0].Start, words[len(words)-1].End
	}
	if !partial {
		r.Stable = len(r.Segment.Items)
		if len(speakers) > 0 {
			r.Segment.Speaker = speakers[0]
		}
	} else if h.options.Told != nil {
		h.options.Told(Report{Partial: true})
	}
	return h.emit(r)
}

// utterance is the open one up to a place.
func (h *hearing) utterance(end int) Utterance {
	u := Utterance{
		Start: h.start, Samples: h.audio[h.start-h.base : end-h.base], Since: h.since,
	}
	if h.start-h.told <= recent && len(h.context.Samples)+len(u.Samples) <= remembered {
		u.Before = h.context
	}
	for i := (h.start - h.base) / frame; i*frame < end-h.base; i++ {
		if h.probs[i] < goesOn {
			continue
		}
		from, to := max(0, i*frame-(h.start-h.base)), min(len(u.Samples), (i+1)*frame-(h.start-h.base))
		if n := len(u.Speech); n > 0 && u.Speech[n-1].End >= from {
			u.Speech[n-1].End = to
		} else {
			u.Speech = append(u.Speech, vad.Span{Start: from, End: to})
		}
	}
	return u
}

// end hears the end of the audio.
func (h *hearing) end(ctx context.Context) error {
	if len(h.rest) > 0 {
		if err := h.hear(ctx, piece{make([]float32, frame-len(h.rest)), time.Now()}); err != nil {
			return err
		}
	}
	if !h.speaking {
		return nil
	}
	return h.finish(ctx, min(h.place(), h.lastEnd+tail))
}

func shifted(items []speech.Item, by int) []speech.Item {
	out := slices.Clone(items)
	for i := range out {
		if out[i].Kind == speech.Word {
			out[i].Start += at(by)
			out[i].End += at(by)
		}
	}
	return out
}

// sentenceEnds are the marks that end a sentence.
const sentenceEnds = ".?!。？！"

func endsSentence(i speech.Item) bool {
	return i.Kind == speech.Punctuation && strings.Contains(sentenceEnds, i.Text)
}
