package mp3

import "math"

// Tables of the transforms.
var (
	aliasSum, aliasDiff [8]float32 // cs, ca of 11172-3 Table 3-B.9
	dct18               [lines][lines]float32
	dct6                [6][6]float32
	windows             [4][2 * lines]float32 // by block type; 2 has 12 values
	lee                 [5][16]float32        // factors of the cosine transform's stages
	synthWindow         [512]float32
)

func buildTransforms() {
	for i, c := range []float64{-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037} {
		aliasSum[i] = float32(1 / math.Sqrt(1+c*c))
		aliasDiff[i] = float32(c / math.Sqrt(1+c*c))
	}
	for m := range lines {
		for k := range lines {
			dct18[m][k] = float32(math.Cos(math.Pi / 72 * float64((2*m+1)*(2*k+1))))
		}
	}
	for m := range 6 {
		for k := range 6 {
			dct6[m][k] = float32(math.Cos(math.Pi / 24 * float64((2*m+1)*(2*k+1))))
		}
	}
	long := func(i int) float32 { return float32(math.Sin(math.Pi / 36 * (float64(i) + 0.5))) }
	short := func(i int) float32 { return float32(math.Sin(math.Pi / 12 * (float64(i) + 0.5))) }
	for i := range 2 * lines {
		windows[0][i] = long(i)
		switch {
		case i < 18:
			windows[1][i] = long(i)
		case i < 24:
			windows[1][i] = 1
		case i < 30:
			windows[1][i] = short(i - 18)
		}
		if i < 12 {
			windows[2][i] = short(i)
		}
		switch {
		case i >= 18:
			windows[3][i] = long(i)
		case i >= 12:
			windows[3][i] = 1
		case i >= 6:
			windows[3][i] = short(i - 6)
		}
	}
	for stage := range lee {
		n := 32 >> stage
		for i := range n / 2 {
			lee[stage][i] = float32(1 / (2 * math.Cos(math.Pi*(float64(i)+0.5)/float64(n))))
		}
	}
	for i, v := range synthesisWindow {
		synthWindow[i] = float32(v) / 65536
	}
}

// render turns the spectrum of a channel into samples, stride apart in dst.
func (d *Decoder) render(h Header, g *granule, c int, dst []float32, stride int) {
	x := &d.spectrum[c]
	plain := 0 // subbands with windows of type 0 whatever the type of the block (§2.4.3.4.10.3)
	if g.mixed {
		plain = 2
		if h.mpeg25 && h.rateCode == 2 { // 8 kHz has bands twice as wide
			plain = 4
		}
	}
	longBands := subbands
	if g.blockType == 2 {
		longBands = plain
		reorder(g, x)
	}
	for sb := 1; sb < longBands; sb++ {
		alias(x[(sb-1)*lines : (sb+1)*lines : (sb+1)*lines])
	}
	// Behind the last line that is set only the overlap sounds. Alias reduction and reordering reach
	// into the next subband at most.
	active := subbands
	if g.blockType != 2 {
		active = min(subbands, (g.filled+lines-1)/lines+1)
	}
	overlap := &d.overlap[c]
	for sb := range subbands {
		in := (*[lines]float32)(x[sb*lines:])
		tail := (*[lines]float32)(overlap[sb*lines:])
		switch {
		case sb >= active:
			*in, *tail = *tail, [lines]float32{}
		case sb < plain:
			longIMDCT(in, tail, &windows[0])
		case sb >= longBands:
			shortIMDCT(in, tail)
		default:
			longIMDCT(in, tail, &windows[g.blockType])
		}
		if sb&1 == 1 { // frequency inversion, §2.4.3.4.10.5
			for i := 1; i < lines; i += 2 {
				in[i] = -in[i]
			}
		}
	}
	var slot [subbands]float32
	for t := range lines {
		for sb := range slot {
			slot[sb] = x[sb*lines+t]
		}
		d.synth[c].step(&slot, dst[t*subbands*stride:], stride)
	}
}

// reorder puts the lines of short blocks, which come window by window in each band, next to those
// of the same frequency (11172-3 §2.4.3.4.8).
func reorder(g *granule, x *[granuleSize]float32) {
	var buf [granuleSize]float32
	start := 0
	if g.long > 0 {
		start = g.bands[g.long-1].end
	}
	for i := g.long; i+2 < len(g.bands); i += 3 {
		end := g.bands[i+2].end
		width := (end - start) / 3
		out := buf[start:end]
		for j := range width {
			out[3*j] = x[start+j]
			out[3*j+1] = x[start+width+j]
			out[3*j+2] = x[start+2*width+j]
		}
		copy(x[start:end], out)
		start = end
	}
}

// alias undoes the aliasing between two neighbouring subbands (11172-3 §2.4.3.4.10.1).
func alias(x []float32) {
	for i := range 8 {
		a, b := x[lines-1-i], x[lines+i]
		x[lines-1-i] = a*aliasSum[i] - b*aliasDiff[i]
		x[lines+i] = b*aliasSum[i] + a*aliasDiff[i]
	}
}

