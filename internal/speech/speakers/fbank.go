package speakers

import (
	"math"
	"math/bits"
	"math/cmplx"

	"github.com/dictum/dictum/internal/speech"
)

const (
	// bins is the number of mel bands.
	bins = 80
	// frameSamples and hopSamples are 25 ms and 10 ms.
	frameSamples = 400
	hopSamples   = 160
	fftSize      = 512
)

// fbank computes log mel energies as Kaldi's compute-fbank-feats does with the settings
// that WeSpeaker was trained with: samples scaled to 16 bits, frames wholly within the
// audio, mean removed, pre-emphasis 0.97, Hamming window, power spectrum, 80 triangular
// bands from 20 Hz to 8 kHz on the mel scale, natural logarithm, no dither.
type fbank struct {
	window   [frameSamples]float64
	filters  [bins]melBand
	twiddles [fftSize / 2]complex128
	buffer   [fftSize]complex128
}

// melBand is a triangular band: weights for the spectrum's bins from first on.
type melBand struct {
	first   int
	weights []float64
}

func newFbank() *fbank {
	f := new(fbank)
	for i := range f.window {
		f.window[i] = 0.54 - 0.46*math.Cos(2*math.Pi*float64(i)/(frameSamples-1))
	}
	for i := range f.twiddles {
		f.twiddles[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/fftSize)
	}
	const lowest, highest = 20, speech.SampleRate / 2
	low, high := mel(lowest), mel(highest)
	step := (high - low) / (bins + 1)
	for j := range f.filters {
		left := low + float64(j)*step
		centre, right := left+step, left+2*step
		b := melBand{first: -1}
		for k := range fftSize / 2 {
			m := mel(float64(k) * speech.SampleRate / fftSize)
			w := min((m-left)/(centre-left), (right-m)/(right-centre))
			if w <= 0 {
				continue
			}
			if b.first < 0 {
				b.first = k
			}
			b.weights = append(b.weights, w)
		}
		f.filters[j] = b
	}
	return f
}

// mel is Kaldi's mel scale.
func mel(hz float64) float64 { return 1127 * math.Log(1+hz/700) }

// frames is how many frames so many samples have.
func frames(samples int) int {
	if samples < frameSamples {
		return 0
	}
	return (samples-frameSamples)/hopSamples + 1
}

// extract returns the frames of samples in [-1, 1], bins values each.
func (f *fbank) extract(samples []float32) []float32 {
	n := frames(len(samples))
	out := make([]float32, n*bins)
	// Two frames go through one transform, as its real and its imaginary part.
	for t := 0; t < n; t += 2 {
		clear(f.buffer[:])
		f.load(samples[t*hopSamples:], func(i int, v float64) { f.buffer[i] = complex(v, 0) })
		if t+1 < n {
			f.load(samples[(t+1)*hopSamples:], func(i int, v float64) { f.buffer[i] += complex(0, v) })
		}
		f.transform()
		var a, b [fftSize / 2]float64
		for k := range a {
			x, y := f.buffer[k], cmplx.Conj(f.buffer[(fftSize-k)%fftSize])
			a[k], b[k] = power((x+y)/2), power((x-y)/2)
		}
		f.bands(out[t*bins:], &a)
		if t+1 < n {
			f.bands(out[(t+1)*bins:], &b)
		}
	}
	return out
}

func power(c complex128) float64 { return real(c)*real(c) + imag(c)*imag(c) }

// load prepares one frame for the transform.
func (f *fbank) load(samples []float32, put func(int, float64)) {
	frame := samples[:frameSamples]
	mean := 0.0
	for _, v := range frame {
		mean += float64(v)
	}
	mean /= frameSamples
	const scale, emphasis = 32768, 0.97
	last := float64(frame[0]) - mean
	for i, v := range frame {
		centred := float64(v) - mean
		put(i, scale*(centred-emphasis*last)*f.window[i])
		last = centred
	}
}

func (f *fbank) bands(dst []float32, spectrum *[fftSize / 2]float64) {
	const floor = 1.1920928955078125e-07 // the float32 epsilon, as in Kaldi
	for j, b := range f.filters {
		sum := 0.0
		for i, w := range b.weights {
			sum += w * spectrum[b.first+i]
		}
		dst[j] = float32(math.Log(max(sum, floor)))
	}
}

// transform is the discrete Fourier transform of the buffer, in place (radix 2).
func (f *fbank) transform() {
	x := &f.buffer
	const shift = bits.UintSize - 9 // 512 = 2⁹
	for i := range x {
		if j := int(bits.Reverse(uint(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= fftSize; size *= 2 {
		half, stride := size/2, fftSize/size
		for start := 0; start < fftSize; start += size {
			for k := range half {
				a, b := x[start+k], x[start+k+half]*f.twiddles[k*stride]
				x[start+k], x[start+k+half] = a+b, a-b
			}
		}
	}
}
