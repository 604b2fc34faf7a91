package engine

import (
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/align"
	"github.com/dictum/dictum/internal/speech/whisper"
)

// timed turns what was decoded of a window into items with times in the audio.
func (t *task) timed() (result, error) {
	pieces := t.window.Pieces
	r := result{number: t.number, language: t.language, end: pieces[len(pieces)-1].End}
	if t.err != nil {
		return r, t.err
	}
	if t.row == nil || len(t.row.Tokens()) == 0 {
		return r, nil
	}
	var err error
	if r.items, err = t.itemise(t.row); err != nil {
		return r, err
	}
	for _, row := range t.others {
		items, err := t.itemise(row)
		if err != nil {
			return r, err
		}
		r.others = append(r.others, hypothesis{items: items, behind: t.row.MeanLogProb() - row.MeanLogProb()})
	}
	return r, nil
}

// itemise splits the text of a row into items.
func (t *task) itemise(row *whisper.Row) ([]speech.Item, error) {
	m := t.job.models.whisper
	tokens := make([][]byte, len(row.Tokens()))
	for i, id := range row.Tokens() {
		tokens[i] = m.Tokenizer().Bytes(id)
	}
	starts, err := t.starts(row)
	if err != nil {
		return nil, err
	}
	spans := make([]align.Interval, len(t.window.Speech))
	for i, s := range t.window.Speech {
		spans[i] = align.Interval{Start: s.Start, End: s.End}
	}
	var items []speech.Item
	for _, p := range align.Times(align.Split(tokens), starts, spans, t.length()) {
		item := speech.Item{Text: p.Text, NoSpaceBefore: p.NoSpaceBefore}
		if p.Punctuation {
			item.Kind = speech.Punctuation
		} else {
			item.Start = duration(t.window.Source(p.Start, false))
			item.End = duration(t.window.Source(p.End, true))
			item.Confidence = confidence(t.language, row.LogProbs()[p.First:p.Last+1])
		}
		items = append(items, item)
	}
	return items, nil
}

// starts returns the sample of the window at which each token of a row begins, and that at which
// the last one ends.
func (t *task) starts(row *whisper.Row) ([]int, error) {
	attention, steps, err := t.encoding.Attention(t.job.engine.ctx, row.Queries())
	if err != nil {
		return nil, err
	}
	const perPosition = speech.SampleRate / whisper.PositionsPerSecond
	length := t.length()
	// The step that is given the last token of the prompt decides on the first of the text.
	path := align.Path(attention, t.job.models.whisper.Heads(), steps, t.encoding.Positions(),
		(length+perPosition-1)/perPosition, row.PromptLen()-1)
	starts := make([]int, 0, len(path)+1)
	for _, p := range path {
		starts = append(starts, min(p*perPosition, length))
	}
	return append(starts, length), nil
}
