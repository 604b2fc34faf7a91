package engine

import "math"

// calibration is a monotone map from what the model believes to how often it is right:
// the logistic function of slope·logit(p) + shift (Platt scaling).
type calibration struct{ slope, shift float64 }

// Fitted to 6,479 words of Whisper base against the reference texts of 462 telephone
// prompts (the development half of Asterisk's core sounds). Over ten bins, the mean gap
// between confidence and share of right words went from 3.2 to 0.4 points in English (two
// halves, each by the fit to the other), and from 5.2 to 0.9 in Spanish, French, Italian
// and Russian together. The model is too modest in English, and too sure elsewhere.
var (
	englishCalibration = calibration{slope: 0.55, shift: 1.88}
	otherCalibration   = calibration{slope: 0.62, shift: 0.09}
)

// confidence is the calibrated probability that a word is right, from the log
// probabilities of its tokens.
func confidence(language string, logProbs []float64) float64 {
	if len(logProbs) == 0 {
		return 0
	}
	sum := 0.0
	for _, p := range logProbs {
		sum += math.Exp(p)
	}
	c := otherCalibration
	if language == "en" {
		c = englishCalibration
	}
	return c.apply(sum / float64(len(logProbs)))
}

func (c calibration) apply(p float64) float64 {
	const least = 1e-4
	p = min(max(p, least), 1-least)
	return 1 / (1 + math.Exp(-c.slope*math.Log(p/(1-p))-c.shift))
}
