package whisper

import (
	"math"
	"math/rand/v2"

	"github.com/dictum/dictum/internal/models/spec"
)

// rules picks tokens from logits: which are forbidden where, the best of the rest, and
// its probability. One rules value serves all rows.
type rules struct {
	tokens spec.WhisperTokens
	// neverFirst are the ids forbidden as the first token.
	neverFirst []int
	// textEnd is the first id past the tokens that may be picked at all: text and end.
	textEnd int
	// languages are the ids of the language tokens.
	languages []int
	// suppressed are the forbidden ids below textEnd.
	suppressed []int
}

func newRules(s spec.Whisper) *rules {
	r := &rules{tokens: s.Tokens, textEnd: s.Tokens.EndOfText + 1}
	for _, l := range s.Tokens.Languages {
		r.languages = append(r.languages, l.ID)
	}
	for _, id := range s.Suppress {
		if id >= 0 && id < r.textEnd && id != s.Tokens.EndOfText {
			r.suppressed = append(r.suppressed, id)
		}
	}
	for _, id := range s.SuppressBegin {
		if id >= 0 && id < r.textEnd {
			r.neverFirst = append(r.neverFirst, id)
		}
	}
	return r
}

// negligible is how far below the maximum, in nats, a logit no longer changes the sum of
// probabilities: 51,865 of them at 20 nats together weigh 1e-4.
const negligible = 20

var minusInf = float32(math.Inf(-1))

// mask forbids, in place, what the rules forbid where no timestamps are wanted: special
// tokens, timestamps, suppressed tokens, and, as the first token, a blank or the end.
func (r *rules) mask(logits []float32, first bool) []float32 {
	logits = logits[:r.textEnd]
	forbid(logits, r.suppressed)
	if first {
		forbid(logits, r.neverFirst)
	}
	return logits
}

// maxFirst is the latest first timestamp, in steps of 20 ms: 1 s.
const maxFirst = 50

// maskTimed forbids, in place, what the rules forbid after the given tokens where
// timestamps are wanted (ApplyTimestampRules in openai/whisper's decoding.py): they begin
// the text, come in pairs between stretches of it and one at its end, and do not go back.
// When a timestamp, whichever, is more probable than any text, it must be one. The last
// timestamp is that of the end of the audio.
func (r *rules) maskTimed(logits []float32, tokens []int, positions int) []float32 {
	begin, end := r.tokens.TimestampBegin, r.tokens.EndOfText
	stop := min(begin+positions+1, len(logits))
	logits = logits[:stop]
	forbid(logits, r.suppressed)
	forbidAll(logits[end+1 : begin])
	n := len(tokens)
	if n == 0 {
		forbidAll(logits[:begin])
		forbidAll(logits[min(begin+maxFirst+1, stop):])
		return logits
	}
	last := tokens[n-1] >= begin
	paired := n < 2 || tokens[n-2] >= begin
	switch {
	case last && paired:
		forbidAll(logits[begin:])
		return logits
	case last:
		forbidAll(logits[:end])
		forbidAll(logits[begin:tokens[n-1]])
	default:
		for i := n - 1; i >= 0; i-- {
			if tokens[i] >= begin {
				forbidAll(logits[begin:min(tokens[i]+1, stop)])
				break
			}
		}
	}
	_, top := argmax(logits)
	_, topText := argmax(logits[:begin])
	if sumExp(logits[begin:], top) > math.Exp(float64(topText-top)) {
		forbidAll(logits[:begin])
	}
	return logits
}

func forbid(logits []float32, ids []int) {
	for _, id := range ids {
		logits[id] = minusInf
	}
}

func forbidAll(logits []float32) {
	for i := range logits {
		logits[i] = minusInf
	}
}

// best returns the most probable token of masked logits and its log probability.
func best(logits []float32) (token int, logProb float64) {
	token, top := argmax(logits)
	return token, -math.Log(sumExp(logits, top))
}

// sample draws a token from masked logits at a temperature above zero. The log
// probability is that at temperature one.
func sample(logits []float32, temperature float64, source *rand.Rand) (token int, logProb float64) {
	_, top := argmax(logits)
	total := 0.0
	for _, v := range logits {
		total += math.Exp(float64(v-top) / temperature)
	}
	target := source.Float64() * total
	token = -1
	for id, v := range logits {
		if v == minusInf {
			continue
		}
		token = id
		if target -= math.Exp(float64(v-top) / temperature); target <= 0 {
			break
		}
	}
	return token, float64(logits[token]-top) - math.Log(sumExp(logits, top))
}

// argmax returns the place and value of the largest value, the first of equals. Four
// running maxima keep the loop free of a chain of dependent comparisons: a step of eight
// rows scans 400,000 logits.
func argmax(values []float32) (place int, top float32) {
	var m [4]float32
	for i := range m {
		m[i] = minusInf
	}
	rest := values
	for len(rest) >= 4 {
		v := rest[:4]
		if v[0] > m[0] {
			m[0] = v[0]
		}
		if v[1] > m[1] {
			m[1] = v[1]
		}
		if v[2] > m[2] {
			m[2] = v[2]
		}
		if v[3] > m[3] {
			m[3] = v[3]
		}
		rest = rest[4:]
	}
	top = max(m[0], m[1], m[2], m[3])
	for _, v := range rest {
		top = max(top, v)
	}
	for i, v := range values {
		if v == top {
			return i, top
		}
	}
	return 0, top // all are NaN
}

// sumExp is the sum of exp(v-top) over values.
func sumExp(values []float32, top float32) float64 {
	sum := 0.0
	least := top - negligible
	for _, v := range values {
		if v > least {
			sum += float64(exp32(v - top))
		}
	}
	return sum
}

// exp32 is exp(x) for -negligible ≤ x ≤ 0, to 2e-7 relative: 2^n by the exponent bits and
// a polynomial for the fraction. math.Exp takes three times as long.
func exp32(x float32) float32 {
	const log2e = 1.4426950408889634
	y := x * log2e
	n := float32(int32(y - 0.5)) // nearest whole number for y ≤ 0
	f := (y - n) * math.Ln2
	p := 1 + f*(1+f*(0.5+f*(0.16666667+f*(0.041666667+f*(0.008333334+f*0.0013888889)))))
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}

// probabilities returns the softmax of the logits at the given ids.
func probabilities(logits []float32, ids []int) []float64 {
	ps := make([]float64, len(ids))
	top := math.Inf(-1)
	for _, id := range ids {
		top = max(top, float64(logits[id]))
	}
	total := 0.0
	for i, id := range ids {
		ps[i] = math.Exp(float64(logits[id]) - top)
		total += ps[i]
	}
	for i := range ps {
		ps[i] /= total
	}
	return ps
}

// probability is the softmax of all logits at one id.
func probability(logits []float32, id int) float64 {
	_, top := argmax(logits)
	return math.Exp(float64(logits[id]-top)) / sumExp(logits, top)
}
