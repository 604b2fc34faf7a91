package speakers

import (
	"math"
	"slices"
)

// Two people whose voices the model takes for one end in one cluster, since no two stretches of theirs differ enough. All
// that they say differs more surely: the line of many stretches is known well, however much each errs. So a cluster is
// parted into the two halves that differ most, if both are long, and their voices and lines apart.
const (
	// partLine weighs a squared distance of lines against one of voices (unit vectors) when halves are looked for.
	partLine = 6.0 / lineBands
	// Each half has so many windows, of so many stretches.
	partWindows   = 10
	partStretches = 3
	// partCosine is the most that the voices of the halves may have in common: halves of what one person says have 0.85
	// to 0.95, where neither is short.
	partCosine = 0.83
	// partStarts is from how many places halves are looked for, besides the two farthest apart.
	partStarts = 6
	// partApart is the least that the lines of the halves are apart. Halves are looked for, so that chance alone sets
	// them apart: speakers who turn out to be less than mergeApart apart are joined again.
	partApart = 5
)

// unit is what is not parted: the windows of one stretch, or a frozen cluster.
type unit struct {
	cluster
	members []int
}

// part gives one half of each cluster that is two people's a label of its own. The clusters of one stretch have
// the same number in stretches.
func part(clusters []cluster, stretches, labels []int) []int {
	groups := make([][]unit, slices.Max(labels)+1)
	for i, c := range clusters {
		g := &groups[labels[i]]
		at := slices.IndexFunc(*g, func(u unit) bool { return stretches[u.members[0]] == stretches[i] })
		if at < 0 {
			at = len(*g)
			*g = append(*g, unit{})
		}
		u := &(*g)[at]
		u.add(&c)
		u.members = append(u.members, i)
	}
	variance := variance(gather(clusters, labels))
	labels = slices.Clone(labels)
	next := len(groups)
	for _, units := range groups {
		if half, apart := halve(units, variance); apart {
			for i, second := range half {
				if second == 1 {
					for _, m := range units[i].members {
						labels[m] = next
					}
				}
			}
			next++
		}
	}
	return labels
}

// halve finds the two halves of a group that differ most, and tells whether they are two people's. It gives each
// unit its half, 0 or 1.
func halve(units []unit, variance float64) (half []int, apart bool) {
	if len(units) < 2*partStretches {
		return nil, false
	}
	points := make([]speaker, len(units))
	for i := range units {
		points[i] = units[i].mean()
	}
	weight := partLine * contrast(variance)
	best := halves{cost: math.Inf(1)}
	for _, start := range starts(points, units, weight) {
		if h := lloyd(points, units, start, weight); h.cost < best.cost {
			best = h
		}
	}
	if math.IsInf(best.cost, 1) {
		return nil, false
	}
	a, b := best.sums[0].mean(), best.sums[1].mean()
	return best.of, min(best.sums[0].count, best.sums[1].count) >= partWindows && min(best.stretches[0], best.stretches[1]) >= partStretches &&
		a.voice.dot(&b.voice) <= partCosine && linesApart(&best.sums[0], &best.sums[1], variance) >= partApart
}

// halves are two halves of a group.
type halves struct {
	of        []int // the half of each unit
	sums      [2]cluster
	stretches [2]int
	cost      float64 // the squared distances from the halves' means
}

// starts are pairs of means from which halves are looked for: the two points farthest apart, and the points with most
// windows, each with what is farthest from it.
func starts(points []speaker, units []unit, weight float64) [][2]speaker {
	farthest := func(i int) (j int, distance float64) {
		for k := range points {
			if d := points[i].distance(&points[k], weight); d > distance {
				j, distance = k, d
			}
		}
		return j, distance
	}
	a, b, most := 0, 0, -1.0
	for i := range points {
		if j, d := farthest(i); d > most {
			a, b, most = i, j, d
		}
	}
	out := [][2]speaker{{points[a], points[b]}}
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return units[j].count - units[i].count })
	for _, i := range order[:min(partStarts, len(order))] {
		j, _ := farthest(i)
		out = append(out, [2]speaker{points[i], points[j]})
	}
	return out
}

// lloyd moves two means until each is that of the points nearest to it. Its cost is infinite when one has none.
func lloyd(points []speaker, units []unit, means [2]speaker, weight float64) halves {
	h := halves{of: make([]int, len(points)), cost: math.Inf(1)}
	for range 10 {
		h.sums, h.stretches = [2]cluster{}, [2]int{}
		cost := 0.0
		for i := range points {
			near, far := points[i].distance(&means[0], weight), points[i].distance(&means[1], weight)
			h.of[i] = 0
			if far < near {
				h.of[i], near = 1, far
			}
			cost += near * float64(units[i].count)
			h.sums[h.of[i]].add(&units[i].cluster)
			h.stretches[h.of[i]]++
		}
		if h.stretches[0] == 0 || h.stretches[1] == 0 {
			return halves{cost: math.Inf(1)}
		}
		h.cost = cost
		means = [2]speaker{h.sums[0].mean(), h.sums[1].mean()}
	}
	return h
}

// mean is the direction of the voices and the mean of the lines.
func (c *cluster) mean() speaker {
	s := speaker{voice: c.sum, line: c.meanLine()}
	s.voice.unit()
	return s
}

// distance is the squared distance of voices and, by weight, of lines.
func (s *speaker) distance(t *speaker, weight float64) float64 {
	return 2 - 2*s.voice.dot(&t.voice) + weight*s.line.distance(&t.line)
}
