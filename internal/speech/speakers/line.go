package speakers

import (
	"math"
	"slices"

	"github.com/dictum/dictum/internal/speech/vad"
)

const (
	// lineBands are how many bands a line has: four mel bands in one.
	lineBands = 20
	perBand   = bins / lineBands
	// Above the telephone's band, which ends in band telephoneBands, fricatives weigh more than the microphone does, and
	// count for less.
	telephoneBands = 15
	highWeight     = 0.6
	// speechBelow is how far below the loudest frames of a stretch, in natural logarithms of power, a frame is still speech.
	speechBelow = 5
	// sureLine is the length, in samples, from which the line of a stretch is taken as it is measured.
	sureLine = second
	// longLine is the length from which the line of a stretch may keep it from being joined with another: single words,
	// digits that are read out one by one, differ more by their phones than telephones do.
	longLine = second * 9 / 5
	// lineWeight is what a squared distance between lines takes off a cosine of voices, and mostLine the most that is taken
	// off: a voice that is surely the same stays the same when the line changes, one that may be two is parted by it.
	lineWeight = 0.4
	mostLine   = 0.35
)

// line is what room, microphone and line do to speech: its mean log spectrum, less the mean of that. The voice has
// little of it, since the spectrum's mean is taken off before the model hears it; two people on two telephones who
// sound alike are told apart by it.
type line [lineBands]float32

// lineOf measures the line over what one voice alone says in a stretch, and says how many samples that is.
func lineOf(f *fbank, samples []float32, s vad.Span, a activity) (l line, alone int) {
	energies := f.extract(samples[s.Start:s.End])
	n := 0
	for t := range len(energies) / bins {
		if !a.severalAt(s.Start + t*hopSamples + frameSamples/2) {
			copy(energies[n*bins:][:bins], energies[t*bins:][:bins])
			n++
		}
	}
	if n == 0 {
		return l, 0
	}
	energies = energies[:n*bins]
	levels := make([]float64, n)
	for t := range levels {
		for _, v := range energies[t*bins:][:bins] {
			levels[t] += float64(v) / bins
		}
	}
	sorted := slices.Sorted(slices.Values(levels))
	floor := sorted[(n-1)*95/100] - speechBelow
	var sums [lineBands]float64
	heard, mean := 0, 0.0
	for t, level := range levels {
		if level < floor {
			continue
		}
		heard++
		mean += level
		for i, v := range energies[t*bins:][:bins] {
			sums[i/perBand] += float64(v) / perBand
		}
	}
	for i := range l {
		l[i] = float32((sums[i] - mean) / float64(heard))
		if i >= telephoneBands {
			l[i] *= highWeight
		}
	}
	return l, n * hopSamples
}

// add adds a multiple of m.
func (l *line) add(m *line, times float32) {
	for i := range l {
		l[i] += times * m[i]
	}
}

// towards returns the line that is by share of the way from mean to l.
func (l *line) towards(mean *line, share float32) line {
	out := *mean
	for i := range out {
		out[i] += share * (l[i] - mean[i])
	}
	return out
}

// distance is the squared distance between two lines.
func (l *line) distance(m *line) float64 {
	sum := 0.0
	for i := range l {
		d := float64(l[i] - m[i])
		sum += d * d
	}
	return sum
}

// cost is what the distance between two lines, times contrast, takes off the similarity of voices.
func (l *line) cost(m *line, contrast float64) float64 {
	return min(mostLine, contrast*lineWeight*l.distance(m)/lineBands)
}

// measured is a line as a stretch has it, and how far that is to be trusted, from 0 to 1.
type measured struct {
	line line
	sure float64
	// long tells that the line was measured over longLine samples or more.
	long bool
}

// certainty is how far the line of so many samples is to be trusted: it errs by the phones that happen to be in them.
func certainty(samples int) float64 { return math.Sqrt(min(1, float64(samples)/sureLine)) }

// trusted is the line, drawn to the mean of all as far as it is not sure.
func (m *measured) trusted(mean *line) line { return m.line.towards(mean, float32(m.sure)) }

// lines are the mean of the lines of stretches, by how sure they are.
type lines struct {
	sum  line
	sure float64
}

func (m *lines) add(l measured) {
	m.sum.add(&l.line, float32(l.sure*l.sure))
	m.sure += l.sure * l.sure
}

func (m *lines) mean() line {
	var mean line
	if m.sure > 0 {
		mean.add(&m.sum, float32(1/m.sure))
	}
	return mean
}
