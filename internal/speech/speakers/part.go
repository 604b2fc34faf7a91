package speakers

import "slices"

// Two people whose voices the model takes for one end in one cluster, since no two stretches of theirs differ enough. All
// that they say differs more surely: the line of many stretches is known well, however much each errs. So a cluster is
// parted into the two halves that differ most, if both are long, and their voices and lines apart.
const (
	// partLine weighs a squared distance of lines against one of voices (unit vectors) when halves are looked for.
	partLine = 2.0 / lineBands
	// Each half has so many windows, of so many stretches.
	partWindows   = 10
	partStretches = 5
	// partCosine is the most that the voices of the halves may have in common: halves of what one person says have 0.85
	// to 0.95, where neither is short.
	partCosine = 0.83
	// partRatio is the least squared distance between the lines of the halves, in multiples of the variance of a
	// stretch's line about its speaker's.
	partRatio = 2
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
		u.sum.add(&c.sum)
		u.line.add(&c.line, 1)
		u.count += c.count
		u.members = append(u.members, i)
	}
	variance := spread(groups)
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

// spread is the variance of the lines of units about the mean of their group, over bands.
func spread(groups [][]unit) float64 {
	sum, n := 0.0, 0
	for _, units := range groups {
		if len(units) < 2 {
			continue
		}
		var all cluster
		for i := range units {
			all.line.add(&units[i].line, 1)
			all.count += units[i].count
		}
		mean := all.meanLine()
		for i := range units {
			l := units[i].meanLine()
			sum += float64(units[i].count) * l.distance(&mean) / lineBands
			n += units[i].count
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// halve finds the two halves of a group that differ most, and tells whether they are two people's. It gives each
// unit its half, 0 or 1.
func halve(units []unit, variance float64) (half []int, apart bool) {
	if len(units) < 2*partStretches || variance == 0 {
		return nil, false
	}
	points := make([]speaker, len(units))
	for i := range units {
		points[i] = units[i].mean()
	}
	// Lloyd's algorithm, from the two points that are farthest apart.
	var seeds [2]speaker
	farthest := -1.0
	for i := range points {
		for j := range i {
			if d := points[i].distance(&points[j]); d > farthest {
				farthest, seeds = d, [2]speaker{points[j], points[i]}
			}
		}
	}
	half = make([]int, len(units))
	var sums [2]cluster
	var stretches [2]int
	for range 10 {
		sums, stretches = [2]cluster{}, [2]int{}
		for i := range points {
			half[i] = 0
			if points[i].distance(&seeds[1]) < points[i].distance(&seeds[0]) {
				half[i] = 1
			}
			s := &sums[half[i]]
			s.sum.add(&units[i].sum)
			s.line.add(&units[i].line, 1)
			s.count += units[i].count
			stretches[half[i]]++
		}
		if stretches[0] == 0 || stretches[1] == 0 {
			return nil, false
		}
		seeds = [2]speaker{sums[0].mean(), sums[1].mean()}
	}
	apart = min(sums[0].count, sums[1].count) >= partWindows && min(stretches[0], stretches[1]) >= partStretches &&
		seeds[0].voice.dot(&seeds[1].voice) <= partCosine && seeds[0].line.distance(&seeds[1].line) >= partRatio*lineBands*variance
	return half, apart
}

// mean is the direction of the voices and the mean of the lines.
func (c *cluster) mean() speaker {
	s := speaker{voice: c.sum, line: c.meanLine()}
	s.voice.unit()
	return s
}

// distance is the squared distance of voices and, by partLine, of lines.
func (s *speaker) distance(t *speaker) float64 {
	return 2 - 2*s.voice.dot(&t.voice) + partLine*s.line.distance(&t.line)
}
