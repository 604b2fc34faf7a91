package stream

import (
	"context"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
)

// Personal makes Editors that find personal information by a detector, final by final, with what was said before as its
// context. Where it is to be taken out, partials are kept back whole: what is the beginning of a card number only its end
// tells. For the same reason a final that ends within something waits for the next.
func Personal(detector *pii.Detector) func(Parameters) Editor {
	return func(p Parameters) Editor {
		_, region, _ := strings.Cut(p.LanguageCode, "-")
		e := &personal{category: "PII", takeOut: p.Redact}
		if p.Medical {
			e.category = "PHI"
		}
		// Captions can't wait for a turn that may never come: the editor says when enough has come.
		e.redactor = detector.Redactor(pii.Choice(p.Entities), region, maxHeld)
		return e
	}
}

// maxHeld is how many finals are kept back at most: a card number read in groups of four, with two remarks.
const maxHeld = 6

// personal is an Editor.
type personal struct {
	redactor *pii.Redactor
	category string
	takeOut  bool
	held     []speech.LiveResult
}

// Edit implements Editor.
func (e *personal) Edit(ctx context.Context, r speech.LiveResult) ([]Edited, error) {
	if r.Partial {
		if e.takeOut {
			return nil, nil
		}
		return []Edited{{Result: r}}, nil
	}
	e.held = append(e.held, r)
	done, err := e.redactor.Push(ctx, r.Segment)
	if err != nil {
		return nil, err
	}
	out := e.told(done)
	if e.takeOut {
		var text []string
		for _, h := range e.held {
			text = append(text, line(h.Segment.Items))
		}
		if pii.Unfinished(strings.Join(text, " ")) {
			return out, nil
		}
	}
	rest, err := e.Flush(ctx)
	return append(out, rest...), err
}

// Holds implements Editor.
func (e *personal) Holds() bool { return len(e.held) > 0 }

// Flush implements Editor.
func (e *personal) Flush(ctx context.Context) ([]Edited, error) {
	done, err := e.redactor.Flush(ctx)
	if err != nil {
		return nil, err
	}
	return e.told(done), nil
}

// told are those finals that the redactor is done with.
func (e *personal) told(done []speech.Segment) []Edited {
	out := make([]Edited, len(done))
	for i, s := range done {
		out[i].Result, out[i].Entities = told(e.held[i], s.Items, e.category, e.takeOut)
	}
	e.held = slices.Delete(e.held, 0, len(done))
	return out
}

// told gives the entities of a final, which stand as single items in the redacted ones, and the final with or without
// them.
func told(r speech.LiveResult, redacted []speech.Item, category string, takeOut bool) (speech.LiveResult, []Entity) {
	var entities []Entity
	out := make([]speech.Item, len(redacted))
	var speakers []int
	at := 0 // in the items as they were said
	for i, item := range redacted {
		first := at
		for at++; item.Redaction != nil && at < len(r.Segment.Items) && !(r.Segment.Items[at-1].Kind == speech.Word && r.Segment.Items[at-1].End == item.End); at++ {
		}
		if first < len(r.Speakers) {
			speakers = append(speakers, r.Speakers[first])
		}
		if out[i] = item; item.Redaction == nil {
			continue
		}
		content := line(r.Segment.Items[first:min(at, len(r.Segment.Items))])
		if takeOut {
			content = "[" + item.Redaction.Type + "]"
			out[i].Text, out[i].Redaction, out[i].Confidence = content, nil, item.Redaction.Confidence
		}
		entities = append(entities, Entity{
			Start: item.Start, End: item.End, Category: category, Type: item.Redaction.Type, Content: content, Confidence: item.Redaction.Confidence,
		})
	}
	if takeOut {
		r.Segment.Items, r.Speakers, r.Stable = out, speakers, len(out)
	}
	return r, entities
}

// line is the text of items.
func line(items []speech.Item) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		b.WriteString(item.Text)
	}
	return b.String()
}
