package speakers

const (
	// changeCost is what a change of speaker costs, in cosine, within a stretch of speech,
	// and pauseCost what it costs across a pause.
	changeCost = 0.4
	pauseCost  = 0.25
)

// resegment finds the most likely sequence of speakers by Viterbi's algorithm: each window
// wants the speaker whom it is like, and a change has a cost, which is lower where
// changes says that one is likely. Distances between lines count times contrast.
func resegment(windows []window, mean line, contrast float64, cs []speaker) []int {
	n, k := len(windows), len(cs)
	labels := make([]int, n)
	if k < 2 || n == 0 {
		return labels
	}
	score, next := make([]float64, k), make([]float64, k)
	from := make([]uint8, n*k) // there are at most 255 speakers
	first := windows[0].trusted(&mean)
	for c := range cs {
		score[c] = cs[c].likeness(&windows[0].voice, &first, contrast)
	}
	for t := 1; t < n; t++ {
		l := windows[t].trusted(&mean)
		cost := changeCost
		if windows[t].stretch != windows[t-1].stretch {
			cost = pauseCost
		}
		best := 0
		for c := range score {
			if score[c] > score[best] {
				best = c
			}
		}
		for c := range cs {
			came := c
			if score[best]-cost > score[c] {
				came = best
			}
			next[c] = score[c]
			if came != c {
				next[c] = score[best] - cost
			}
			next[c] += cs[c].likeness(&windows[t].voice, &l, contrast)
			from[t*k+c] = uint8(came)
		}
		score, next = next, score
	}
	for c := range score {
		if score[c] > score[labels[n-1]] {
			labels[n-1] = c
		}
	}
	for t := n - 1; t > 0; t-- {
		labels[t-1] = int(from[t*k+labels[t]])
	}
	return labels
}
