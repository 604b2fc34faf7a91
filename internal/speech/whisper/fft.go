package whisper

import "math"

// fftSize is the length of a Whisper analysis window, 25 ms at 16 kHz.
const fftSize = 400

// fft computes complex Fourier transforms of 400 points in float32: Stockham's
// self-sorting form with radices 4, 4, 5 and 5, so that no bit reversal is needed.
// Two real windows go through one transform, as its real and imaginary part.
type fft struct {
	// twiddle holds, for each of the first three stages, exp(-2πi·p·k/n) for
	// p < n/radix and k = 1 … radix-1, interleaved as real, imaginary.
	twiddle [3][]float32
}

func newFFT() *fft {
	var f fft
	for stage, shape := range [3]struct{ n, radix int }{{400, 4}, {100, 4}, {25, 5}} {
		for p := range shape.n / shape.radix {
			for k := 1; k < shape.radix; k++ {
				sin, cos := math.Sincos(-2 * math.Pi * float64(p*k) / float64(shape.n))
				f.twiddle[stage] = append(f.twiddle[stage], float32(cos), float32(sin))
			}
		}
	}
	return &f
}

// fftBuffer is the two arrays that a transform goes back and forth between.
type fftBuffer struct {
	re, im         [fftSize]float32
	reAlt, imAlt   [fftSize]float32
	powerA, powerB [fftSize/2 + 1]float32
}

// transform replaces b.re and b.im by their Fourier transform.
func (f *fft) transform(b *fftBuffer) {
	radix4(b.re[:], b.im[:], b.reAlt[:], b.imAlt[:], f.twiddle[0], 100, 1)
	radix4(b.reAlt[:], b.imAlt[:], b.re[:], b.im[:], f.twiddle[1], 25, 4)
	radix5(b.re[:], b.im[:], b.reAlt[:], b.imAlt[:], f.twiddle[2], 5, 16)
	radix5(b.reAlt[:], b.imAlt[:], b.re[:], b.im[:], unitTwiddle[:], 1, 80)
}

// unitTwiddle multiplies by one: the last stage turns nothing.
var unitTwiddle = [8]float32{1, 0, 1, 0, 1, 0, 1, 0}

// radix4 is one stage: m butterflies of four, each repeated for s neighbours.
func radix4(xr, xi, yr, yi, w []float32, m, s int) {
	for p := range m {
		w1r, w1i, w2r, w2i, w3r, w3i := w[6*p], w[6*p+1], w[6*p+2], w[6*p+3], w[6*p+4], w[6*p+5]
		ar, ai := xr[s*p:][:s], xi[s*p:][:s]
		br, bi := xr[s*(p+m):][:s], xi[s*(p+m):][:s]
		cr, ci := xr[s*(p+2*m):][:s], xi[s*(p+2*m):][:s]
		dr, di := xr[s*(p+3*m):][:s], xi[s*(p+3*m):][:s]
		er, ei := yr[s*4*p:][:s], yi[s*4*p:][:s]
		fr, fi := yr[s*(4*p+1):][:s], yi[s*(4*p+1):][:s]
		gr, gi := yr[s*(4*p+2):][:s], yi[s*(4*p+2):][:s]
		hr, hi := yr[s*(4*p+3):][:s], yi[s*(4*p+3):][:s]
		for q := range ar {
			acr, aci := ar[q]+cr[q], ai[q]+ci[q]
			amr, ami := ar[q]-cr[q], ai[q]-ci[q]
			bdr, bdi := br[q]+dr[q], bi[q]+di[q]
			// -i(b-d)
			bmr, bmi := bi[q]-di[q], dr[q]-br[q]
			er[q], ei[q] = acr+bdr, aci+bdi
			ur, ui := amr+bmr, ami+bmi
			fr[q], fi[q] = ur*w1r-ui*w1i, ur*w1i+ui*w1r
			ur, ui = acr-bdr, aci-bdi
			gr[q], gi[q] = ur*w2r-ui*w2i, ur*w2i+ui*w2r
			ur, ui = amr-bmr, ami-bmi
			hr[q], hi[q] = ur*w3r-ui*w3i, ur*w3i+ui*w3r
		}
	}
}

