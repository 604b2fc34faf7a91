package whisper

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// Beam is a search for the most probable text of a window: several hypotheses are rows of a Batch at
// the same time, and in each step the best continuations of all of them stay (beam search, as in
// arXiv 2212.04356 §4.5). Its result does not depend on what else is in the batch.
type Beam struct {
	width int
	live  []*Row
	ended []*Row
	done  bool
}

// Done reports whether the search has ended. Its rows have then left the batch.
func (b *Beam) Done() bool { return b.done }

// Hypotheses are the texts found, the most probable first by their mean log probability.
func (b *Beam) Hypotheses() []*Row { return b.ended }

// AddBeam starts to search for a window's text with the given number of hypotheses, each of which
// needs a row. Task.Temperature must be zero.
func (b *Batch) AddBeam(e *Encoding, task Task, width int) (*Beam, error) {
	if task.Temperature != 0 || width < 1 {
		return nil, errors.New("a beam search has hypotheses and no temperature")
	}
	if b.Free() < width {
		return nil, errors.New("the decoding batch has no room for a beam search")
	}
	row, err := b.Add(e, task)
	if err != nil {
		return nil, err
	}
	beam := &Beam{width: width, live: []*Row{row}}
	row.beam = beam
	b.beams = append(b.beams, beam)
	return beam, nil
}

// RemoveBeam takes a search's rows out.
func (b *Batch) RemoveBeam(beam *Beam) {
	for _, row := range beam.live {
		b.Remove(row)
	}
	beam.live = nil
	if i := slices.Index(b.beams, beam); i >= 0 {
		b.beams = slices.Delete(b.beams, i, i+1)
	}
}

// reserved is how many rows the searches may still take.
func (b *Batch) reserved() int {
	n := 0
	for _, beam := range b.beams {
		n += beam.width - len(beam.live)
	}
	return n
}

// offer is a token that may be next.
type offer struct {
	token   int
	logProb float64
}

// offers returns the n most probable tokens of masked logits, the best first, of equals the one
// with the lower id.
func offers(logits []float32, n int, found []offer) []offer {
	_, top := argmax(logits)
	total := math.Log(sumExp(logits, top))
	least := minusInf
	for id, v := range logits {
		if v <= least {
			continue
		}
		at := len(found)
		for at > 0 && logits[found[at-1].token] < v {
			at--
		}
		found = slices.Insert(found, at, offer{id, float64(v-top) - total})
		if len(found) > n {
			found = found[:n]
		}
		if len(found) == n {
			least = logits[found[n-1].token]
		}
	}
	return found
}

// continuation is a hypothesis with one token more.
type continuation struct {
	parent *Row
	order  int // of the parent
	offer
}

// settle carries a search on after its rows were given their offers.
func (b *Batch) settle(beam *Beam) {
	if beam.live[0].offers == nil {
		return // still in the prompt
	}
	var all []continuation
	for i, row := range beam.live {
		for _, o := range row.offers {
			all = append(all, continuation{row, i, o})
		}
	}
	slices.SortStableFunc(all, func(x, y continuation) int {
		if c := cmp.Compare(y.parent.sum+y.logProb, x.parent.sum+x.logProb); c != 0 {
			return c
		}
		return cmp.Compare(x.order, y.order)
	})
	var next []continuation
	var loop *Row
	for _, c := range all {
		if len(next) == beam.width {
			break
		}
		if c.token != c.parent.rules.tokens.EndOfText && !c.wouldEnd() {
			next = append(next, c)
			continue
		}
		ended := c.parent.fork()
		ended.accept(c.token, c.logProb, c.parent.offered)
		if ended.looping {
			loop = ended
		} else if len(beam.ended) < beam.width {
			beam.ended = append(beam.ended, ended)
		}
	}
	if len(beam.ended) < beam.width && len(next) > 0 {
		b.extend(beam, next)
		return
	}
	if len(beam.ended) == 0 {
		beam.ended = []*Row{loop} // nothing else was left
	}
	slices.SortStableFunc(beam.ended, func(x, y *Row) int { return cmp.Compare(y.MeanLogProb(), x.MeanLogProb()) })
	beam.done = true
	b.RemoveBeam(beam)
}

// wouldEnd tells that the token ends the text by its length or by going round in circles.
func (c continuation) wouldEnd() bool {
	if len(c.parent.sequence)+1 >= c.parent.limit {
		return true
	}
	return c.token < c.parent.rules.tokens.TimestampBegin && loops(append(slices.Clip(c.parent.tokens), c.token))
}

// extend makes the continuations the live rows. The first of each parent takes its row over; the others
// get the rows of parents without any, or new ones.
func (b *Batch) extend(beam *Beam, next []continuation) {
	heirs := make(map[*Row]continuation, len(beam.live))
	var others []continuation
	for _, c := range next {
		if _, ok := heirs[c.parent]; ok {
			others = append(others, c)
			continue
		}
		heirs[c.parent] = c
	}
	var live, childless []*Row
	for _, row := range beam.live {
		if _, ok := heirs[row]; !ok {
			childless = append(childless, row)
		}
	}
	for _, c := range others {
		child := c.parent.fork()
		from := slices.Index(b.rows, c.parent)
		to := len(b.rows)
		if len(childless) > 0 {
			to = slices.Index(b.rows, childless[0])
			childless = childless[1:]
			b.rows[to] = child
		} else {
			b.rows = append(b.rows, child)
			b.copyCross(to, from, child.encoding.positions)
		}
		b.copySelf(to, from, child.past)
		child.accept(c.token, c.logProb, c.parent.offered)
		live = append(live, child)
	}
	for _, row := range childless {
		b.Remove(row)
	}
	for _, row := range beam.live {
		if c, ok := heirs[row]; ok {
			row.accept(c.token, c.logProb, row.offered)
			live = append(live, row)
		}
	}
	beam.live = live
}

// fork returns a copy of the row that can go another way.
func (r *Row) fork() *Row {
	c := *r
	c.sequence, c.tokens, c.logProbs = slices.Clone(r.sequence), slices.Clone(r.tokens), slices.Clone(r.logProbs)
	c.queries, c.offers = slices.Clone(r.queries), nil
	return &c
}
