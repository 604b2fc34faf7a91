package engine

import (
	"bytes"
	"compress/zlib"
	"slices"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/whisper"
)

// When text is decoded again, or thrown away (arXiv 2212.04356 §4.5).
const (
	// maxCompression is the largest ratio by which credible text can be compressed; text
	// in circles compresses better.
	maxCompression = 2.4
	// minLogProb is the least mean log probability of credible tokens.
	minLogProb = -1.0
	// maxNoSpeech is the probability of "no speech" above which uncertain text is taken
	// for invented.
	maxNoSpeech = 0.6
	// hopeless is the mean log probability below which text is thrown away when every
	// attempt has failed.
	hopeless = -1.6
)

// A window whose greedy text has a mean log probability below unsure is searched again with
// beamWidth hypotheses: half of the windows of telephone prompts, a tenth of those of studio readings. Word
// errors of 462 prompts fell from 14.8 to 13.7 % in French and from 14.9 to 13.2 % in Italian.
const (
	unsure    = -0.15
	beamWidth = 4
)

// temperatures are tried one after another.
var temperatures = []float64{0, 0.2, 0.4, 0.6, 0.8, 1}

// Encoder frames that are given to a window: its length and a margin of silence, at
// least minPositions. Of 467 prompts of mostly 2 to 10 s, decoded so, none went round in
// circles that the second attempt did not mend; errors were 16.1 % against 15.6 % with
// 30 s in French and 14.2 % against 15.0 % in Italian, which is noise, and the encoder
// takes a quarter of the time. A quick text, which another follows, is made of at least
// quickPositions: finals of four French streams came after 1.6 instead of 2.2 s (95 %).
const (
	minPositions    = 10 * whisper.PositionsPerSecond
	quickPositions  = 6 * whisper.PositionsPerSecond
	marginPositions = 1 * whisper.PositionsPerSecond
)

// positions is how many encoder frames the window gets in this attempt. The time of the
// encoder grows with them. The first attempt is made on as many as the window needs; the
// others on the 30 s that the model was trained on.
func (t *task) positions(m *whisper.Model) int {
	full := m.FullPositions()
	if t.attempt > 0 {
		return full
	}
	least := minPositions
	if t.quick {
		least = quickPositions
	}
	return min(full, max(least, t.length()*whisper.PositionsPerSecond/speech.SampleRate+marginPositions))
}

// length is the window's number of samples.
func (t *task) length() int {
	n := 0
	for _, p := range t.window.Pieces {
		n += p.Len()
	}
	return n
}

// decoding is how the window is decoded in this attempt.
func (t *task) decoding() whisper.Task {
	if t.identify {
		return whisper.Task{}
	}
	d := whisper.Task{
		Language:  t.language,
		MaxTokens: 32 + t.length()*tokensPerSecond/speech.SampleRate,
	}
	if d.Temperature = temperatures[max(0, t.attempt-1)]; d.Temperature > 0 {
		d.Seed = t.features.Seed()
	}
	return d
}

// tokensPerSecond is more than anyone speaks: English has 3 to 5, scripts that take
// several tokens a character up to 15.
const tokensPerSecond = 20

// searches tells that the first attempt found a credible text, and that a search may better it or is to find others.
func (t *task) searches(m *whisper.Model) bool {
	return t.attempt == 0 && len(t.row.Tokens()) > 0 && (t.row.MeanLogProb() < unsure || t.job.alternatives > 0) && credible(m, t.row)
}

// width is the number of hypotheses of the search.
func (t *task) width(capacity int) int {
	return min(max(beamWidth, t.job.alternatives), capacity)
}

// better is what the search found, or the greedy text if that is more probable. The other texts stay in t.others when
// alternatives are wanted, the most probable first.
func (t *task) better() *whisper.Row {
	rows := slices.DeleteFunc(slices.Clone(t.beam.Hypotheses()), func(r *whisper.Row) bool { return r.Looping() || r.Full() })
	t.beam = nil
	if len(rows) == 0 || rows[0].MeanLogProb() < t.greedy.MeanLogProb() {
		rows = slices.Insert(rows, 0, t.greedy)
	}
	if t.job.alternatives > 0 {
		t.others = rows[1:]
	}
	return rows[0]
}

// retry looks at what was decoded. It returns true when the window is to be decoded
// again, and has then prepared the next attempt; else t.row is what to use, nil when the
// window has no speech.
func (t *task) retry(m *whisper.Model) bool {
	row := t.row
	if row.NoSpeech() > maxNoSpeech && row.MeanLogProb() < minLogProb {
		t.row = nil
		return false
	}
	if credible(m, row) {
		return false
	}
	if t.best == nil || row.Looping() == t.best.Looping() && row.MeanLogProb() > t.best.MeanLogProb() ||
		t.best.Looping() && !row.Looping() {
		t.best = row
	}
	if t.attempt == 0 && t.encoding.Positions() == m.FullPositions() {
		t.attempt = 1
	}
	t.attempt++
	if t.attempt == 1 {
		t.encoding.Release()
		t.encoding = nil
		t.best = nil // its queries belong to the other encoding
		return true
	}
	if t.attempt <= len(temperatures) {
		return true
	}
	t.row = t.best
	if t.row.Looping() || t.row.MeanLogProb() < hopeless {
		t.row = nil
	}
	return false
}

// credible reports whether decoded text may be what was said.
func credible(m *whisper.Model, row *whisper.Row) bool {
	if row.Looping() || row.Full() || row.MeanLogProb() < minLogProb {
		return false
	}
	return compression(m.Tokenizer().Text(row.Tokens())) <= maxCompression
}

// compression is by how much zlib makes a text smaller.
func compression(text string) float64 {
	if text == "" {
		return 1
	}
	var small bytes.Buffer
	w := zlib.NewWriter(&small)
	_, _ = w.Write([]byte(text)) // to memory: cannot fail
	_ = w.Close()
	return float64(len(text)) / float64(small.Len())
}
