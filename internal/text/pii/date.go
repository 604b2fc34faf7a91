package pii

import "strings"

var months = set("january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec")

var weekdays = set("monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun")

// birthWords are the words before a date of birth.
var birthWords = set("born birthday birthdate dob birth")

// visitPhrases are the phrases that make a date an appointment.
var visitPhrases = []string{
	"appointment", "appointments", "booked in", "book you in", "booked you in", "booked for", "pencilled you in", "penciled you in", "see you", "see me", "seeing you", "seen on", "come in", "coming in", "slot", "scheduled for", "rescheduled",
	"reschedule", "consultation", "checkup", "check up", "visit", "fit you in", "squeeze you in", "put you down", "put you in", "have you down", "got you down", "down for", "meeting with", "meet with", "you're in",
	"surgery", "session", "scan", "vaccination", "viewing", "interview", "expecting you", "bring you in", "get you in", "i have you", "move you to", "moved you to", "moved me to", "book me", "book you", "booked on", "procedure", "exam is", "haircut",
	"operation", "admitted", "discharged", "married", "passed away", "died", "dental", "dentist", "hygienist", "physio", "he can see", "she can see", "can see",
}

// dates finds a person's dates: of birth, also the year alone, and appointments.
func (c *conversation) dates(t *turn) []Entity {
	var out []Entity
	for i := 0; i < len(t.toks); {
		d := t.date(i)
		if end := t.spokenDate(i); end > max(i, d.hi) && (t.bornBefore(i) || c.questionOfBirth(t)) {
			out = append(out, t.entity(i, end, DateTime, scoreLoose))
			i = end
			continue
		}
		if d.hi <= i {
			i++
			continue
		}
		if kind := c.personal(t, i, &d); kind != "" {
			out = append(out, t.entity(i, d.hi, DateTime, scoreLoose))
		}
		i = d.hi
	}
	return out
}

// spokenDate returns the end of a date in numbers at i, or i: "one two nineteen seventy", "oh four oh six eighty two".
func (t *turn) spokenDate(i int) int {
	at := i
	for range 2 {
		next := t.upTo31(at)
		if next == at {
			return i
		}
		at = next
		for t.at(at) == "," || t.at(at) == "/" || t.at(at) == "slash" || t.at(at) == "of" {
			at++
		}
	}
	if next, ok := t.year(at, &dateParts{month: true, day: true}); ok {
		return next
	}
	return i
}

// upTo31 reads a number that can be a day or a month: "four", "oh four", "22".
func (t *turn) upTo31(i int) int {
	if i < len(t.toks) && t.toks[i].kind == digitToken && dayNumber(t.toks[i].text) {
		return i + 1
	}
	digits, next := below100(t.toks, i)
	if next > i && (digits == "0") {
		digits, next = below100(t.toks, next)
		if len(digits) != 1 {
			return i
		}
	}
	if next <= i || !dayNumber(digits) {
		return i
	}
	return next
}

// dateParts is a date or time that was read.
type dateParts struct {
	hi                              int
	day, month, year, weekday, time bool
}

// personal tells why a date is somebody's: "birth", "visit", or "".
func (c *conversation) personal(t *turn, lo int, d *dateParts) string {
	birth, visit := t.bornBefore(lo), t.visits()
	if !birth && !visit {
		for i := d.hi; i < min(len(t.toks), d.hi+6); i++ {
			birth = birth || t.toks[i].is("birthday", "dob", "birth")
		}
		birth = birth || c.question(t, lo, DateTime) || c.questionOfBirth(t)
	}
	switch {
	case birth && (d.year || d.month && d.day):
		return "birth"
	case visit && (d.month && d.day || d.weekday && (d.day || d.time)):
		return "visit"
	case visit && d.time && (d.weekday || d.day || t.at(lo-1) == "tomorrow"):
		return "visit"
	}
	// A correction: "no sorry, 1974".
	if d.year && c.afterDate(t, lo) {
		return "birth"
	}
	return ""
}

// bornBefore tells that a word for birth stands before i.
func (t *turn) bornBefore(i int) bool {
	for k := max(0, i-14); k < i; k++ {
		if birthWords[t.toks[k].base] || t.says(k, "d o b") {
			return true
		}
	}
	return false
}

