package speakers_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/speech/speakers"
)

func TestAgglomerate(t *testing.T) {
	east, north, up := []float32{1, 0.1, 0}, []float32{0, 1, 0.1}, []float32{0.1, 0, 1}
	for _, c := range []struct {
		name    string
		vectors [][]float32
		least   float64
		limit   int
		want    []int
	}{
		{"none", nil, 0.5, 9, []int{}},
		{"one", [][]float32{east}, 0.5, 9, []int{0}},
		{"numbers follow appearance", [][]float32{north, east, north, up, east}, 0.5, 9, []int{0, 1, 0, 2, 1}},
		{"the limit joins even what differs", [][]float32{north, east, east}, 0.9, 1, []int{0, 0, 0}},
		{"nothing is alike enough", [][]float32{east, north, up}, 0.9, 9, []int{0, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := speakers.Agglomerate(c.vectors, c.least, c.limit); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// average joins by the definition: the mean over all pairs, computed anew each time.
func average(vectors [][]float32, least float64) []int {
	groups := make([][]int, len(vectors))
	for i := range groups {
		groups[i] = []int{i}
	}
	cosine := func(a, b []float32) float64 {
		var dot, x, y float64
		for i := range a {
			dot += float64(a[i]) * float64(b[i])
			x += float64(a[i]) * float64(a[i])
			y += float64(b[i]) * float64(b[i])
		}
		return dot / math.Sqrt(x*y)
	}
	for len(groups) > 1 {
		bestA, bestB, most := 0, 0, math.Inf(-1)
		for a := range groups {
			for b := range a {
				sum := 0.0
				for _, i := range groups[a] {
					for _, j := range groups[b] {
						sum += cosine(vectors[i], vectors[j])
					}
				}
				if mean := sum / float64(len(groups[a])*len(groups[b])); mean > most {
					bestA, bestB, most = a, b, mean
				}
			}
		}
		if most < least {
			break
		}
		groups[bestB] = append(groups[bestB], groups[bestA]...)
		groups = slices.Delete(groups, bestA, bestA+1)
	}
	slices.SortFunc(groups, func(a, b []int) int { return slices.Min(a) - slices.Min(b) })
	labels := make([]int, len(vectors))
	for l, g := range groups {
		for _, i := range g {
			labels[i] = l
		}
	}
	return labels
}

func TestAgglomerateIsAverageLinkage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		vectors := make([][]float32, 2+random.IntN(25))
		for i := range vectors {
			vectors[i] = make([]float32, 5)
			for j := range vectors[i] {
				vectors[i][j] = float32(random.NormFloat64())
			}
		}
		want, got := average(vectors, 0.2), speakers.Agglomerate(vectors, 0.2, len(vectors))
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
