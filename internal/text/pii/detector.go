package pii

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Detector finds personal information. It is safe for concurrent use.
type Detector struct {
	// Tagger adds what a model finds; nil leaves it to the rules.
	Tagger Tagger
}

// Turn is what one person says until the other talks, or a part of it.
type Turn struct {
	Text string
	// Language is an ISO 639-1 code; empty means "en". In other languages only what has a written form is found, and
	// what the Tagger adds.
	Language string
	// Region is the two-letter code of the country (ISO 3166-1) whose telephone numbers need no country code; empty
	// takes the language's largest.
	Region string
}

// Find returns the entities of each turn of a conversation, in order and without overlaps. It reads the turns as one
// talk: a question in one gives the answer in the next its type. It returns the Tagger's error.
func (d *Detector) Find(ctx context.Context, turns []Turn) ([][]Entity, error) {
	tagged, err := d.tag(ctx, turns)
	if err != nil {
		return nil, err
	}
	return find(turns, tagged), nil
}

func (d *Detector) tag(ctx context.Context, turns []Turn) ([][]Entity, error) {
	if d.Tagger == nil {
		return make([][]Entity, len(turns)), nil
	}
	texts := make([]string, len(turns))
	for i, t := range turns {
		texts[i] = t.Text
	}
	tagged, err := d.Tagger.Tag(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("tag entities: %w", err)
	}
	if len(tagged) != len(turns) {
		return nil, fmt.Errorf("tag entities: %d texts gave %d results", len(turns), len(tagged))
	}
	return tagged, nil
}

// find is Find after the Tagger has run.
func find(turns []Turn, tagged [][]Entity) [][]Entity {
	c := &conversation{turns: make([]*turn, len(turns))}
	for i, t := range turns {
		c.turns[i] = newTurn(i, t.Text)
		if !english(t.Language) {
			c.turns[i].cues, c.turns[i].runs = nil, nil
		}
		c.turns[i].tagged = tagged[i]
	}
	c.classify()
	out := make([][]Entity, len(turns))
	for i, t := range turns {
		if english(t.Language) {
			out[i] = c.entities(c.turns[i])
		} else {
			out[i] = foreign(c.turns[i], t)
		}
	}
	return out
}

func english(language string) bool {
	return language == "" || language == "en" || strings.HasPrefix(language, "en-")
}

// regions are the countries whose telephone numbers a language's speakers most likely mean.
var regions = map[string]string{"de": "DE", "fr": "FR", "it": "IT", "pt": "BR", "es": "US"}

// foreign finds what needs no words of a language.
func foreign(t *turn, of Turn) []Entity {
	region := of.Region
	if region == "" {
		region = regions[strings.SplitN(of.Language, "-", 2)[0]]
	}
	found := written(t.text)
	found = slices.DeleteFunc(found, func(e Entity) bool { return e.Type == Address })
	found = append(found, phones(t.text, region)...)
	return withTagger(t, settle(found))
}

// entities brings together all that was found in a turn.
func (c *conversation) entities(t *turn) []Entity {
	found := written(t.text)
	for k, kind := range t.kinds {
		if kind != "" {
			if t.continues[k] {
				// "2. 1. 2. 5." is one number.
				found[len(found)-1].End = t.toks[t.runs[k].hi-1].end
				continue
			}
			e := t.entity(t.runs[k].lo, t.runs[k].hi, kind, t.scores[k])
			if kind == IBAN || kind == BankAccount && iban(t.runs[k].code) {
				e.Type, e.Also = BankAccount, IBAN
			}
			found = append(found, e)
		}
	}
	found = append(found, c.spokenAddresses(t)...)
	found = append(found, c.secrets(t)...)
	found = append(found, c.dates(t)...)
	found = append(found, c.ages(t)...)
	found = append(found, c.addresses(t)...)
	found = append(found, c.expiries(t)...)
	found = append(found, t.bankCodes()...)
	found = append(found, c.names(t)...)
	return withTagger(t, settle(found))
}

// ranks say which of two entities that overlap is right; the higher wins.
var ranks = map[string]int{
	Email: 9, URL: 9, AWSAccessKey: 9, AWSSecretKey: 9, MACAddress: 9, IPAddress: 9, Password: 8, Username: 8, Address: 7,
	CardExpiry: 6, DateTime: 5, Age: 3, Name: 2,
}

// settle puts entities in order and drops those that overlap a better one.
func settle(found []Entity) []Entity {
	rank := func(e Entity) int {
		if r, ok := ranks[e.Type]; ok {
			return r
		}
		return 6
	}
	slices.SortStableFunc(found, func(a, b Entity) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(b.Score, a.Score))
	})
	var out []Entity
	for _, e := range found {
		if e.End > e.Start && !slices.ContainsFunc(out, func(o Entity) bool { return e.Start < o.End && o.Start < e.End }) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entity) int { return cmp.Compare(a.Start, b.Start) })
	return out
}