// visits tells that the turn speaks of an appointment.
func (t *turn) visits() bool {
	if t.visit == 0 {
		t.visit = -1
		for i := range t.toks {
			for _, p := range visitPhrases {
				if p[0] == t.toks[i].low[0] && (t.says(i, p) || t.toks[i].base == p) {
					t.visit = 1
				}
			}
		}
	}
	return t.visit > 0
}

// questionOfBirth tells that the turn before asked for a date of birth.
func (c *conversation) questionOfBirth(t *turn) bool {
	for j := t.index - 1; j >= 0 && j >= t.index-3; j-- {
		for _, f := range c.turns[j].cues {
			if f.kind == DateTime {
				return true
			}
		}
		if !c.turns[j].listens() {
			return false
		}
	}
	return false
}

// afterDate tells that a birth word is in the turn and only a correction stands between it and token lo.
func (c *conversation) afterDate(t *turn, lo int) bool {
	for i := lo - 1; i >= 0; i-- {
		if birthWords[t.toks[i].base] {
			return true
		}
	}
	return false
}

// date reads the date or time that begins at i, as far as it goes.
func (t *turn) date(i int) dateParts {
	var d dateParts
	at := i
	for n := 0; n < 8 && at < len(t.toks); n++ {
		next := t.datePart(at, &d)
		if next == at {
			break
		}
		at = next
		d.hi = at
		// Small words between parts are inside, not at the end.
		for at < len(t.toks) && (t.toks[at].is(",", "of", "the", "at", "around", "about", "in", "-", "/") || t.toks[at].text == "." && len(t.at(at-1)) <= 4 && months[t.at(at-1)]) && at-d.hi < 2 {
			at++
		}
	}
	if d.hi == 0 || !d.month && !d.weekday && !d.year && !(d.day && d.time) {
		if d.time && !d.day && d.hi > i {
			return dateParts{hi: d.hi, time: true}
		}
		if d.day && d.hi > i {
			return dateParts{hi: d.hi, day: true}
		}
		return dateParts{}
	}
	return d
}

// datePart reads one part at i and returns where it ends.
func (t *turn) datePart(i int, d *dateParts) int {
	w := &t.toks[i]
	switch {
	case weekdays[w.low] && !d.weekday && !d.month && (len(w.low) > 3 || w.upper()) && !(w.is("sun", "wed", "sat") && !w.upper()):
		d.weekday = true
		return i + 1
	case months[w.low] && !d.month && t.isMonth(i, d):
		d.month = true
		return i + 1
	}
	if w.kind == digitToken {
		if next := t.numericDate(i, d); next > i {
			return next
		}
	}
	if next := t.clock(i, d); next > i {
		return next
	}
	if next, year := t.year(i, d); next > i {
		d.year = year
		return next
	}
	if d.day {
		return i
	}
	if next := t.dayOfMonth(i, d); next > i {
		d.day = true
		return next
	}
	return i
}

// isMonth tells a month from the other words that look like one.
func (t *turn) isMonth(i int, d *dateParts) bool {
	w := &t.toks[i]
	if len(w.low) <= 4 && !w.is("june", "july") && !w.upper() && !w.is("jan", "feb", "apr", "aug", "sept", "oct", "nov", "dec") || w.is("may", "march", "mar") {
		if d.day {
			return t.at(i-1) == "of" || w.upper() || t.dayBefore(i)
		}
		if i+1 >= len(t.toks) {
			return false
		}
		if w.is("mar") && !w.upper() {
			return false
		}
		_, ordinal := ordinalWords[t.at(i+1)]
		next := &t.toks[i+1]
		return ordinal || next.kind == digitToken || next.kind == mixedToken && ordinalForm(next.low) || tensWords[next.low] != "" || teenWords[next.low] != "" || next.low == "the" && w.upper()
	}
	return true
}

// dayBefore tells that a day stands right before i: "21st may", "twenty first may".
func (t *turn) dayBefore(i int) bool {
	_, ordinal := ordinalWords[t.at(i-1)]
	return ordinal || i > 0 && (ordinalForm(t.at(i-1)) || t.toks[i-1].kind == digitToken)
}