// Cosines and sines of 2π/5 and 4π/5.
const (
	cos5a = 0.30901699437494745
	cos5b = -0.8090169943749473
	sin5a = 0.9510565162951535
	sin5b = 0.5877852522924732
)

// radix5 is one stage: m butterflies of five, each repeated for s neighbours.
func radix5(xr, xi, yr, yi, w []float32, m, s int) {
	for p := range m {
		t := w[8*p:][:8]
		ar, ai := xr[s*p:][:s], xi[s*p:][:s]
		br, bi := xr[s*(p+m):][:s], xi[s*(p+m):][:s]
		cr, ci := xr[s*(p+2*m):][:s], xi[s*(p+2*m):][:s]
		dr, di := xr[s*(p+3*m):][:s], xi[s*(p+3*m):][:s]
		er, ei := xr[s*(p+4*m):][:s], xi[s*(p+4*m):][:s]
		y0r, y0i := yr[s*5*p:][:s], yi[s*5*p:][:s]
		y1r, y1i := yr[s*(5*p+1):][:s], yi[s*(5*p+1):][:s]
		y2r, y2i := yr[s*(5*p+2):][:s], yi[s*(5*p+2):][:s]
		y3r, y3i := yr[s*(5*p+3):][:s], yi[s*(5*p+3):][:s]
		y4r, y4i := yr[s*(5*p+4):][:s], yi[s*(5*p+4):][:s]
		for q := range ar {
			ber, bei := br[q]+er[q], bi[q]+ei[q]
			bmr, bmi := br[q]-er[q], bi[q]-ei[q]
			cdr, cdi := cr[q]+dr[q], ci[q]+di[q]
			cmr, cmi := cr[q]-dr[q], ci[q]-di[q]
			y0r[q], y0i[q] = ar[q]+ber+cdr, ai[q]+bei+cdi
			p1r, p1i := ar[q]+cos5a*ber+cos5b*cdr, ai[q]+cos5a*bei+cos5b*cdi
			p2r, p2i := ar[q]+cos5b*ber+cos5a*cdr, ai[q]+cos5b*bei+cos5a*cdi
			// -i times the odd part.
			q1r, q1i := sin5a*bmi+sin5b*cmi, -sin5a*bmr-sin5b*cmr
			q2r, q2i := sin5b*bmi-sin5a*cmi, -sin5b*bmr+sin5a*cmr
			ur, ui := p1r+q1r, p1i+q1i
			y1r[q], y1i[q] = ur*t[0]-ui*t[1], ur*t[1]+ui*t[0]
			ur, ui = p2r+q2r, p2i+q2i
			y2r[q], y2i[q] = ur*t[2]-ui*t[3], ur*t[3]+ui*t[2]
			ur, ui = p2r-q2r, p2i-q2i
			y3r[q], y3i[q] = ur*t[4]-ui*t[5], ur*t[5]+ui*t[4]
			ur, ui = p1r-q1r, p1i-q1i
			y4r[q], y4i[q] = ur*t[6]-ui*t[7], ur*t[7]+ui*t[6]
		}
	}
}

// powers transforms the two real windows in b.re and b.im and leaves the power spectrum
// of the first in b.powerA and of the second in b.powerB.
func (f *fft) powers(b *fftBuffer) {
	f.transform(b)
	b.powerA[0], b.powerB[0] = b.re[0]*b.re[0], b.im[0]*b.im[0]
	for k := 1; k <= fftSize/2; k++ {
		// The spectrum of a real signal is conjugate symmetric: sum and difference of
		// bins k and n-k part the two signals again.
		sr, si := b.re[k]+b.re[fftSize-k], b.im[k]-b.im[fftSize-k]
		dr, di := b.im[k]+b.im[fftSize-k], b.re[fftSize-k]-b.re[k]
		b.powerA[k] = 0.25 * (sr*sr + si*si)
		b.powerB[k] = 0.25 * (dr*dr + di*di)
	}
}
