// Package speakers tells who spoke when: it takes speech as voice activity detection cuts
// it, window by window, and gives turns of numbered speakers and a speaker for each word.
// It knows nothing of how many there are until it has heard them, and nothing of AWS.
//
// Each window goes through pyannote's segmentation model, which says where one voice gives
// way to another and where two talk at once, and through the convolutions of WeSpeaker's
// ResNet34 (arXiv 2210.17016), once: embeddings of overlapping stretches of 1.5 s are pooled
// from that one run. The embeddings are clustered by average linkage, together with the
// spectrum of the line that each is heard over. The number of clusters is that of speakers,
// and Viterbi's algorithm then gives each stretch to the speaker it is most like, with a
// cost for changes. Start reading at Diarizer.
package speakers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models/spec"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/vad"
)

// Model is the speaker models in memory, shared by any number of diarizers. It is safe for
// concurrent use.
type Model struct {
	trunk, head, segmentation *inference.Session
	fbank                     func() *fbank
}

// Open loads the model in the folder dir (models.Speakers). Runs use so many threads, one
// when zero. The inference runtime must have been initialised. The caller closes it.
func Open(dir string, threads int) (*Model, error) {
	m := &Model{fbank: newFbank}
	for _, part := range []struct {
		session    **inference.Session
		file       string
		in, out    string
		threads    int
		outputDims int
	}{
		{&m.trunk, spec.SpeakerTrunk, "fbank", "features", threads, 4},
		{&m.head, spec.SpeakerHead, "statistics", "embedding", 1, 2},
		{&m.segmentation, spec.SpeakerSegmentation, "waveforms", "segmentation", 1, 3},
	} {
		s, err := inference.Open(filepath.Join(dir, part.file), inference.Options{Threads: part.threads})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("load speaker model: %w", err), m.Close())
		}
		*part.session = s
		if s.Input(part.in) != 0 || s.Output(part.out) != 0 || len(s.Inputs()) != 1 || len(s.Outputs()) != 1 ||
			len(s.Outputs()[0].Shape) != part.outputDims {
			return nil, errors.Join(fmt.Errorf("load speaker model: %s has other inputs or outputs", part.file), m.Close())
		}
	}
	return m, nil
}

