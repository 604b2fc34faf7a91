package live

import (
	"context"
	"slices"
	"strings"

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
	cadence = second * 3 / 20
	// Long utterances end at a short pause from longish on, and at the quietest place of the last half when long.
	longish    = second * 8
	long       = second * 12
	shortPause = second * 12 / 100
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
	decoded int // the place up to which the last text was made
	hushed  int // lastEnd for which guess was made in the pause after it
	guess   Hypothesis
	draft   []int // the last one of the utterance
	told    int   // the place before which finals have been given

	language  string
	languages []speech.LanguageScore
}

func (h *hearing) place() int { return h.base + len(h.audio) }

// hear takes in audio.
func (h *hearing) hear(ctx context.Context, samples []float32) error {
	h.rest = append(h.rest, samples...)
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
			h.lastEnd = h.place()
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
		h.number++
		h.text, h.draft = settled{stability: h.options.Settings.Stability}, nil
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
	if h.speaking && h.place()-h.lastEnd < hush && h.place()-max(h.decoded, h.start) >= cadence {
		return h.partial(ctx, h.place(), false)
	}
	return nil
}

// partial tells what has been said so far.
func (h *hearing) partial(ctx context.Context, end int, urgent bool) error {
	h.decoded = end
	u := h.utterance(end)
	u.Final = urgent
	if !urgent { // what may become a final does not depend on the partials before
		u.Draft = h.draft
	}
	if spoken(u) < least {
		return nil
	}
	guess, err := h.options.Recognizer.Recognize(ctx, u)
	if err != nil {
		return err
	}
	h.guess = guess
	if guess.Draft != nil {
		h.draft = guess.Draft
	}
	if !guess.Credible || len(guess.Items) == 0 {
		return nil
	}
	h.text.hear(shifted(guess.Items, h.start))
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

// cut ends an utterance within speech, at the quietest place of its last half, and goes on with the rest.
func (h *hearing) cut(ctx context.Context) error {
	from, to := ((h.start+h.place())/2-h.base)/frame, len(h.probs)-firstFrames
	quiet := from
	for i := from; i < to; i++ {
		if h.probs[i] < h.probs[quiet] {
			quiet = i
		}
	}
	end := h.base + (quiet+1)*frame
	if err := h.final(ctx, end); err != nil {
		return err
	}
	h.start, h.told, h.decoded, h.hushed = end, end, end, 0
	h.number++
	h.text, h.draft = settled{stability: h.options.Settings.Stability}, nil
	h.forget(end)
	return nil
}

// final gives the final of the utterance up to a place, if anything has been said.
func (h *hearing) final(ctx context.Context, end int) error {
	u := h.utterance(end)
	u.Final = true
	var guess Hypothesis
	if h.hushed == h.lastEnd && h.guess.Best {
		guess = h.guess // nothing has been said since
	} else if spoken(u) >= least {
		var err error
		if guess, err = h.options.Recognizer.Recognize(ctx, u); err != nil {
			return err
		}
	}
	if !guess.Credible || len(guess.Items) == 0 {
		// What was told stays told.
		if len(h.text.items) == 0 {
			return nil
		}
		guess.Items = h.text.items
	} else {
		guess.Items = h.text.last(shifted(guess.Items, h.start))
	}
	var speakers []int
	if h.options.Labeler != nil {
		var err error
		if speakers, err = h.options.Labeler.Label(ctx, h.start, u, guess.Items); err != nil {
			return err
		}
	}
	h.text.items = guess.Items
	return h.tell(end, guess, false, speakers)
}

// tell gives a result.
func (h *hearing) tell(end int, guess Hypothesis, partial bool, speakers []int) error {
	if h.options.Settings.Language == "" && len(guess.Languages) > 0 {
		h.languages = guess.Languages
		// One language is settled by the first final; several are found anew.
		if h.language = guess.Languages[0].Language; partial || h.options.Settings.MultipleLanguages {
			defer func() { h.language = "" }()
		}
	}
	r := speech.LiveResult{Number: h.number, Partial: partial, Speakers: speakers}
	r.Segment = speech.Segment{Start: at(h.start), End: at(end), Language: h.spoken(), Items: slices.Clone(h.text.items)}
	if h.options.Settings.Language == "" {
		r.Languages = h.languages
	}
	words := slices.DeleteFunc(slices.Clone(r.Segment.Items), func(i speech.Item) bool { return i.Kind != speech.Word })
	if len(words) > 0 {
		r.Segment.Start, r.Segment.End = min(words[0].Start, at(h.lastEnd)), words[len(words)-1].End
	}
	r.Stable = h.text.stable
	if !partial {
		r.Stable = len(r.Segment.Items)
		if len(speakers) > 0 {
			r.Segment.Speaker = speakers[0]
		}
	}
	return h.emit(r)
}

// spoken is the language of what is being said, as far as it is known.
func (h *hearing) spoken() string {
	if h.options.Settings.Language != "" {
		return h.options.Settings.Language
	}
	return h.language
}

// utterance is the open one up to a place.
func (h *hearing) utterance(end int) Utterance {
	u := Utterance{
		Samples: h.audio[h.start-h.base : end-h.base], Language: h.spoken(),
		Candidates: h.options.Settings.LanguageCandidates,
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

// spoken is how much speech there is in an utterance, in samples.
func spoken(u Utterance) int {
	n := 0
	for _, s := range u.Speech {
		n += s.Len()
	}
	return n
}

// end hears the end of the audio.
func (h *hearing) end(ctx context.Context) error {
	if len(h.rest) > 0 {
		if err := h.hear(ctx, make([]float32, frame-len(h.rest))); err != nil {
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