func ordinalForm(low string) bool {
	n := strings.TrimLeft(low, "0123456789")
	return len(low) > len(n) && len(low)-len(n) <= 2 && (n == "st" || n == "nd" || n == "rd" || n == "th")
}

// dayOfMonth reads "21", "21st", "first", "twenty first", "twenty one" and "fifth of".
func (t *turn) dayOfMonth(i int, d *dateParts) int {
	w := &t.toks[i]
	beside := d.month || i+1 < len(t.toks) && (months[t.at(i+1)] || t.at(i+1) == "of" && months[t.at(i+2)])
	switch {
	case w.kind == mixedToken && ordinalForm(w.low):
		return i + 1
	case w.kind == digitToken && dayNumber(w.text) && beside && (i+1 >= len(t.toks) || t.toks[i+1].text != ":" || t.toks[i+1].spaced):
		return i + 1
	}
	if _, ok := ordinalWords[w.low]; ok && (d.month || d.weekday || beside) {
		return i + 1
	}
	if _, ok := tensWords[w.low]; ok && w.is("twenty", "thirty") {
		j := i + 1
		if t.at(j) == "-" {
			j++
		}
		if n, ok := ordinalWords[t.at(j)]; ok && n < 10 {
			return j + 1
		}
	}
	if digits, next := below100(t.toks, i); next > i && (d.month || months[t.at(next)] || t.at(next) == "of" && months[t.at(next+1)]) && len(digits) <= 2 {
		if len(digits) == 1 || digits <= "31" {
			return next
		}
	}
	return i
}

// dayNumber tells that digits are a day of a month.
func dayNumber(digits string) bool {
	return len(digits) == 1 && digits != "0" || len(digits) == 2 && digits <= "31" && digits != "00"
}

// year reads "1974", "nineteen seventy four", "two thousand and four", "twenty twelve", "'74", "seventy four" after a month.
func (t *turn) year(i int, d *dateParts) (int, bool) {
	if i >= len(t.toks) {
		return i, false
	}
	if d.year {
		return i, true
	}
	w := &t.toks[i]
	if w.kind == digitToken {
		if len(w.text) == 4 && w.text >= "1900" && w.text < "2100" && (i+1 >= len(t.toks) || t.toks[i+1].text != ":") {
			return i + 1, true
		}
		if len(w.text) == 2 && d.month && d.day {
			return i + 1, true
		}
		return i, false
	}
	if w.is("nineteen", "eighteen", "twenty") {
		if rest, next := below100(t.toks, i+1); next > i+1 && (len(rest) == 2 || rest == "0") {
			if rest == "0" { // "nineteen oh four"
				digit, end := below100(t.toks, next)
				if end == next || len(digit) != 1 {
					return i, false
				}
				next = end
			}
			if w.low != "twenty" || rest < "40" {
				return next, true
			}
		}
		if w.low == "nineteen" && t.at(i+1) == "hundred" {
			_, next := number(t.toks, i)
			return next, true
		}
	}
	if w.is("two") && t.at(i+1) == "thousand" {
		_, next := number(t.toks, i)
		return next, true
	}
	if d.month && d.day {
		if rest, next := below100(t.toks, i); next > i && len(rest) == 2 && rest > "31" {
			return next, true
		}
	}
	return i, false
}

// numericDate reads 1/25/1964, 25.1.64, 1964-01-25.
func (t *turn) numericDate(i int, d *dateParts) int {
	if d.month || i+4 >= len(t.toks) {
		return i
	}
	mark := t.toks[i+1].text
	if mark != "/" && mark != "-" && mark != "." || t.toks[i+3].text != mark {
		return i
	}
	for k := i + 1; k <= i+4; k++ {
		if t.toks[k].spaced {
			return i
		}
	}
	a, b, e := t.toks[i].text, t.toks[i+2].text, t.toks[i+4].text
	if t.toks[i+2].kind != digitToken || t.toks[i+4].kind != digitToken || len(b) > 2 {
		return i
	}
	if dayNumber(a) && (len(e) == 4 || len(e) == 2) || len(a) == 4 && len(e) <= 2 {
		d.day, d.month, d.year = true, true, true
		return i + 5
	}
	return i
}

