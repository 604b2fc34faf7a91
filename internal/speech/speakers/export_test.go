package speakers

import (
	"context"

	"github.com/dictum/dictum/internal/speech/vad"
)

// Fbank is the log mel energies of samples, 80 a frame.
func Fbank(samples []float32) []float32 { return newFbank().extract(samples) }

// Voice is the embedding of all the samples as one window.
func (m *Model) Voice(ctx context.Context, samples []float32) ([]float32, error) {
	all := vad.Span{End: len(samples)}
	vs, _, err := m.embed(ctx, newFbank(), samples, []piece{{span: all, core: all}}, nil)
	if err != nil {
		return nil, err
	}
	return vs[0][:], nil
}

// Agglomerate clusters vectors, filled up with zeros and scaled to length one.
func Agglomerate(vectors [][]float32, least float64, limit int) []int {
	cs := make([]cluster, len(vectors))
	for i, v := range vectors {
		copy(cs[i].sum[:], v)
		cs[i].sum.unit()
		cs[i].count = 1
	}
	return agglomerate(cs, least, limit)
}

// Merge joins groups of stretches of one window each, all of one voice, by the level of the first band of their lines. It
// returns how many speakers are left.
func Merge(groups ...[]float32) int {
	clusters := make([]cluster, len(groups))
	for i, levels := range groups {
		for _, level := range levels {
			one := cluster{line: line{level}, count: 1, squares: float64(level * level), stretches: 1}
			one.sum[0] = 1
			clusters[i].add(&one)
		}
	}
	return len(merge(clusters))
}
