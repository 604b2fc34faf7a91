package stream

import (
	"context"
	"strings"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
)

// Personal makes Editors that find personal information by a detector, final by final, with what was said before as its
// context. Where it is to be taken out, partials are kept back whole: what is the beginning of a card number only its end
// tells.
func Personal(detector *pii.Detector) func(Parameters) Editor {
	return func(p Parameters) Editor {
		_, region, _ := strings.Cut(p.LanguageCode, "-")
		category := "PII"
		if p.Medical {
			category = "PHI"
		}
		// Live captions can't wait for a turn that may never come.
		redactor := detector.Redactor(pii.Choice(p.Entities), region, 0)
		return func(ctx context.Context, r speech.LiveResult) (speech.LiveResult, []Entity, error) {
			if r.Partial {
				if p.Redact {
					r.Segment.Items, r.Speakers, r.Stable = nil, nil, 0
				}
				return r, nil, nil
			}
			done, err := redactor.Push(ctx, r.Segment)
			if err != nil || len(done) == 0 {
				return speech.LiveResult{}, nil, err
			}
			return told(r, done[0].Items, category, p.Redact)
		}
	}
}

// told gives the entities of a final, which stand as single items in the redacted ones, and the final with or without
// them.
func told(r speech.LiveResult, redacted []speech.Item, category string, takeOut bool) (speech.LiveResult, []Entity, error) {
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
	return r, entities, nil
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
