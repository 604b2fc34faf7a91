package pii

import (
	"slices"
	"strings"
)

// conversation is a stretch of talk under analysis: some turns in order.
type conversation struct {
	turns []*turn
}

// turn is one turn, or a segment of one, with what was found in it so far.
type turn struct {
	index int
	text  string
	toks  []token
	cues  []found
	runs  []run
	// kinds and scores are what each run was found to be; "" is nothing.
	kinds  []string
	scores []float64
	// continues marks runs that go on with the one before, as one value.
	continues []bool
	// written tells that the text has upper-case letters, so that these mean something.
	written bool
	// visit remembers whether the turn speaks of an appointment: 1 yes, -1 no.
	visit int
	// tagged are what the Tagger found.
	tagged []Entity
}

func newTurn(index int, text string) *turn {
	t := &turn{index: index, text: text, toks: tokens(text)}
	t.cues = findCues(t.toks)
	t.runs = runs(t.toks)
	t.kinds, t.scores = make([]string, len(t.runs)), make([]float64, len(t.runs))
	t.continues = make([]bool, len(t.runs))
	for i := range t.toks {
		if tok := &t.toks[i]; tok.kind == wordToken && tok.upper() && len(tok.text) > 1 {
			t.written = true
			break
		}
	}
	return t
}

// at returns the lower-case text of a token, or nothing beyond the ends.
func (t *turn) at(i int) string {
	if i < 0 || i >= len(t.toks) {
		return ""
	}
	return t.toks[i].low
}

// says tells whether the tokens at i are the words of a phrase.
func (t *turn) says(i int, phrase string) bool {
	n := 0
	for w := range strings.FieldsSeq(phrase) {
		if t.at(i+n) != w {
			return false
		}
		n++
	}
	return true
}

// classify gives every run of every turn its type, in order, so that each can lean on those before.
func (c *conversation) classify() {
	for i, t := range c.turns {
		for k := range t.runs {
			if t.kinds[k] != "" {
				continue
			}
			if c.chain(i, k) {
				continue
			}
			if kind, score := c.codeOf(t, k); kind != "" && kind != noType {
				t.kinds[k], t.scores[k] = kind, score
			}
		}
		c.correct(t)
	}
}

// correct gives a value that was said wrongly the type of the one that corrects it, and one that corrects a part, of
// whatever length, the type of the whole: "4242 4242 4242 4241, sorry, 4242...", "no wait, it's 62 at the end".
func (c *conversation) correct(t *turn) {
	for k := range t.runs {
		last := t.before(k)
		if last < 0 || (t.kinds[last] == "") == (t.kinds[k] == "") || !c.sameAgain(t, k) || !t.corrects(last, k) {
			continue
		}
		a, b := &t.runs[last], &t.runs[k]
		switch {
		case t.kinds[last] == "" && len(a.code) == len(b.code):
			t.kinds[last], t.scores[last] = t.kinds[k], scoreLoose
		case t.kinds[k] == "" && len(b.code) > 1 && len(b.code) <= len(a.code) && len(a.code) >= 4:
			t.kinds[k], t.scores[k] = t.kinds[last], scoreGuess
		}
	}
}

// corrects tells that a word between two runs takes the first back.
func (t *turn) corrects(a, b int) bool {
	for i := t.runs[a].hi; i < t.runs[b].lo; i++ {
		if t.toks[i].is("sorry", "no", "wait", "actually", "not", "rather", "correction", "oops", "mean", "scratch") {
			return true
		}
	}
	return false
}

// place is a run of a turn.
type place struct{ turn, run int }

// maxChain bounds the parts in which one value is read out.
const maxChain = 20

// chain joins a run with those that go on with it after a full stop or in the turns that follow, and gives them all one
// type if together they are a value: "4242 4242. 4242" "mm-hmm" "4242".
func (c *conversation) chain(i, k int) bool {
	parts := []place{{i, k}}
	joined := c.turns[i].runs[k]
	if joined.letters > 0 && joined.digits == 0 {
		return false
	}
	// Somebody may repeat what was just said to confirm it; whether this is so, or the same digits come twice, only the
	// whole tells.
	once := joined
	best, bestKind, bestScore := 0, "", 0.0
	for len(parts) < maxChain {
		last := parts[len(parts)-1]
		next, ok := c.following(last)
		if !ok {
			break
		}
		r := &c.turns[next.turn].runs[next.run]
		parts = append(parts, next)
		if len(r.code) < 2 || next.turn == last.turn || !strings.HasSuffix(once.code, r.code) {
			once.add(r)
		}
		joined.add(r)
		if len(once.code) > 34 {
			break
		}
		kind, score := c.joinedKind(i, k, &joined)
		if kind == "" && len(once.code) < len(joined.code) {
			kind, score = c.joinedKind(i, k, &once)
		}
		if kind != "" {
			best, bestKind, bestScore = len(parts), kind, score
		}
	}
	if best == 0 {
		return false
	}
	for n, p := range parts[:best] {
		t := c.turns[p.turn]
		t.kinds[p.run], t.scores[p.run] = bestKind, bestScore
		t.continues[p.run] = n > 0 && parts[n-1].turn == p.turn
	}
	return true
}

// add appends the code of another run.
func (r *run) add(next *run) {
	r.code += next.code
	r.digits += next.digits
	r.letters += next.letters
}