// longIMDCT replaces 18 lines by 18 samples and keeps the 18 that overlap with the next granule.
// The 36 values of the transform (§2.4.3.4.10.2) are 18 of a DCT-IV, mirrored.
func longIMDCT(x, tail *[lines]float32, window *[2 * lines]float32) {
	var c [lines]float32
	for m := range c {
		row := &dct18[m]
		var s0, s1, s2 float32
		for k := 0; k < lines; k += 3 {
			s0 += x[k] * row[k]
			s1 += x[k+1] * row[k+1]
			s2 += x[k+2] * row[k+2]
		}
		c[m] = s0 + s1 + s2
	}
	for n := range 9 {
		x[n] = tail[n] + c[n+9]*window[n]
		x[n+9] = tail[n+9] - c[17-n]*window[n+9]
	}
	for n := range 9 {
		tail[n] = -c[8-n] * window[n+18]
		tail[n+9] = -c[n] * window[n+27]
	}
}

// shortIMDCT does the same with three short windows, whose lines are interleaved.
func shortIMDCT(x, tail *[lines]float32) {
	var out [2 * lines]float32
	copy(out[:], tail[:])
	window := &windows[2]
	for w := range 3 {
		var c [6]float32
		for m := range c {
			row := &dct6[m]
			var sum float32
			for k := range row {
				sum += x[3*k+w] * row[k]
			}
			c[m] = sum
		}
		at := out[6+6*w : 18+6*w : 18+6*w]
		for n := range 3 {
			at[n] += c[n+3] * window[n]
			at[n+3] -= c[5-n] * window[n+3]
			at[n+6] -= c[2-n] * window[n+6]
			at[n+9] -= c[n] * window[n+9]
		}
	}
	copy(x[:], out[:lines])
	copy(tail[:], out[lines:])
}

// synthesis is the polyphase filter of one channel (11172-3 §2.4.3.4.10.6, Figure 3-A.2): the last
// 16 vectors V, of which the newest is at slot.
type synthesis struct {
	v    [16][64]float32
	slot int
}

// step turns one sample of each subband into 32 samples.
func (s *synthesis) step(x *[subbands]float32, dst []float32, stride int) {
	cosineTransform(x)
	s.slot = (s.slot + 15) & 15
	v := &s.v[s.slot]
	// V[i] = Σ cos((16+i)(2k+1)π/64)·S[k] by symmetry from the 32 values of the transform.
	for i := range 16 {
		v[i] = x[16+i]
	}
	v[16] = 0
	for i := 17; i < 49; i++ {
		v[i] = -x[48-i]
	}
	for i := 49; i < 64; i++ {
		v[i] = -x[i-48]
	}
	var sum [subbands]float32
	for i := range 16 {
		half := i & 1 * 32
		src := s.v[(s.slot+i)&15][half : half+32 : half+32]
		window := synthWindow[32*i : 32*i+32 : 32*i+32]
		for j := range sum {
			sum[j] += src[j] * window[j]
		}
	}
	dst = dst[:31*stride+1]
	for j, y := range sum {
		dst[j*stride] = y
	}
}

// cosineTransform is the 32-point DCT-II, X[j] = Σ x[k]·cos(j(2k+1)π/64), by halving (B. G. Lee,
// "A new algorithm to compute the discrete cosine transform", 1984).
func cosineTransform(x *[32]float32) {
	var y [32]float32
	// Each stage splits blocks of n into sums and scaled differences.
	for i := range 16 {
		a, b := x[i], x[31-i]
		y[i], y[16+i] = a+b, (a-b)*lee[0][i]
	}
	for at := 0; at < 32; at += 16 {
		for i := range 8 {
			a, b := y[at+i], y[at+15-i]
			x[at+i], x[at+8+i] = a+b, (a-b)*lee[1][i]
		}
	}
	for at := 0; at < 32; at += 8 {
		for i := range 4 {
			a, b := x[at+i], x[at+7-i]
			y[at+i], y[at+4+i] = a+b, (a-b)*lee[2][i]
		}
	}
	for at := 0; at < 32; at += 4 {
		for i := range 2 {
			a, b := y[at+i], y[at+3-i]
			x[at+i], x[at+2+i] = a+b, (a-b)*lee[3][i]
		}
	}
	for at := 0; at < 32; at += 2 {
		a, b := x[at], x[at+1]
		y[at], y[at+1] = a+b, (a-b)*lee[4][0]
	}
	// And back: even outputs are those of the sums, odd ones sums of neighbours of the differences.
	merge(&y, x, 4)
	merge(x, &y, 8)
	merge(&y, x, 16)
	merge(x, &y, 32)
	*x = y
}

// merge joins the halves of blocks of n.
func merge(in, out *[32]float32, n int) {
	half := n / 2
	for at := 0; at < 32; at += n {
		a, b, o := in[at:at+half], in[at+half:at+n], out[at:at+n]
		for i := range half - 1 {
			o[2*i] = a[i]
			o[2*i+1] = b[i] + b[i+1]
		}
		o[n-2] = a[half-1]
		o[n-1] = b[half-1]
	}
}
