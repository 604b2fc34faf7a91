package audio

import "math"

// The filter: a sinc under a Kaiser window (Kaiser and Schafer 1980; Oppenheim and Schafer,
// Discrete-Time Signal Processing, §7.5.3). Widths are in samples of the lower of the two rates.
const (
	// filterHalf is the half-length of the filter.
	filterHalf = 32
	// filterBeta gives a stop band of about 80 dB.
	filterBeta = 8.0
	// filterCutoff is where the response is down by 6 dB, as a share of the lower Nyquist
	// frequency: near 7.7 kHz for 48 → 16 kHz, flat up to 7 kHz and closed from 8.3 kHz on.
	filterCutoff = 0.96
	// maxPhases bounds the filter table. Ratios with more phases interpolate between two.
	maxPhases = 1024
)

// resampler changes the rate of one channel. Output sample n stands for the instant n/to of
// the input: the filter is centred, it adds no delay. Its memory is constant, its output does
// not depend on how the input is cut into writes.
type resampler struct {
	up, down int // output = input × up / down, in lowest terms
	taps     int // filter taps for each phase
	phases   int // rows of the table; one more is kept for interpolation
	table    []float32

	in    []float32 // input from the first tap of the next output on, behind `first`
	first int       // index in `in` of the first tap of the next output
	phase int       // position of the next output between two input samples, in 1/up

	written, produced int64 // samples in and out so far
	limit             int64 // how many samples are due in all; -1 until the end is known
}

// newResampler returns a resampler between two rates in Hz.
func newResampler(from, to int) *resampler {
	r := &resampler{up: 1, down: 1, limit: -1}
	if from == to {
		return r
	}
	g := gcd(from, to)
	r.up, r.down = to/g, from/g
	// Width of a tap in units of the lower rate: 1 when going up, below 1 when going down.
	scale := math.Min(1, float64(to)/float64(from))
	half := int(math.Ceil(filterHalf / scale))
	r.taps = 2 * half
	r.phases = min(r.up, maxPhases)
	r.table = filterTable(r.phases, half, scale)
	// Silence before the first sample, so that the first output is centred on it.
	r.in = make([]float32, half-1, r.taps+blockSamples)
	return r
}

// filterTable has one row of 2·half taps for each of phases+1 fractions of an input sample.
func filterTable(phases, half int, scale float64) []float32 {
	taps := 2 * half
	table := make([]float32, (phases+1)*taps)
	row := make([]float64, taps)
	norm := 1 / besselI0(filterBeta)
	for p := 0; p <= phases; p++ {
		frac := float64(p) / float64(phases)
		var sum float64
		for k := range row {
			// Tap k stands on the input sample half-1-k before the instant.
			t := (float64(k-half+1) - frac) * scale
			row[k] = sinc(t*filterCutoff) * kaiser(t/filterHalf, norm)
			sum += row[k]
		}
		// Every phase passes a constant unchanged: no tone at the rate of the phases.
		for k, v := range row {
			table[p*taps+k] = float32(v / sum)
		}
	}
	return table
}

// write gives the resampler the next input. What was read out before is dropped.
func (r *resampler) write(samples []float32) {
	r.written += int64(len(samples))
	if r.first > 0 {
		kept := copy(r.in, r.in[min(r.first, len(r.in)):])
		r.first -= len(r.in) - kept
		r.in = r.in[:kept]
	}
	r.in = append(r.in, samples...)
}

// finish tells that the input is complete.
func (r *resampler) finish() {
	if r.limit >= 0 {
		return
	}
	// Every instant before the end of the input: ceil(written × up / down).
	r.limit = (r.written*int64(r.up) + int64(r.down) - 1) / int64(r.down)
	if r.table != nil {
		written := r.written
		r.write(make([]float32, r.taps))
		r.written = written
	}
}

// finished tells that all output has been read.
func (r *resampler) finished() bool { return r.limit >= 0 && r.produced >= r.limit }

// read fills dst with what can be computed so far and returns how many samples that is.
func (r *resampler) read(dst []float32) int {
	if r.limit >= 0 {
		dst = dst[:min(int64(len(dst)), r.limit-r.produced)]
	}
	var n int
	switch {
	case r.table == nil:
		n = copy(dst, r.in[r.first:])
		r.first += n
	case r.phases == r.up:
		n = r.readExact(dst)
	default:
		n = r.readBetween(dst)
	}
	r.produced += int64(n)
	return n
}

// readExact has a row of the table for every phase there is.
func (r *resampler) readExact(dst []float32) int {
	first, phase, taps := r.first, r.phase, r.taps
	whole, rest := r.down/r.up, r.down%r.up
	for n := range dst {
		if first+taps > len(r.in) {
			dst = dst[:n]
			break
		}
		dst[n] = dot(r.in[first:first+taps], r.table[phase*taps:(phase+1)*taps])
		first += whole
		phase += rest
		if phase >= r.up {
			phase -= r.up
			first++
		}
	}
	r.first, r.phase = first, phase
	return len(dst)
}

// readBetween interpolates between the two nearest rows; with maxPhases rows the error is
// below that of the stop band.
func (r *resampler) readBetween(dst []float32) int {
	taps := r.taps
	whole, rest := r.down/r.up, r.down%r.up
	for n := range dst {
		if r.first+taps > len(r.in) {
			return n
		}
		at := float64(r.phase) * float64(r.phases) / float64(r.up)
		row := int(at)
		in := r.in[r.first : r.first+taps]
		a := dot(in, r.table[row*taps:(row+1)*taps])
		b := dot(in, r.table[(row+1)*taps:(row+2)*taps])
		dst[n] = a + (b-a)*float32(at-float64(row))
		r.first += whole
		r.phase += rest
		if r.phase >= r.up {
			r.phase -= r.up
			r.first++
		}
	}
	return len(dst)
}

// dot is the inner product of two slices of the same, even length. Four sums run side by side
// because one alone waits for each addition; their order is fixed, so results are too.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x, y := a[i:i+8:i+8], b[i:i+8:i+8]
		s0 += x[0]*y[0] + x[4]*y[4]
		s1 += x[1]*y[1] + x[5]*y[5]
		s2 += x[2]*y[2] + x[6]*y[6]
		s3 += x[3]*y[3] + x[7]*y[7]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// sinc is sin(πx)/(πx).
func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the Kaiser window over [-1, 1]; norm is 1/I0(β).
func kaiser(x, norm float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return besselI0(filterBeta*math.Sqrt(1-x*x)) * norm
}

// besselI0 is the modified Bessel function of the first kind, order zero (Abramowitz and Stegun 9.6.12).
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-17; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
