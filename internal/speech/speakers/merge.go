package speakers

import "slices"

// How far lines vary from stretch to stretch of one speaker depends on the recording: by the phones that happen to be in
// a stretch, and least under noise, which makes all lines alike. So distances between lines are judged by that variance.
const (
	// usualVariance is the variance of a band on a telephone, and stands for usualStretches stretches where few are heard.
	usualVariance  = 0.15
	usualStretches = 2
	mostContrast   = 6
	// Speakers are one if their windows have at least mergeCosine in common, which two people's hardly ever have unless
	// they sound alike, and their lines are at most mergeApart apart.
	mergeCosine = 0.33
	mergeApart  = 11.5
)

// variance is that of the lines of stretches about their cluster's, over bands.
func variance(clusters []cluster) float64 {
	sum, n := usualVariance*usualStretches, float64(usualStretches)
	for i := range clusters {
		c := &clusters[i]
		if c.stretches > 1 {
			mean := c.meanLine()
			sum += c.stretches * max(0, c.squares/float64(c.count)-mean.distance(&line{})) / lineBands
			n += c.stretches - 1
		}
	}
	return sum / n
}

// contrast is what distances between lines are multiplied by, to be what they would be where lines vary as usual.
func contrast(variance float64) float64 { return min(mostContrast, max(1, usualVariance/variance)) }

// linesApart is how much the mean lines of two clusters differ beyond chance: their squared distance over the variance
// that means of so many stretches have, by bands (Hotelling's T-squared, with one variance for all bands).
func linesApart(a, b *cluster, variance float64) float64 {
	p, q := a.meanLine(), b.meanLine()
	return p.distance(&q) / lineBands / (variance * (1/a.stretches + 1/b.stretches))
}

// merge joins speakers who are one, the most similar first.
func merge(speakers []cluster) []cluster {
	speakers = slices.Clone(speakers)
	for {
		variance := variance(speakers)
		a, b, most := 0, 0, mergeCosine
		for i := range speakers {
			for j := range i {
				s := speakers[i].sum.dot(&speakers[j].sum) / float64(speakers[i].count*speakers[j].count)
				if s > most && linesApart(&speakers[i], &speakers[j], variance) < mergeApart {
					a, b, most = j, i, s
				}
			}
		}
		if a == b {
			return speakers
		}
		speakers[a].add(&speakers[b])
		speakers = slices.Delete(speakers, b, b+1)
	}
}
