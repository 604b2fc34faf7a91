package speakers

import (
	"math"
	"slices"
)

// dim is the size of an embedding.
const dim = 256

// vector is an embedding of length one, or a sum of such.
type vector [dim]float32

func (v *vector) dot(w *vector) float64 {
	var s [4]float32
	for i := 0; i < dim; i += 4 {
		s[0] += v[i] * w[i]
		s[1] += v[i+1] * w[i+1]
		s[2] += v[i+2] * w[i+2]
		s[3] += v[i+3] * w[i+3]
	}
	return float64(s[0]) + float64(s[1]) + float64(s[2]) + float64(s[3])
}

func (v *vector) add(w *vector) {
	for i := range v {
		v[i] += w[i]
	}
}

// unit scales v to length one; the zero vector stays as it is.
func (v *vector) unit() {
	length := math.Sqrt(v.dot(v))
	if length == 0 {
		return
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / length)
	}
}

// cluster is a set of windows: the sums of their voices and lines, and their number. The mean cosine between the
// members of two clusters is the product of their sums over the product of their numbers, so average linkage needs
// nothing else.
type cluster struct {
	sum   vector
	line  line
	count int
	// squares is the sum of the squared lengths of the lines, and stretches how many stretches of speech they were
	// measured over, each as far as its line is sure.
	squares, stretches float64
	// long tells that the line is that of longLine samples or more.
	long bool
}

// similarity is the mean cosine between members, less what their lines differ by, if both are long enough to know.
func (c *cluster) similarity(d *cluster) float64 {
	s := c.sum.dot(&d.sum) / float64(c.count*d.count)
	if c.long && d.long {
		a, b := c.meanLine(), d.meanLine()
		s -= a.cost(&b, 1)
	}
	return s
}

// add adds the windows of d.
func (c *cluster) add(d *cluster) {
	c.sum.add(&d.sum)
	c.line.add(&d.line, 1)
	c.count += d.count
	c.squares += d.squares
	c.stretches += d.stretches
}

func (c *cluster) meanLine() line {
	var mean line
	mean.add(&c.line, 1/float32(c.count))
	return mean
}

// speaker is what the windows of one have in common.
type speaker struct {
	voice vector
	line  line
}

// likeness is how much the voice, a mean of unit vectors, and the line are this speaker's.
func (s *speaker) likeness(voice *vector, l *line, contrast float64) float64 {
	return voice.dot(&s.voice) - l.cost(&s.line, contrast)
}

// agglomerate joins the two most similar clusters again and again (average linkage), until
// none are more similar than least and there are at most limit. It returns, for each
// cluster given, the number of the one it ended in, from 0 on in order of appearance.
func agglomerate(clusters []cluster, least float64, limit int) []int {
	n := len(clusters)
	similar := make([][]float64, n)
	for i := range similar {
		similar[i] = make([]float64, n)
		for j := range i {
			s := clusters[i].similarity(&clusters[j])
			similar[i][j], similar[j][i] = s, s
		}
	}
	owner, counts := make([]int, n), make([]int, n)
	nearest := make([]int, n) // of each live cluster, among those of higher number; -1 without
	find := func(i int) {
		nearest[i] = -1
		for j := i + 1; j < n; j++ {
			if counts[j] > 0 && (nearest[i] < 0 || similar[i][j] > similar[i][nearest[i]]) {
				nearest[i] = j
			}
		}
	}
	for i := range clusters {
		owner[i], counts[i] = i, clusters[i].count
	}
	for i := range clusters {
		find(i)
	}
	for live := n; live > 1; live-- {
		a := -1
		for i := range clusters {
			if counts[i] > 0 && nearest[i] >= 0 && (a < 0 || similar[i][nearest[i]] > similar[a][nearest[a]]) {
				a = i
			}
		}
		b := nearest[a]
		if similar[a][b] < least && live <= limit {
			break
		}
		// Lance and Williams' update for average linkage.
		total := float64(counts[a] + counts[b])
		for k := range clusters {
			if counts[k] > 0 && k != a && k != b {
				s := (float64(counts[a])*similar[a][k] + float64(counts[b])*similar[b][k]) / total
				similar[a][k], similar[k][a] = s, s
			}
		}
		counts[a], counts[b] = counts[a]+counts[b], 0
		for i := range owner {
			if owner[i] == b {
				owner[i] = a
			}
		}
		for i := range clusters {
			if counts[i] == 0 {
				continue
			}
			if i == a || nearest[i] == a || nearest[i] == b {
				find(i)
			} else if i < a && similar[i][a] > similar[i][nearest[i]] {
				nearest[i] = a
			}
		}
	}
	return renumber(owner)
}

// renumber replaces labels by 0, 1, … in the order in which they first appear.
func renumber(labels []int) []int {
	numbers := make(map[int]int)
	out := make([]int, len(labels))
	for i, l := range labels {
		if _, ok := numbers[l]; !ok {
			numbers[l] = len(numbers)
		}
		out[i] = numbers[l]
	}
	return out
}

// gather sums clusters by their labels 0 … n-1; a negative label is left out.
func gather(members []cluster, labels []int) []cluster {
	n := 0
	if len(labels) > 0 {
		n = slices.Max(labels) + 1
	}
	sums := make([]cluster, max(n, 0))
	for i, l := range labels {
		if l >= 0 {
			sums[l].add(&members[i])
			sums[l].long = true
		}
	}
	return sums
}

// centroids are the speakers whose windows the clusters are.
func centroids(clusters []cluster) []speaker {
	cs := make([]speaker, len(clusters))
	for i := range clusters {
		cs[i] = clusters[i].mean()
	}
	return cs
}

// closest is the speaker whom a cluster is most like.
func closest(c *cluster, cs []speaker) int {
	best, most := 0, math.Inf(-1)
	l := c.meanLine()
	for i := range cs {
		s := c.sum.dot(&cs[i].voice)/float64(c.count) - l.cost(&cs[i].line, 1)
		if s > most {
			best, most = i, s
		}
	}
	return best
}