// Close frees the model; its diarizers must not be used afterwards.
func (m *Model) Close() error {
	var errs []error
	for _, s := range []*inference.Session{m.trunk, m.head, m.segmentation} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Options says what is known of the speakers.
type Options struct {
	// MaxSpeakers is the largest number of speakers to tell apart, at most 255; zero means
	// DefaultMaxSpeakers. Fewer are found where fewer speak.
	MaxSpeakers int
}

// DefaultMaxSpeakers is the bound where none is given.
const DefaultMaxSpeakers = 10

// Turn is a stretch of time in which one speaker talks.
type Turn struct {
	// Start and End are offsets from the start of the audio.
	Start, End time.Duration
	// Speaker is a number from 0 on, in order of first appearance.
	Speaker int
}

// Diarizer tells the speakers of one run of audio apart. Feed it with Add, and ask for
// Turns when it is wanted, at the end or as often as you like. It keeps about 1.2 KB for
// each half second of speech and no audio. It belongs to one goroutine.
type Diarizer struct {
	model *Model
	fbank *fbank
	limit int

	windows  []window
	overlaps []crossing
	stretch  int   // the number of the last stretch of speech
	lines    lines // of all stretches
	heard    int   // how far windows have reached, in samples of the audio
	// frozen are clusters of windows before the open block, and homes says which of them
	// each such window is in.
	frozen []cluster
	homes  []int
	// given are the speakers that the last Turns gave the windows of then, and voices how
	// many numbers it has given out.
	given  []int
	voices int
}

// window is a stretch of about a second and a half with its embedding.
type window struct {
	voice    vector
	measured // the line of the window's stretch
	// start and end are the part of the audio that the window decides, in samples; the
	// windows of a stretch overlap, these parts do not.
	start, end int
	stretch    int
	// weak marks a window too short or too faint to make a speaker of its own.
	weak bool
}

// NewDiarizer starts at the beginning of some audio.
func (m *Model) NewDiarizer(options Options) (*Diarizer, error) {
	if options.MaxSpeakers == 0 {
		options.MaxSpeakers = DefaultMaxSpeakers
	}
	if options.MaxSpeakers < 1 || options.MaxSpeakers > 255 {
		return nil, fmt.Errorf("tell %d speakers apart: from 1 to 255 can be", options.MaxSpeakers)
	}
	return &Diarizer{model: m, fbank: m.fbank(), limit: options.MaxSpeakers}, nil
}

// Add hears the next window of speech. Windows come in order and do not overlap. It
// returns the context's error or that of the runtime, and has then changed nothing.
func (d *Diarizer) Add(ctx context.Context, w vad.Window) error {
	activity, err := d.model.segment(ctx, w.Samples)
	if err != nil {
		return fmt.Errorf("find changes of speaker: %w", err)
	}
	pieces := cut(w, activity)
	voices, lines, err := d.model.embed(ctx, d.fbank, w.Samples, pieces, activity)
	if err != nil {
		return fmt.Errorf("recognise voices: %w", err)
	}
	last := -1
	for i, p := range pieces {
		if p.stretch != last {
			d.stretch, last = d.stretch+1, p.stretch
			d.lines.add(lines[i])
		}
		d.windows = append(d.windows, window{
			voice: voices[i], measured: lines[i], start: w.Source(p.core.Start, false), end: w.Source(p.core.End, true),
			stretch: d.stretch, weak: p.faint || p.span.Len() < minVoice,
		})
	}
	d.overlaps = append(d.overlaps, activity.crossings(&w)...)
	d.heard = w.Source(len(w.Samples), true)
	d.freeze()
	return nil
}

const (
	// joinCosine is the least mean similarity at which two clusters are one speaker: voices of one have a mean cosine of
	// 0.5 to 0.7, less in noise, those of two one below 0.3. The lines' difference comes off.
	joinCosine = 0.24
	// blockWindows is how many windows are clustered together; the clusters of earlier
	// blocks stay together from then on. Pairs of windows cost time and memory, and two
	// hours have 14,000 windows.
	blockWindows = 600
	// A speaker has at least minShare of the windows, but never needs more than enough.
	minShare      = 0.06
	minWindows    = 2
	enoughWindows = 12
)

// freeze clusters full blocks once and for all.
func (d *Diarizer) freeze() {
	for len(d.windows)-len(d.homes) >= 2*blockWindows {
		block := d.windows[len(d.homes):][:blockWindows]
		members := d.singles(block)
		labels := agglomerate(members, joinCosine, len(block))
		d.frozen = append(d.frozen, gather(members, labels)...)
		base := len(d.frozen) - slices.Max(labels) - 1
		for _, l := range labels {
			d.homes = append(d.homes, base+l)
		}
	}
}

// singles makes a cluster of each window.
func (d *Diarizer) singles(windows []window) []cluster {
	cs, mean := make([]cluster, len(windows)), d.lines.mean()
	lengths := make(map[int]float64) // of stretches, in windows
	for i := range windows {
		lengths[windows[i].stretch]++
	}
	for i := range windows {
		w := &windows[i]
		l := w.trusted(&mean)
		cs[i] = cluster{
			sum: w.voice, line: l, count: 1, long: w.long,
			squares: l.distance(&line{}), stretches: w.sure * w.sure / lengths[w.stretch],
		}
	}
	return cs
}

// Turns are all turns so far, in order and without overlap. Speakers keep the numbers that
// an earlier call gave them, as far as they are still held to be different people.
func (d *Diarizer) Turns() []Turn {
	labels := d.speakers()
	var turns []Turn
	for i, w := range d.windows {
		start, end := duration(w.start), duration(w.end)
		last := len(turns) - 1
		if last >= 0 && turns[last].Speaker == labels[i] && start-turns[last].End < joinPause {
			turns[last].End = max(turns[last].End, end)
			continue
		}
		if last >= 0 {
			start = max(start, turns[last].End)
		}
		if end > start {
			turns = append(turns, Turn{Start: start, End: end, Speaker: labels[i]})
		}
	}
	widen(turns, duration(d.heard))
	return turns
}

// breath is what a turn has before and after what voice activity detection hears: on recorded prompts it halves the
// speech that is missed.
const breath = 190 * time.Millisecond

// widen gives turns a breath at both ends, up to the middle of the pause between two and to the end of what was heard.
func widen(turns []Turn, end time.Duration) {
	for i := range turns {
		t := &turns[i]
		if i == 0 {
			t.Start = max(0, t.Start-breath)
		}
		if i+1 == len(turns) {
			t.End = max(t.End, min(t.End+breath, end))
			continue
		}
		next := &turns[i+1]
		room := min(breath, (next.Start-t.End)/2)
		t.End, next.Start = t.End+room, next.Start-room
	}
}

// joinPause is the longest pause within a turn, as long as nobody else speaks.
const joinPause = 2 * time.Second

// speakers gives each window its speaker.
func (d *Diarizer) speakers() []int {
	if len(d.windows) == 0 {
		return nil
	}
	mean, single := d.lines.mean(), d.singles(d.windows)
	joined, least := d.count()
	labels := resegment(d.windows, mean, contrast(variance(joined)), centroids(joined))
	// Once more with what speakers have said by that: short windows, which make no speakers, now count.
	all := slices.DeleteFunc(gather(single, labels), func(c cluster) bool { return c.count == 0 })
	all = merge(frequent(all, least))
	labels = resegment(d.windows, mean, contrast(variance(all)), centroids(all))
	d.given, d.voices = keepNumbers(labels, d.given, d.voices)
	return d.given
}

// count clusters all windows and returns the speakers, and how many windows one has at least.
func (d *Diarizer) count() (joined []cluster, least int) {
	// The first clusters are those of frozen blocks, then come the windows of the open one.
	clusters := slices.Clone(d.frozen)
	stretches := make([]int, len(clusters))
	for i := range stretches {
		stretches[i] = -1 - i
	}
	for i, c := range d.singles(d.windows[len(d.homes):]) {
		if w := &d.windows[len(d.homes)+i]; !w.weak {
			clusters, stretches = append(clusters, c), append(stretches, w.stretch)
		}
	}
	if len(clusters) == 0 { // nothing but short sounds: one speaker, until more is heard
		return gather(d.singles(d.windows), make([]int, len(d.windows))), 0
	}
	total := 0
	for _, c := range clusters {
		total += c.count
	}
	least = min(max(minWindows, int(minShare*float64(total))), enoughWindows)
	labels := agglomerate(clusters, joinCosine, len(clusters))
	joined = gather(clusters, labels)
	// Twice: what was a straggler's goes to whom it is most like, and moves the centroid.
	for range 2 {
		cs := centroids(frequent(joined, least))
		for i := range clusters {
			labels[i] = closest(&clusters[i], cs)
		}
		joined = slices.DeleteFunc(gather(clusters, labels), func(c cluster) bool { return c.count == 0 })
	}
	joined = slices.DeleteFunc(gather(clusters, part(clusters, stretches, labels)), func(c cluster) bool { return c.count == 0 })
	if len(joined) > d.limit {
		joined = gather(joined, agglomerate(joined, joinCosine, d.limit))
	}
	return joined, least
}

// frequent are the clusters of so many windows at least, or else the largest.
func frequent(clusters []cluster, least int) []cluster {
	kept := slices.DeleteFunc(slices.Clone(clusters), func(c cluster) bool { return c.count < least })
	if len(kept) == 0 {
		kept = []cluster{slices.MaxFunc(clusters, func(a, b cluster) int { return a.count - b.count })}
	}
	return kept
}

// keepNumbers turns labels into speakers' numbers: each keeps the number that most of its
// windows were given before, and others are numbered on in order of appearance.
func keepNumbers(labels, given []int, voices int) ([]int, int) {
	type pair struct{ label, number int }
	votes := make(map[pair]int)
	for i, n := range given {
		votes[pair{labels[i], n}]++
	}
	numbers, taken := make(map[int]int), make(map[int]bool)
	for len(votes) > 0 {
		var best pair
		most := 0
		for p, n := range votes {
			if n > most || n == most && (p.number < best.number || p.number == best.number && p.label < best.label) {
				best, most = p, n
			}
		}
		delete(votes, best)
		if _, ok := numbers[best.label]; !ok && !taken[best.number] {
			numbers[best.label], taken[best.number] = best.number, true
		}
	}
	out := make([]int, len(labels))
	for i, l := range labels {
		if _, ok := numbers[l]; !ok {
			numbers[l] = voices
			voices++
		}
		out[i] = numbers[l]
	}
	return out, voices
}

// duration is the length of so many samples.
func duration(samples int) time.Duration {
	return time.Duration(samples) * time.Second / speech.SampleRate
}
