package whisper

import (
	"math"
	"sync"

	"github.com/dictum/dictum/internal/speech"
)

const (
	// HopSamples is the distance between two feature frames, 10 ms.
	HopSamples = 160
	// FramesPerSecond is the rate of feature frames.
	FramesPerSecond = speech.SampleRate / HopSamples
	// WindowFrames is the number of feature frames of the 30 s a Whisper model was
	// trained on, and the most it takes at once.
	WindowFrames = 30 * FramesPerSecond
)

// Mel computes the log-mel spectrogram that Whisper reads: 25 ms Hann windows every
// 10 ms, mel bands of Slaney's scale, log10 clamped to 8 below the window's maximum, and
// scaled to about [-1, 1] (arXiv 2212.04356 §2.2). It is safe for concurrent use.
type Mel struct {
	bins    int
	fft     *fft
	hann    [fftSize]float32
	filters []melFilter
	scratch sync.Pool
}

// melFilter is one triangular band: weights for the spectrum's bins from first on.
type melFilter struct {
	first   int
	weights []float32
}

type melScratch struct {
	fft     fftBuffer
	samples []float32
}

// NewMel prepares features of the given number of mel bands: 80 for most models, 128 for
// large-v3.
func NewMel(bins int) *Mel {
	m := &Mel{bins: bins, fft: newFFT(), filters: melFilters(bins)}
	for i := range m.hann {
		m.hann[i] = float32(0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/fftSize))
	}
	m.scratch.New = func() any { return new(melScratch) }
	return m
}

// Bins is the number of mel bands.
func (m *Mel) Bins() int { return m.bins }

// Extract writes the features of the samples, followed by silence up to the given number
// of frames, to dst: bins rows of frames values. Samples past the last frame are ignored.
func (m *Mel) Extract(dst []float32, samples []float32, frames int) {
	total := frames * HopSamples
	samples = samples[:min(len(samples), total)]
	scratch := m.scratch.Get().(*melScratch)
	defer m.scratch.Put(scratch)

	// Frame t is centred on sample t·hop; half a window before the start is mirrored.
	const half = fftSize / 2
	if cap(scratch.samples) < total+2*fftSize {
		scratch.samples = make([]float32, total+2*fftSize)
	}
	padded := scratch.samples[:total+2*fftSize]
	clear(padded)
	copy(padded[half:], samples)
	for i := 1; i <= half && i < len(samples); i++ {
		padded[half-i] = samples[i]
	}
	for i := 1; i < half && len(samples) == total && total > i; i++ {
		padded[half+total-1+i] = samples[total-1-i]
	}

	sounding := min(frames, (len(samples)+half)/HopSamples+1)
	maximum := float32(floorLog)
	for t := 0; t < sounding; t += 2 {
		a, b := padded[t*HopSamples:][:fftSize], padded[(t+1)*HopSamples:][:fftSize]
		buf := &scratch.fft
		for i := range buf.re {
			buf.re[i], buf.im[i] = a[i]*m.hann[i], b[i]*m.hann[i]
		}
		m.fft.powers(buf)
		for j := range m.filters {
			v := m.filters[j].logEnergy(&buf.powerA)
			dst[j*frames+t] = v
			maximum = max(maximum, v)
			if t+1 < sounding {
				v = m.filters[j].logEnergy(&buf.powerB)
				dst[j*frames+t+1] = v
				maximum = max(maximum, v)
			}
		}
	}
	floor := maximum - 8
	silence := (max(floorLog, floor) + 4) / 4
	for j := range m.bins {
		row := dst[j*frames:][:frames]
		for t := range row[:sounding] {
			row[t] = (max(row[t], floor) + 4) / 4
		}
		for t := sounding; t < frames; t++ {
			row[t] = silence
		}
	}
}

// floorLog is the log10 of the smallest energy that is told from silence.
const floorLog = -10

func (f *melFilter) logEnergy(power *[fftSize/2 + 1]float32) float32 {
	var sum float32
	for i, p := range power[f.first:][:len(f.weights)] {
		sum += p * f.weights[i]
	}
	if sum < 1e-10 {
		return floorLog
	}
	return float32(math.Log10(float64(sum)))
}

// melFilters makes triangular bands of equal area on Slaney's mel scale (linear below
// 1 kHz, logarithmic above) from 0 Hz to half the sample rate.
func melFilters(bins int) []melFilter {
	const (
		step     = 200.0 / 3
		knee     = 1000.0
		kneeMel  = knee / step
		logarith = 0.06875177742094912 // ln(6.4)/27
	)
	toHz := func(mel float64) float64 {
		if mel < kneeMel {
			return mel * step
		}
		return knee * math.Exp(logarith*(mel-kneeMel))
	}
	top := kneeMel + math.Log(speech.SampleRate/2/knee)/logarith
	edges := make([]float64, bins+2)
	for i := range edges {
		edges[i] = toHz(top * float64(i) / float64(bins+1))
	}
	filters := make([]melFilter, bins)
	for j := range filters {
		low, centre, high := edges[j], edges[j+1], edges[j+2]
		f := melFilter{first: -1}
		for k := range fftSize/2 + 1 {
			hz := float64(k) * speech.SampleRate / fftSize
			w := min((hz-low)/(centre-low), (high-hz)/(high-centre))
			if w <= 0 {
				continue
			}
			if f.first < 0 {
				f.first = k
			}
			f.weights = append(f.weights, float32(w*2/(high-low)))
		}
		f.first = max(f.first, 0)
		filters[j] = f
	}
	return filters
}
