// Package align finds when words were said. A recogniser's cross-attention tells, for
// each token, where it looked; dynamic time warping makes a monotone path of it (the
// method of openai/whisper's timing.py), and the text is split into words and
// punctuation marks that carry the times of their tokens. Start reading at Path and
// Split.
package align

import (
	"math"
)

// medianWidth is the number of frames over which attention is smoothed.
const medianWidth = 7

// Path turns the attention of several heads into the frame at which each step begins.
//
// Attention is heads × steps × stride, before the softmax; frames of it (at most stride)
// are used. The first skip steps belong to the prompt: they take part in the
// normalisation but not in the path. The result has steps-skip entries, not decreasing.
func Path(attention []float32, heads, steps, stride, frames, skip int) []int {
	frames = min(frames, stride)
	rows := steps - skip
	if rows <= 0 || frames <= 0 || heads <= 0 {
		return nil
	}
	mean := make([]float32, rows*frames)
	head := make([]float32, steps*frames)
	smooth := make([]float32, frames)
	for h := range heads {
		for s := range steps {
			softmax(head[s*frames:][:frames], attention[(h*steps+s)*stride:][:frames])
		}
		standardise(head, steps, frames)
		for r := range rows {
			median7(smooth, head[(skip+r)*frames:][:frames])
			sum := mean[r*frames:][:frames]
			for t, v := range smooth {
				sum[t] += v
			}
		}
	}
	return warp(mean, rows, frames)
}

// softmax writes the softmax of src to dst.
func softmax(dst, src []float32) {
	top := float32(math.Inf(-1))
	for _, v := range src {
		if v > top {
			top = v
		}
	}
	var sum float32
	for i, v := range src {
		e := exp(v - top)
		dst[i] = e
		sum += e
	}
	scale := 1 / sum
	for i := range dst {
		dst[i] *= scale
	}
}

// exp is e to the power of x ≤ 0 to 2e-7 relative, zero below -80: 2^n by the exponent
// bits and a polynomial for the rest. A window has a million of them.
func exp(x float32) float32 {
	if !(x > -80) {
		return 0
	}
	const log2e = 1.4426950408889634
	y := x * log2e
	n := float32(int32(y - 0.5))
	f := (y - n) * math.Ln2
	p := 1 + f*(1+f*(0.5+f*(0.16666667+f*(0.041666667+f*(0.008333334+f*0.0013888889)))))
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

// standardise gives each frame zero mean and unit deviation over the steps.
func standardise(m []float32, steps, frames int) {
	sum := make([]float64, frames)
	squares := make([]float64, frames)
	for s := range steps {
		for t, v := range m[s*frames:][:frames] {
			sum[t] += float64(v)
		}
	}
	for t := range sum {
		sum[t] /= float64(steps)
	}
	for s := range steps {
		for t, v := range m[s*frames:][:frames] {
			d := float64(v) - sum[t]
			squares[t] += d * d
		}
	}
	for t, v := range squares {
		squares[t] = 0
		if v > 0 {
			squares[t] = 1 / math.Sqrt(v/float64(steps))
		}
	}
	for s := range steps {
		row := m[s*frames:][:frames]
		for t, v := range row {
			row[t] = float32((float64(v) - sum[t]) * squares[t])
		}
	}
}

// median7 writes the running median of seven values of src to dst, mirrored at the ends.
func median7(dst, src []float32) {
	n := len(src)
	const half = medianWidth / 2
	if n <= half {
		copy(dst, src)
		return
	}
	var w [medianWidth]float32
	for t := range n {
		if t >= half && t+half < n {
			copy(w[:], src[t-half:][:medianWidth])
		} else {
			for k := range w {
				i := t - half + k
				if i < 0 {
					i = -i
				}
				if i >= n {
					i = 2*(n-1) - i
				}
				w[k] = src[max(i, 0)]
			}
		}
		dst[t] = medianOf7(w[0], w[1], w[2], w[3], w[4], w[5], w[6])
	}
}

// medianOf7 is a sorting network cut down to the outputs that reach the middle.
func medianOf7(a, b, c, d, e, f, g float32) float32 {
	order := func(x, y *float32) {
		if *x > *y {
			*x, *y = *y, *x
		}
	}
	order(&a, &f)
	order(&a, &d)
	order(&b, &g)
	order(&c, &e)
	order(&a, &b)
	order(&d, &g)
	order(&c, &f)
	order(&d, &e)
	order(&b, &d)
	order(&e, &g)
	order(&c, &e)
	order(&b, &c)
	order(&d, &f)
	order(&d, &e)
	order(&c, &d)
	return d
}

// warp finds the monotone path of greatest sum through rows × frames values and returns
// the first frame of each row.
func warp(values []float32, rows, frames int) []int {
	const (
		diagonal = iota
		up
		left
	)
	cost := make([]float32, (rows+1)*(frames+1))
	trace := make([]uint8, (rows+1)*(frames+1))
	width := frames + 1
	inf := float32(math.Inf(1))
	for i := 1; i <= rows; i++ {
		cost[i*width] = inf
		trace[i*width] = up
	}
	for j := 1; j <= frames; j++ {
		cost[j] = inf
		trace[j] = left
	}
	for i := 1; i <= rows; i++ {
		above, here := cost[(i-1)*width:][:width], cost[i*width:][:width]
		path, row := trace[i*width:][:width], values[(i-1)*frames:][:frames]
		for j := 1; j <= frames; j++ {
			best, from := here[j-1], uint8(left)
			if c := above[j]; c < best {
				best, from = c, up
			}
			if c := above[j-1]; c < best {
				best, from = c, diagonal
			}
			here[j] = best - row[j-1]
			path[j] = from
		}
	}
	starts := make([]int, rows)
	for i, j := rows, frames; i > 0 && j > 0; {
		starts[i-1] = j - 1
		switch trace[i*width+j] {
		case diagonal:
			i, j = i-1, j-1
		case up:
			i--
		default:
			j--
		}
	}
	return starts
}
