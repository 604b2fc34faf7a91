package engine

import "math"

// confidence is the probability that a word is right, from the log probabilities of its
// tokens.
func confidence(logProbs []float64) float64 {
	sum := 0.0
	for _, p := range logProbs {
		sum += math.Exp(p)
	}
	return sum / float64(len(logProbs))
}