// clock reads a time of day: "4:45 p.m.", "3 pm", "half past two", "quarter to nine", "two thirty", "ten o'clock", "noon".
func (t *turn) clock(i int, d *dateParts) int {
	if d.time {
		return i
	}
	w := &t.toks[i]
	after := t.at(i-1) == "at" || t.at(i-1) == "around" || t.at(i-1) == "about"
	end := i
	switch {
	case w.is("noon", "midday", "midnight"):
		d.time = true
		return i + 1
	case w.is("half", "quarter") || (numberWord(w) && (t.at(i+1) == "past" || t.at(i+1) == "to" && after)):
		j := i + 1
		if t.toks[i].is("half", "quarter") && !(t.at(j) == "past" || t.at(j) == "to") {
			return i
		}
		if t.at(j) != "past" && t.at(j) != "to" {
			return i
		}
		_, next := below100(t.toks, j+1)
		if next == j+1 {
			if j+1 < len(t.toks) && t.toks[j+1].kind == digitToken {
				next = j + 2
			} else {
				return i
			}
		}
		end = next
	case w.kind == digitToken && len(w.text) <= 2 && t.at(i+1) == ":" && i+2 < len(t.toks) && t.toks[i+2].kind == digitToken && !t.toks[i+2].spaced:
		end = i + 3
	case w.kind == digitToken && len(w.text) <= 2 && t.at(i+1) == "." && i+2 < len(t.toks) && t.toks[i+2].kind == digitToken && !t.toks[i+2].spaced && len(t.toks[i+2].text) == 2 && after:
		end = i + 3
	case w.kind == mixedToken && (strings.HasSuffix(w.low, "am") || strings.HasSuffix(w.low, "pm")) && strings.Trim(w.low, "0123456789") == w.low[len(w.low)-2:]:
		d.time = true
		return i + 1
	case w.kind == digitToken && len(w.text) <= 2 && (meridiem(t, i+1) > i+1 || t.at(i+1) == "o'clock" || after && (d.weekday || d.month)):
		end = i + 1
	default:
		digits, next := below100(t.toks, i)
		if next == i || len(digits) > 1 && digits > "12" || !(after || meridiem(t, next) > next || t.at(next) == "o'clock" || spokenTime(t, next)) {
			return i
		}
		if _, minutes := below100(t.toks, next); minutes > next {
			if t.at(next) == "oh" {
				if _, m := below100(t.toks, next+1); m > next+1 {
					minutes = m
				}
			}
			next = minutes
		}
		end = next
	}
	d.time = true
	if t.at(end) == "o'clock" {
		end++
	}
	end = meridiem(t, end)
	if t.says(end, "in the morning") || t.says(end, "in the afternoon") || t.says(end, "in the evening") {
		end += 3
	}
	return end
}

// spokenTime tells that minutes and "p m" follow an hour.
func spokenTime(t *turn, i int) bool {
	_, next := below100(t.toks, i)
	return next > i && meridiem(t, next) > next
}

// meridiem returns the end of "am", "a.m.", "p m" at i, or i.
func meridiem(t *turn, i int) int {
	if t.at(i) == "am" || t.at(i) == "pm" {
		return i + 1
	}
	if t.at(i) != "a" && t.at(i) != "p" {
		return i
	}
	j := i + 1
	if t.at(j) == "." {
		j++
	}
	if t.at(j) != "m" {
		return i
	}
	j++
	if t.at(j) == "." && t.at(j-2) == "." {
		j++
	}
	return j
}

// kin are the people of whom one says how old they are.
var kin = set(`mum mom mother dad father son daughter wife husband grandson granddaughter grandmother grandfather grandma grandpa nan nana gran granny brother sister uncle aunt auntie niece nephew child kid baby boy girl
	partner friend tenant neighbour neighbor eldest youngest oldest twin mum's mother-in-law he she patient cousin toddler stepson stepdaughter fiance fiancee`)