// joinedKind classifies the parts of a chain as one value. The parts alone must not be whole values.
func (c *conversation) joinedKind(i, k int, joined *run) (string, float64) {
	t := c.turns[i]
	if joined.letters == 0 && card(joined.code) {
		return Card, scoreChecked
	}
	for _, cand := range c.candidates(t, k) {
		if cand.kind == noType {
			return "", 0
		}
		first := fit(cand.kind, &t.runs[k], false)
		switch cand.kind {
		case Card, Phone, BankAccount, SSN, BankRouting, Passport, Driver, IBAN, Vehicle, CanadianInsuring, CanadianHealth, TaxNumber, PIN, CardCode:
			if fit(cand.kind, joined, false) == typical && (first != typical || cand.kind == BankAccount) {
				if cand.kind == BankAccount && first == typical && len(joined.code) > 12 {
					return "", 0
				}
				return cand.kind, scoreTyped - cand.doubt
			}
		}
		if first != unfit {
			return "", 0
		}
	}
	if joined.letters == 0 && len(joined.code) >= 10 && len(joined.code) <= 12 && phoneDigits(joined.code) && len(t.runs[k].code) < 10 {
		return Phone, scoreGuess
	}
	return "", 0
}

// following returns the run that goes on where one ends: after a full stop in the turn, or first in the next turn,
// a turn of mere listening between left out.
func (c *conversation) following(p place) (place, bool) {
	t := c.turns[p.turn]
	if p.run+1 < len(t.runs) {
		next := t.runs[p.run+1]
		// One digit is a part of a number only where nothing but marks parts it from the next: "the new one is" is none.
		digit := len(t.runs[p.run].code) == 1 || len(next.code) == 1
		for i := t.runs[p.run].hi; i < next.lo; i++ {
			if t.toks[i].kind != markToken && (digit || !fillers[t.toks[i].low]) {
				return place{}, false
			}
		}
		return place{p.turn, p.run + 1}, true
	}
	for i := t.runs[p.run].hi; i < len(t.toks); i++ {
		if t.toks[i].kind != markToken && !fillers[t.toks[i].low] {
			return place{}, false
		}
	}
	for j := p.turn + 1; j < len(c.turns) && j <= p.turn+2; j++ {
		next := c.turns[j]
		if len(next.runs) > 0 {
			for i := range next.runs[0].lo {
				if next.toks[i].kind != markToken && !fillers[next.toks[i].low] {
					return place{}, false
				}
			}
			return place{j, 0}, true
		}
		if !next.listens() {
			return place{}, false
		}
	}
	return place{}, false
}

// fillers are words that add nothing: hesitations, and what a listener says.
var fillers = set(`uh um er erm hmm hm mm mhm ah okay ok yes yeah yep yup right sure so alright uh-huh huh go on ahead got it thank you thanks perfect great lovely please and then next
	carry keep going listening i'm with one moment all good fine cool continue what's the rest that's correct it's it is well`)

// listens tells that a turn says nothing of its own.
func (t *turn) listens() bool {
	for i := range t.toks {
		if t.toks[i].kind != markToken && !fillers[t.toks[i].low] {
			return false
		}
	}
	return true
}

// maxAsked is how many turns back a question is still being answered.
const maxAsked = 8

// asked returns what the turns before asked for, the latest first, for a run that stands where an answer would.
func (c *conversation) asked(t *turn, r *run) []candidate {
	if !answering(t, r) {
		return nil
	}
	var out []candidate
	content := 0
	for j := t.index - 1; j >= 0 && t.index-j <= maxAsked && content < 2; j-- {
		before := c.turns[j]
		if len(before.cues) == 0 {
			if before.listens() || before.answers() {
				continue
			}
			content++
			continue
		}
		partial := false
		for i := range before.toks {
			partial = partial || partialWord(before.toks, i)
		}
		for i := len(before.cues) - 1; i >= 0; i-- {
			kind := before.cues[i].kind
			if kind == noType && len(out) > 0 {
				continue
			}
			out = append(out, candidate{kind: kind, near: true, partial: partial, doubt: 0.05 * float64(content+1)})
			if kind == noType {
				return out
			}
		}
		break
	}
	return out
}

// answering tells that a run can be the answer to a question: no cue stands before it in its turn, and little else.
func answering(t *turn, r *run) bool {
	words := 0
	for i := range r.lo {
		if t.toks[i].kind == wordToken && !fillers[t.toks[i].low] && !numberWord(&t.toks[i]) && len(t.toks[i].low) > 1 {
			if words++; words > 10 {
				return false
			}
		}
	}
	return true
}

// answers tells that a turn is made of codes and fillers only.
func (t *turn) answers() bool {
	if len(t.runs) == 0 {
		return false
	}
	i := 0
	for _, r := range t.runs {
		for ; i < r.lo; i++ {
			if t.toks[i].kind != markToken && !fillers[t.toks[i].low] {
				return false
			}
		}
		i = r.hi
	}
	return slices.IndexFunc(t.toks[i:], func(tok token) bool { return tok.kind != markToken && !fillers[tok.low] }) < 0
}

// question tells whether the turns before asked for one of these types, or whether the turn itself names it before token i.
func (c *conversation) question(t *turn, i int, kinds ...string) bool {
	for k := len(t.cues) - 1; k >= 0; k-- {
		if f := t.cues[k]; f.hi <= i && i-f.hi <= reach {
			return slices.Contains(kinds, f.kind)
		}
	}
	for j := t.index - 1; j >= 0 && t.index-j <= 3; j-- {
		before := c.turns[j]
		if n := len(before.cues); n > 0 {
			return slices.Contains(kinds, before.cues[n-1].kind)
		}
		if !before.listens() {
			return false
		}
	}
	return false
}
