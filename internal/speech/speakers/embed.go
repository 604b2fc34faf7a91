package speakers

import (
	"context"
	"math"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/speech/vad"
)

const (
	// features are the rows that the convolutions give, one column every 80 ms.
	features    = 256 * 10
	columnHops  = 8
	columnWidth = columnHops * hopSamples
	// maxRun is the longest stretch that is run at once; it bounds memory.
	maxRun = 10 * second
)

// embed returns the voice and the line of each piece. Pieces of a stretch share runs of the convolutions.
func (m *Model) embed(ctx context.Context, f *fbank, samples []float32, pieces []piece, a activity) ([]vector, []measured, error) {
	mean := speechMean(f, samples, pieces)
	statistics := make([]float32, 0, len(pieces)*2*features)
	for first := 0; first < len(pieces); {
		// As many pieces as fit into a run, of the same stretch.
		last := first
		run := pieces[first].span
		for last+1 < len(pieces) && pieces[last+1].stretch == pieces[first].stretch &&
			pieces[last+1].span.End-run.Start <= maxRun {
			last++
			run.End = pieces[last].span.End
		}
		columns, err := m.features(ctx, f, samples, run, mean)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range pieces[first : last+1] {
			statistics = columns.pool(statistics, p.span, a)
		}
		first = last + 1
	}
	voices, err := m.voices(ctx, statistics, len(pieces))
	return voices, linesOf(f, samples, pieces, a), err
}

// linesOf measures the line of each piece, which is that of its stretch.
func linesOf(f *fbank, samples []float32, pieces []piece, a activity) []measured {
	out := make([]measured, len(pieces))
	for first := 0; first < len(pieces); {
		last := first
		for last+1 < len(pieces) && pieces[last+1].stretch == pieces[first].stretch {
			last++
		}
		l, alone := lineOf(f, samples, vad.Span{Start: pieces[first].core.Start, End: pieces[last].core.End}, a)
		for i := first; i <= last; i++ {
			out[i] = measured{line: l, sure: certainty(alone), long: alone >= longLine}
		}
		first = last + 1
	}
	return out
}

// speechMean is the mean of the log mel energies over all that is heard of a window. Taking
// it off takes the line and the microphone off.
func speechMean(f *fbank, samples []float32, pieces []piece) *[bins]float32 {
	var sums [bins]float64
	n := 0
	for _, p := range pieces {
		energies := f.extract(samples[p.core.Start:p.core.End])
		for i, v := range energies {
			sums[i%bins] += float64(v)
		}
		n += len(energies) / bins
	}
	var mean [bins]float32
	for i := range mean {
		mean[i] = float32(sums[i] / float64(max(n, 1)))
	}
	return &mean
}

// columns are features of a run: one row a feature, count values each.
type columns struct {
	data  []float32
	count int
	start int // the place of the run in the window's samples
}

// features runs the convolutions over a stretch.
func (m *Model) features(ctx context.Context, f *fbank, samples []float32, run vad.Span, mean *[bins]float32) (*columns, error) {
	heard := samples[run.Start:run.End]
	if len(heard) < minStretch { // a few frames, at least
		heard = append(append([]float32(nil), heard...), make([]float32, minStretch-len(heard))...)
	}
	energies := f.extract(heard)
	n := len(energies) / bins
	in, err := inference.NewTensor[float32](1, int64(n), bins)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	for i, v := range energies {
		in.Data()[i] = v - mean[i%bins]
	}
	count := n
	for k := 1; k < columnHops; k *= 2 { // three convolutions of stride two
		count = (count + 1) / 2
	}
	out, err := inference.NewTensor[float32](1, 256, 10, int64(count))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := m.trunk.Run(ctx, []inference.Value{in}, []inference.Value{out}); err != nil {
		return nil, err
	}
	return &columns{data: append([]float32(nil), out.Data()...), count: count, start: run.Start}, nil
}

// pool appends the mean and the standard deviation of each feature over a piece. Columns in
// which two talk are left out where enough are left.
func (c *columns) pool(dst []float32, span vad.Span, a activity) []float32 {
	first := min((span.Start-c.start+columnWidth/2)/columnWidth, c.count-1)
	last := max(min((span.End-c.start+columnWidth/2)/columnWidth, c.count), first+1)
	chosen := make([]int, 0, last-first)
	for i := first; i < last; i++ {
		at := c.start + i*columnWidth + columnWidth/2
		if !a.severalAt(at) {
			chosen = append(chosen, i)
		}
	}
	if 2*len(chosen) < last-first {
		chosen = chosen[:0]
		for i := first; i < last; i++ {
			chosen = append(chosen, i)
		}
	}
	at := len(dst)
	dst = append(dst, make([]float32, 2*features)...)
	n := float64(len(chosen))
	for r := range features {
		row := c.data[r*c.count:][:c.count]
		var sum, squares float64
		for _, i := range chosen {
			v := float64(row[i])
			sum += v
			squares += v * v
		}
		mean := sum / n
		dst[at+r] = float32(mean)
		// Unbiased, as the model was trained.
		if n > 1 {
			dst[at+features+r] = float32(math.Sqrt(max(0, squares-sum*mean) / (n - 1)))
		}
	}
	return dst
}

// severalAt tells whether more than one voice is heard at a place.
func (a activity) severalAt(place int) bool {
	for _, s := range a {
		if place < s.span.End {
			return s.several()
		}
	}
	return false
}

// voices computes embeddings, of length one, from statistics.
func (m *Model) voices(ctx context.Context, statistics []float32, n int) ([]vector, error) {
	if n == 0 {
		return nil, nil
	}
	in, err := inference.TensorOf(statistics, int64(n), 2*features)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := inference.NewTensor[float32](int64(n), dim)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := m.head.Run(ctx, []inference.Value{in}, []inference.Value{out}); err != nil {
		return nil, err
	}
	vs := make([]vector, n)
	for i := range vs {
		copy(vs[i][:], out.Data()[i*dim:])
		vs[i].unit()
	}
	return vs, nil
}