// ages finds how old somebody is.
func (c *conversation) ages(t *turn) []Entity {
	var out []Entity
	for i := 0; i < len(t.toks); i++ {
		next, n := t.smallNumber(i)
		if next == i {
			continue
		}
		if end := t.yearsOld(next); end > next {
			lo := i
			out = append(out, t.entity(lo, end, Age, scoreTyped))
			i = end - 1
			continue
		}
		if n <= 120 && t.hasAge(i, next) || t.agedBefore(i) && !amountWords[t.at(next)] {
			end := next
			if t.says(next, "years of age") {
				end += 3
			}
			out = append(out, t.entity(i, end, Age, scoreLoose))
		} else if t.index > 0 && t.asksAge(c) && answering(t, &run{lo: i, hi: next}) && n > 0 && n <= 115 {
			out = append(out, t.entity(i, next, Age, scoreLoose))
		}
		i = next - 1
	}
	return out
}

// asksAge tells that the turn before asked how old somebody is.
func (t *turn) asksAge(c *conversation) bool {
	before := c.turns[t.index-1]
	for i := range before.toks {
		if before.says(i, "how old") || before.says(i, "your age") || before.says(i, "his age") || before.says(i, "her age") {
			return true
		}
	}
	return false
}

// smallNumber reads a number of up to three digits at i.
func (t *turn) smallNumber(i int) (next, n int) {
	digits := ""
	next = i
	if t.toks[i].kind == digitToken && len(t.toks[i].text) <= 3 {
		digits, next = asciiDigits(t.toks[i].text), i+1
	} else if t.toks[i].kind == wordToken {
		if _, end := number(t.toks, i); end > i && !t.toks[i].is("oh", "o", "nil", "zero") {
			digits, next = numberText(t.toks, i)
		}
	}
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return next, n
}

func numberText(toks []token, i int) (string, int) {
	digits, next := number(toks, i)
	if len(digits) > 3 {
		return "", i
	}
	return digits, next
}

// yearsOld returns the end of "years old", "-year-old", "year old", "months old", "yrs old", "years of age".
func (t *turn) yearsOld(i int) int {
	j := i
	if t.at(j) == "-" {
		j++
	}
	if !(t.at(j) == "year" || t.at(j) == "years" || t.at(j) == "yr" || t.at(j) == "yrs" || t.at(j) == "month" || t.at(j) == "months") {
		return i
	}
	j++
	if t.at(j) == "-" {
		j++
	}
	switch {
	case t.at(j) == "old", t.at(j) == "olds":
		return j + 1
	case t.says(j, "of age"):
		return j + 2
	case t.at(j) == "young":
		return j + 1
	}
	return i
}

func (t *turn) agedBefore(i int) bool {
	return t.at(i-1) == "aged" || t.at(i-1) == "age" || (t.at(i-1) == "is" || t.at(i-1) == "of") && t.at(i-2) == "age" || t.at(i-1) == "turned" || t.at(i-1) == "turning" && !amountWords[t.at(i)]
}

// hasAge tells that the number in [i, next) is said of a person and nothing is counted with it.
func (t *turn) hasAge(i, next int) bool {
	if after := t.at(next); after != "" && !afterAge[after] {
		return false
	}
	j := i - 1
	for t.at(j) == "just" || t.at(j) == "only" || t.at(j) == "nearly" || t.at(j) == "almost" || t.at(j) == "now" || t.at(j) == "about" || t.at(j) == "over" || t.at(j) == "already" || t.at(j) == "like" {
		j--
	}
	subject := ""
	switch w := t.at(j); w {
	case "who's":
		return kin[t.at(j-1)]
	case "i'm", "he's", "she's", "he'll", "she'll":
		return t.at(j-1) != "so" || w != "i'm"
	case "am", "is", "was", "turns", "be":
		subject = t.at(j - 1)
		if w == "be" {
			subject = t.at(j - 2)
		}
		if w == "am" {
			return subject == "i"
		}
	default:
		if j >= 0 && t.toks[j].base != t.toks[j].low {
			return kin[t.toks[j].base]
		}
		return false
	}
	if kin[subject] {
		return true
	}
	// "My daughter, May Herrera, is six"
	for k := j - 1; k >= 0 && k >= j-6; k-- {
		if kin[t.at(k)] && t.at(k) != "he" && t.at(k) != "she" {
			return true
		}
	}
	return false
}

var afterAge = set(", . ; ! ? fell lives has had can can't needs doesn't isn't was is uses and so but now next this in today years or if too because i he she with who at last you my")
