package ner

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/text/pii"
)

// MinScore is the score from which entities are told; a user of them decides what to trust, by type.
const MinScore = 0.3

// weak is the probability from which a word goes on with the name or address beside it: many surnames are rare words,
// which the model doubts. On 220 labelled turns it adds names' second halves and no false alarm.
const weak = 0.15

// group is what several of the model's kinds count for together.
type group uint8

// The groups. Part and city together make addresses; other is what AWS has no name for.
const (
	other group = iota
	name
	email
	phone
	url
	taxNumber
	bankAccount
	bankRouting
	passport
	driver
	part
	city
	groups // how many there are
)

// odds are the probabilities of the groups for one token or word.
type odds [groups]float32

// kinds are the model's own.
var kinds = map[string]group{
	"O":                 other,
	"GIVEN_NAME":        name,
	"SURNAME":           name,
	"EMAIL":             email,
	"PHONE":             phone,
	"URL":               url,
	"TAX_ID":            taxNumber,
	"BANK_ACCOUNT":      bankAccount,
	"ROUTING_NUMBER":    bankRouting,
	"GOVERNMENT_ID":     other,
	"PASSPORT":          passport,
	"DRIVERS_LICENSE":   driver,
	"BUILDING_NUMBER":   part,
	"STREET_NAME":       part,
	"SECONDARY_ADDRESS": part,
	"CITY":              city,
	"STATE":             city,
	"ZIP_CODE":          part,
}

// types are the groups' names.
var types = [groups]string{
	name: pii.Name, email: pii.Email, phone: pii.Phone, url: pii.URL, taxNumber: pii.SSN, bankAccount: pii.BankAccount,
	bankRouting: pii.BankRouting, passport: pii.Passport, driver: pii.Driver, part: pii.Address, city: pii.City,
}

// word is a word of a text as the tokenizer cuts them: letters and digits up to a space or punctuation.
type word struct {
	start, end int // bytes
	odds       odds
	// group is the most probable one that AWS has a name for, and other when even that is below MinScore.
	group group
}

// words gives the text's words without punctuation, each with its most probable group.
func (r *reading) words() []word {
	var all []word
	for i := 0; i < len(r.tokens); {
		n := i
		var w word
		for ; n < len(r.tokens) && r.tokens[n].Word == r.tokens[i].Word; n++ {
			for g, p := range r.odds[n] {
				w.odds[g] += p
			}
		}
		w.start, w.end = r.tokens[i].Start, r.tokens[n-1].End
		best := float32(MinScore)
		for g := range groups {
			w.odds[g] /= float32(n - i)
			if g != other && w.odds[g] >= best {
				w.group, best = g, w.odds[g]
			}
		}
		if first, _ := utf8.DecodeRuneInString(r.text[w.start:]); !isPunctuation(first) {
			all = append(all, w)
		}
		i = n
	}
	return all
}

// entities joins words to entities.
func (r *reading) entities() []pii.Entity {
	words := r.words()
	var all []pii.Entity
	for i := 0; i < len(words); {
		if words[i].group == other {
			i++
			continue
		}
		n := i + 1
		for n < len(words) && r.joined(words[n-1], &words[n]) {
			n++
		}
		if e, ok := r.entity(words[i:n]); ok {
			all = append(all, e)
		}
		i = n
	}
	return r.whole(all)
}

// joined tells whether two neighbouring words belong to one entity. It makes b of a's group when b is weakly so.
func (r *reading) joined(a word, b *word) bool {
	between := r.text[a.end:b.start]
	gap := strings.TrimSpace(between)
	if b.group == other && gap == "" && (a.group == name || a.group == part) && b.odds[a.group] >= weak {
		b.group = a.group
	}
	if b.group == other || a.group != b.group && !(a.group.inAddress() && b.group.inAddress()) {
		return false
	}
	if gap == "" || !strings.ContainsFunc(between, unicode.IsSpace) {
		return true
	}
	switch gap {
	case ",":
		return a.group.inAddress()
	case ")":
		return a.group == phone
	case ".": // an initial, or "St."
		return a.group.inAddress() || a.group == name && utf8.RuneCountInString(r.text[a.start:a.end]) == 1
	}
	return false
}

func (g group) inAddress() bool { return g == part || g == city }

// titles are not of a name.
var titles = []string{"the", "mr", "mrs", "ms", "miss", "mister", "missus", "dr", "doctor", "sir", "madam", "prof", "professor"}

// entity makes one of joined words, unless nothing is left without titles.
func (r *reading) entity(words []word) (pii.Entity, bool) {
	g := words[0].group
	for g == name && len(words) > 0 && slices.Contains(titles, strings.ToLower(r.text[words[0].start:words[0].end])) {
		words = words[1:]
	}
	if len(words) == 0 {
		return pii.Entity{}, false
	}
	e := pii.Entity{Start: words[0].start, End: words[len(words)-1].end}
	sure := 0
	for _, w := range words {
		if w.group == part {
			g = part
		}
		if p := w.odds[w.group]; p >= MinScore {
			e.Score += float64(p)
			sure++
		}
	}
	e.Type, e.Score = types[g], e.Score/float64(max(1, sure))
	return e, true
}

// whole widens entities that begin or end inside a word as people see words, such as "Smith" in "Smith-Jones" or the
// host of an e-mail address; an "'s" stays outside. What then touches is one.
func (r *reading) whole(all []pii.Entity) []pii.Entity {
	var joined []pii.Entity
	for _, e := range all {
		e.Start, e.End = r.wordBefore(e.Start), r.wordAfter(e.End)
		if n := len(joined); n > 0 && e.Start < joined[n-1].End {
			last := &joined[n-1]
			last.End = max(last.End, e.End)
			if e.Score > last.Score {
				last.Type, last.Score = e.Type, e.Score
			}
			continue
		}
		joined = append(joined, e)
	}
	return joined
}

// wordBefore is where the word begins that goes on at a byte of the text.
func (r *reading) wordBefore(at int) int {
	for {
		rest := strings.TrimRightFunc(r.text[:at], isLetter)
		if rest == r.text[:at] {
			link, n := utf8.DecodeLastRuneInString(rest)
			rest = strings.TrimRightFunc(rest[:len(rest)-n], isLetter)
			if !isLink(link) || len(rest) == at-n {
				return at
			}
		}
		at = len(rest)
	}
}

// wordAfter is where the word ends that has begun before a byte of the text.
func (r *reading) wordAfter(at int) int {
	for {
		rest := strings.TrimLeftFunc(r.text[at:], isLetter)
		if rest == r.text[at:] {
			link, n := utf8.DecodeRuneInString(rest)
			more := rest[n:]
			rest = strings.TrimLeftFunc(more, isLetter)
			if !isLink(link) || len(rest) == len(more) || isPossessive(link, more[:len(more)-len(rest)]) {
				return at
			}
		}
		at = len(r.text) - len(rest)
	}
}

func isPossessive(link rune, rest string) bool {
	return (link == '\'' || link == '’') && (rest == "s" || rest == "S")
}

// isLink tells what holds the parts of a word together, where no space is beside it.
func isLink(r rune) bool { return strings.ContainsRune("-'’@._/:+&", r) }

func isLetter(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
