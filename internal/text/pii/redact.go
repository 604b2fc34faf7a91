package pii

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// Mark stands for what was taken out.
const Mark = "[PII]"

// All chooses every type, as an empty choice does.
const All = "ALL"

// Choice is the types that are to be taken out; nothing chosen means all of them.
type Choice []string

// Has tells whether the type is chosen.
func (c Choice) Has(kind string) bool {
	return len(c) == 0 || slices.Contains(c, kind) || slices.Contains(c, All)
}

// Choose keeps the entities of chosen types. One that is of two types has the one that was chosen.
func (c Choice) Choose(found []Entity) []Entity {
	var out []Entity
	for _, e := range found {
		switch {
		case c.Has(e.Type):
			out = append(out, e)
		case e.Also != "" && c.Has(e.Also):
			e.Type = e.Also
			out = append(out, e)
		}
	}
	return out
}

// Redact returns the segments of a conversation, in order of time, without the personal information of the chosen
// types. The words of an entity become one item with the text Mark, from the start of the first to the end of the last;
// marks between them go, marks after them stay. An alternative loses what is personal in its own words, and the words at
// the times at which the segment itself lost some, so that no other reading tells what was taken out.
// region is that of Turn.
//
// Segments of a language that Supported doesn't know are returned as they are. The segments given are not changed.
func (d *Detector) Redact(ctx context.Context, segments []speech.Segment, choice Choice, region string) ([]speech.Segment, error) {
	turns := make([]Turn, len(segments))
	for i := range segments {
		turns[i] = segmentTurn(&segments[i], region)
	}
	found, err := d.Find(ctx, turns)
	if err != nil {
		return nil, err
	}
	out := make([]speech.Segment, len(segments))
	for i := range segments {
		lo, hi := max(0, i-maxContext), min(len(turns), i+2)
		if out[i], err = d.redactSegment(ctx, segments[i], found[i], choice, turns[lo:hi], i-lo); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func segmentTurn(s *speech.Segment, region string) Turn {
	if !Supported(s.Language) {
		return Turn{Language: s.Language}
	}
	text, _ := itemText(s.Items)
	return Turn{Text: text, Language: s.Language, Region: region}
}

// redactSegment takes out of a segment what was found in it, and out of its alternatives what is found in them. The
// segment is the turn at of those around it.
func (d *Detector) redactSegment(ctx context.Context, s speech.Segment, found []Entity, choice Choice, around []Turn, at int) (speech.Segment, error) {
	if !Supported(s.Language) {
		return s, nil
	}
	text, spans := itemText(s.Items)
	items, times := redactItems(s.Items, spans, choice.Choose(found), nil)
	alternatives := slices.Clone(s.Alternatives)
	for i, a := range alternatives {
		own, ownSpans := itemText(a.Items)
		inIt := found
		if own != text {
			turns := slices.Clone(around)
			turns[at].Text = own
			all, err := d.Find(ctx, turns)
			if err != nil {
				return speech.Segment{}, err
			}
			inIt = all[at]
		}
		alternatives[i].Items, _ = redactItems(a.Items, ownSpans, choice.Choose(inIt), times)
	}
	s.Items, s.Alternatives = items, alternatives
	return s, nil
}

// itemText joins items to a text, and returns the bytes of each.
func itemText(items []speech.Item) (string, []span) {
	var b strings.Builder
	spans := make([]span, len(items))
	for i, item := range items {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		spans[i].lo = b.Len()
		b.WriteString(item.Text)
		spans[i].hi = b.Len()
	}
	return b.String(), spans
}

// span is a stretch of bytes.
type span struct{ lo, hi int }

// redacted is a stretch of time of which nothing may be told.
type redacted struct {
	start, end time.Duration
	redaction  speech.Redaction
}

// redactItems takes the entities out of items, and what falls into the times. It returns what is left and the times of
// the entities.
func redactItems(items []speech.Item, spans []span, found []Entity, times []redacted) ([]speech.Item, []redacted) {
	// cover is the entity of each item, from 1; joined entities of one item are one.
	cover := make([]int, len(items))
	marks := []speech.Redaction{{}}
	next := 0
	for _, e := range found {
		number := 0
		for next < len(items) && spans[next].hi <= e.Start {
			next++
		}
		for i := next; i < len(items) && spans[i].lo < e.End; i++ {
			if number == 0 {
				if number = cover[i]; number == 0 {
					marks = append(marks, speech.Redaction{Type: e.Type, Confidence: e.Score})
					number = len(marks) - 1
				}
			}
			cover[i] = number
		}
	}
	for _, t := range times {
		number := 0
		for i, item := range items {
			if item.Kind != speech.Word || !overlap(item, t) {
				continue
			}
			if cover[i] != 0 {
				number = cover[i]
				continue
			}
			if number == 0 {
				marks = append(marks, t.redaction)
				number = len(marks) - 1
			}
			cover[i] = number
		}
	}
	return replace(items, cover, marks)
}

// overlap tells that a word lies in a stretch of time, by at least a quarter of the shorter. The times of two readings
// of the same sound differ by some hundredths of a second, so that a word may touch what it has no part in.
func overlap(item speech.Item, t redacted) bool {
	common := min(item.End, t.end) - max(item.Start, t.start)
	return common > 0 && 4*common >= min(item.End-item.Start, t.end-t.start)
}

// replace puts one mark in the place of the words of each entity.
func replace(items []speech.Item, cover []int, marks []speech.Redaction) ([]speech.Item, []redacted) {
	out := make([]speech.Item, 0, len(items))
	var times []redacted
	for i := 0; i < len(items); {
		if cover[i] == 0 || items[i].Kind != speech.Word {
			out = append(out, items[i])
			i++
			continue
		}
		last := i
		for j := i + 1; j < len(items) && (items[j].Kind != speech.Word || cover[j] == cover[i]); j++ {
			if items[j].Kind == speech.Word {
				last = j
			}
		}
		mark := marks[cover[i]]
		out = append(out, speech.Item{
			Kind: speech.Word, Text: Mark, Start: items[i].Start, End: items[last].End,
			NoSpaceBefore: items[i].NoSpaceBefore, Redaction: &mark,
		})
		times = append(times, redacted{items[i].Start, items[last].End, mark})
		i = last + 1
	}
	return out, times
}

// RedactText returns text with the entities, which are in order, replaced by Mark or, with labels, by their types.
func RedactText(text string, found []Entity, labels bool) string {
	var b strings.Builder
	at := 0
	for _, e := range found {
		b.WriteString(text[at:e.Start])
		if labels {
			b.WriteString("[" + e.Type + "]")
		} else {
			b.WriteString(Mark)
		}
		at = e.End
	}
	b.WriteString(text[at:])
	return b.String()
}
