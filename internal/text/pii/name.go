package pii

import "strings"

// titles stand before a name and are no part of it.
var titles = set("mr mrs ms miss mx dr doctor prof professor reverend rev father sister captain sergeant officer detective judge lord lady dame mister missus madam sir master rabbi imam pastor señor senor senora monsieur madame")

// introductions are the words after which a name stands. Those of the first list are hardly ever followed by anything
// else; those of the second need a word that can be a name.
var (
	strongIntro = phrases(`my name is|my name's|the name is|the name's|name is|name's|his name is|her name is|his name's|her name's|my full name is|full name is|first name is|first name's|first name|last name is|last name's|last name
		surname is|surname's|surname|middle name is|maiden name is|maiden name|maiden name was|family name is|family name|given name is|given name|name reads|name of|under the name|under the name of|in the name of|name on the card is|name on the account is|name on it is|name on the card
		i am called|i'm called|people call me|everyone calls me|they call me|just call me|you can call me|full name|name was|names are|name as|goes by|cardholder is|cardholder name is|cardholder|name on file is|née|nee|policy holder is|account holder is|card holder is|policyholder is|account holder's|cardholder's name is|patient's name is|his name was|her name was|called herself|called himself|name should be|name should read|name to`)
	weakIntro = phrases(`this is|it's|it is|i'm|i am|that's|that is|speaking with|speaking to|speak with|speak to|spoke to|spoke with|talk to|talk with|talking to|talking with|talked to|ask for|asking for|asked for|call me|hi|hello|hey|thanks|thank you|morning|afternoon|evening
		cheers|sorry|okay|please|bye|goodbye|welcome|dear|reached|you've reached|you've got|you're through to|through to|on behalf of|calling for|called for|from|with|and|for|to|by|ask|tell|told|contact|for you|work for you|here's|attention of|attn|care of|signed|signed by|transferred to|transfer to
		transferring you to|colleague|manager|supervisor|agent|adviser|advisor|technician|engineer|me|between|met|meet|see|here is|account holder is|account holder|policyholder is|beneficiary is|beneficiary|patient is|patient|named|called|calls|client|customer|tenant|landlord|driver|payee|recipient|addressed to|belongs to|registered to|made out to|payable to|love|regards|yes|no|yeah|right|great|perfect
		lovely|there|assist you|help you|today|moment|bear with me|follow|boss|neighbour|neighbor|carer|nurse|teacher|solicitor|lawyer|accountant|and i'm|name`)
)

func phrases(list string) [][]string {
	var out [][]string
	for p := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
		if words := strings.Fields(p); len(words) > 0 {
			out = append(out, words)
		}
	}
	return out
}

// endsWith tells that the tokens before i say one of the phrases, and returns where it begins.
func (t *turn) endsWith(i int, list [][]string) (int, bool) {
	best := -1
next:
	for _, words := range list {
		lo := i - len(words)
		if lo < 0 || t.at(i-1) != words[len(words)-1] {
			continue
		}
		for k, w := range words {
			if t.at(lo+k) != w {
				continue next
			}
		}
		if best < 0 || lo < best {
			best = lo
		}
	}
	return best, best >= 0
}

// notName are words that no name is, though they stand where one could.
var notName = set(`the a an my your his her our their this that it is was not just so very here there calling about from with for in on at to of and or but i you he she we they me him them us what who how when where why
	sorry afraid sure going trying looking having ringing phoning wondering happy interested fine good great okay ok yes no yeah right correct wrong please thanks thank hi hello hey um uh er erm hmm well now then still also only
	all any some every each one two three four five six seven eight nine ten zero oh first second third last next new old same other another customer service services support sales billing accounts account team department company bank office
	back again today tomorrow yesterday tonight morning afternoon evening monday tuesday wednesday thursday friday saturday sunday january february march june july september october november december english spanish french german american british
	can could would should must do does did have has had be been being am are were isn't aren't don't doesn't didn't won't can't couldn't wouldn't if because since until while as by up down out off over under into onto mum mom dad sir madam ma'am
	spelled spelt spelling sounds pronounced like capital double dot dash underscore there's it's i'm that's what's mr mrs ms miss dr doctor sir's name's everyone everybody someone somebody anyone anybody nobody people guys folks folk honey love mate dear darling buddy
	name names online urgent nothing something everything anything really actually probably maybe perhaps quite too enough already always never ever once twice email phone number card address code order ticket case reference password username pin date birth website www net app`)

// brands are names of companies that hold names of people.
var brands = phraseSet(`wells fargo|mcdonald's|mcdonalds|ben and jerry's|johnson and johnson|marks and spencer|marks and spencers|john lewis|morgan stanley|goldman sachs|j p morgan|jp morgan|charles schwab|american express|merrill lynch
	ralph lauren|calvin klein|tommy hilfiger|michael kors|harley davidson|wendy's|denny's|papa john's|jimmy john's|trader joe's|sam's club|dick's sporting goods|macy's|lowe's|kohl's|arby's|domino's|sainsbury's|morrison's|morrisons|levi's
	jack daniel's|dr pepper|mr muscle|st john|saint john|edward jones|raymond james|t rowe price|ernst and young|ernst young|deloitte|warner brothers|walt disney|martin luther king|king's cross|queen victoria|jones lang|mary poppins|harry potter
	black and decker|betty crocker|uncle ben's|aunt jemima|ford focus|alfa romeo|aston martin|land rover|austin powers|hewlett packard|procter and gamble|barnes and noble|abercrombie and fitch|tiffany and co|mr clean|mr coffee|victoria station
	james bond|taylor swift|saint mary's|st mary's|st thomas|st james|st george|kay jewelers|jersey mike's|famous dave's|peter pan|santa claus|christmas eve|virgin media|lloyds bank|lloyds|clarks|barclays|harvey nichols|paul smith|ted baker|karen millen`)

// companyWords after a name make it a company's or a place's.
var companyWords = set(`bank banking inc ltd llc limited plc corp corporation company co group holdings insurance energy airlines airways hotel hotels hospital clinic university college school street road avenue lane drive court square station airport park store stores
	mall centre center branch motors pharmacy mobile electric gas water telecom communications media foods pizza coffee brothers solicitors partners associates county state city theatre stadium arena museum bridge beach bay island islands lake river mountain hill valley
	edition model tv island museum's tower house cross gate royale institute day week award prize law`)

// names finds people.
func (c *conversation) names(t *turn) []Entity {
	var out []Entity
	taken := t.branded()
	for i := 0; i < len(t.toks); i++ {
		if taken[i] {
			continue
		}
		hi, score := c.nameAt(t, i, taken)
		if hi <= i {
			continue
		}
		lo := i
		hi = t.withSpelling(hi)
		e := t.entity(lo, hi, Name, score)
		if last := &t.toks[hi-1]; last.base != last.low && (last.end-last.start) > 2 {
			e.End -= len(last.text) - len(last.base)
			if strings.HasSuffix(last.text, "’s") {
				e.End = last.end - len("’s")
			}
		}
		out = append(out, e)
		i = hi - 1
	}
	out = append(out, c.spelled(t, out)...)
	return out
}

// branded marks the tokens of brands.
func (t *turn) branded() []bool {
	taken := make([]bool, len(t.toks))
	for i := range t.toks {
		for n := 4; n > 0; n-- {
			if i+n <= len(t.toks) && brands[phraseOf(t, i, i+n)] {
				for k := i; k < i+n; k++ {
					taken[k] = true
				}
				break
			}
		}
	}
	return taken
}

// like says how far a word is like a name: 0 not, 1 a name that is a word too, 2 unknown, 3 a name.
func (t *turn) like(i int) int {
	if i < 0 || i >= len(t.toks) || t.toks[i].kind != wordToken {
		return 0
	}
	w := t.toks[i].base
	if len(w) < 2 || notName[w] && !(t.toks[i].upper() && t.written && firstNameWords[w]) {
		return 0
	}
	if t.written && (!t.toks[i].upper() || len(w) > 2 && len(cues[w]) > 0) {
		return 0
	}
	first := strings.SplitN(w, "'", 2)
	switch {
	case firstNames[w], lastNames[w], len(first) == 2 && len(first[0]) == 1 && lastNames[first[0]+first[1]]:
		return 3
	case firstNameWords[w], lastNameWords[w]:
		return 1
	case !known(w) && !t.abbreviation(i) && !cities[w] && !stateNames[w] && !strings.ContainsAny(w, "0123456789") && len(w) > 2 && !strings.Contains(w, "'"):
		return 2
	}
	return 0
}

// abbreviation tells that a word is written in capitals in a text that is not.
func (t *turn) abbreviation(i int) bool {
	w := t.toks[i].text
	return t.written && strings.ToUpper(w) == w && strings.ToUpper(t.text) != t.text
}

// sentenceStart tells that an upper-case letter at i says nothing.
func (t *turn) sentenceStart(i int) bool {
	return i == 0 || strings.ContainsAny(t.at(i-1), ".?!:…\"“")
}

// nameAt returns the end of a name that begins at i, or i.
func (c *conversation) nameAt(t *turn, i int, taken []bool) (int, float64) {
	if t.toks[i].kind != wordToken || len(t.toks[i].base) < 2 {
		return i, 0
	}
	if i > 0 && (t.toks[i-1].text == "@" || t.toks[i-1].text == "." && !t.toks[i].spaced && len(t.at(i-2)) > 1 || t.toks[i-1].text == "/") {
		return i, 0
	}
	before := i - 1
	if before >= 0 && t.at(before) == "." && titles[t.at(before-1)] {
		before--
	}
	titled := before >= 0 && titles[t.at(before)] && !(t.at(before) == "sir" || t.at(before) == "madam") && !(t.at(before) == "miss" && t.missVerb(before))
	if titled {
		if t.title(i) {
			return t.nameEnd(i, taken, 1), scoreTyped
		}
		return i, 0
	}
	if lo, ok := t.endsWith(t.skipBack(i), strongIntro); ok && (t.canName(i) || t.like(i) > 0) && !(t.at(lo) == "name" && t.at(lo-1) == "user") && !t.businessName(lo) {
		return t.nameEnd(i, taken, 2), scoreTyped
	}
	like := t.like(i)
	if like == 0 {
		return i, 0
	}
	end := t.nameEnd(i, taken, 0)
	words := end - i
	if end < len(t.toks) && t.toks[end-1].base == t.toks[end-1].low && (companyWords[t.at(end)] && (t.toks[end].upper() || !t.written)) {
		return i, 0
	}
	asked := c.askedName(t, i)
	_, introduced := t.endsWith(t.skipBack(i), weakIntro)
	first := firstNames[t.toks[i].base]
	place := cities[t.toks[i].base] || stateNames[t.toks[i].base]
	capital := t.toks[i].upper() && !t.sentenceStart(i)
	second := 0
	if words > 1 {
		second = t.like(i + 1)
	}
	switch {
	case asked && like >= 2, asked && like == 1 && (words > 1 || len(t.toks) <= 3):
		return end, scoreTyped
	case place && !(first && second == 3) && !(introduced && second == 3):
		return i, 0
	case words > 1 && (first && second >= 2 || like == 3 && second == 3):
		return end, scoreTyped
	case words > 1 && firstNameWords[t.toks[i].base] && lastNames[t.toks[i+1].base] && !known(t.toks[i+1].base):
		return end, scoreLoose
	case words > 1 && first && second == 1 && (capital || introduced || t.toks[i+1].upper()):
		return end, scoreLoose
	case words > 1 && like == 1 && second == 3 && (t.toks[i].upper() && t.toks[i+1].upper() || introduced && firstNameWords[t.toks[i].base]):
		return end, scoreLoose
	case words > 1 && like == 1 && firstNameWords[t.toks[i].base] && t.toks[i+1].upper() && capital:
		return end, scoreGuess
	case words > 1 && like == 2 && second >= 2 && (introduced || t.relation(i)):
		return end, scoreLoose
	case first && !t.written:
		return end, scoreForm
	case first && t.toks[i].upper():
		return end, scoreForm
	case like >= 2 && t.spellingFollows(end):
		return end, scoreTyped
	case like >= 2 && t.relation(i), like == 3 && introduced && t.speakerIntro(i), like == 2 && t.speakerIntro(i) && t.alone(end):
		return end, scoreLoose
	case firstNameWords[t.toks[i].base] && t.acts(i, end):
		return end, scoreGuess
	case capital && firstNameWords[t.toks[i].base] && (introduced || !months[t.toks[i].base]):
		// A capital within a sentence makes a name of a word: "ask for Rose", "and then Will said".
		return end, scoreGuess
	}
	return i, 0
}

// missVerb tells the verb "miss" from the title.
func (t *turn) missVerb(i int) bool {
	b := t.at(i - 1)
	return b == "i" || b == "you" || b == "we" || b == "they" || b == "to" || b == "don't" || b == "didn't" || b == "not" || b == "will" || b == "would" || b == "'ll" || b == "i'll" || b == "can't"
}

// title tells that a word after a title is a name.
func (t *turn) title(i int) bool {
	w := &t.toks[i]
	if w.kind != wordToken || t.written && !w.upper() {
		return false
	}
	if b := t.at(i - 1); b == "doctor" || b == "officer" || b == "father" || b == "sister" || b == "judge" || b == "master" || b == "lady" || b == "captain" || b == "professor" || b == "detective" || b == "pastor" || b == "lord" || b == "sergeant" {
		return t.like(i) >= 2 || t.like(i) == 1 && (w.upper() || t.alone(i+1))
	}
	return !notName[w.base] || t.like(i) > 0
}

// canName tells that a word after "my name is" can be a name.
func (t *turn) canName(i int) bool {
	w := &t.toks[i]
	if w.kind != wordToken || len(w.base) < 2 || notName[w.base] || hesitations[w.low] {
		return false
	}
	return !t.written || w.upper()
}

// businessName tells "the name of the company is" and the like.
func (t *turn) businessName(lo int) bool {
	for k := lo - 1; k >= 0 && k >= lo-3; k-- {
		if w := t.toks[k].base; w == "company" || w == "business" || w == "product" || w == "brand" || w == "street" || w == "domain" || w == "file" || w == "trade" || w == "model" {
			return true
		}
	}
	return false
}

// skipBack goes back over a comma and a hesitation before i.
func (t *turn) skipBack(i int) int {
	for n := 0; n < 3 && i > 0; n++ {
		if w := &t.toks[i-1]; w.text == "," || w.text == ":" || hesitations[w.low] {
			i--
			continue
		}
		break
	}
	return i
}

// nameEnd returns the end of the name at i: the words that go on like names, "de la" and initials between them. After an
// introduction of strength 2 the second word needs less.
func (t *turn) nameEnd(i int, taken []bool, strength int) int {
	end := i + 1
	for n := 0; n < 3 && end < len(t.toks); n++ {
		at := end
		// Particles and initials need a name after them.
		for at < len(t.toks) && at-end < 3 && (particles[t.at(at)] || at+1 < len(t.toks) && len(t.at(at)) == 1 && t.toks[at].upper() && t.toks[at].kind == wordToken || t.at(at) == "." && len(t.at(at-1)) == 1 || t.at(at) == "-" && !t.toks[at].spaced) {
			at++
		}
		if at >= len(t.toks) || taken[at] || t.toks[at-1].base != t.toks[at-1].low || t.toks[at].kind != wordToken {
			break
		}
		like := t.like(at)
		joined := t.at(at-1) == "-" && like > 0
		switch {
		case joined, like == 3, like == 2 && !actions[t.at(at)]:
		case like == 1 && (t.toks[at].upper() || strength == 2 && !actions[t.at(at)] && t.alone(at+1)) && !titles[t.at(at)]:
		default:
			return end
		}
		// Two first names in a row after a comma would be two people; without one they are one name.
		end = at + 1
	}
	return end
}

var particles = set("de la van der den von da di do dos del le bin ibn al el san st mac mc o' ter ten du")

// actions are words that follow a name in a sentence.
var actions = set("said says called told asked may will can and is was wants needs has had calling speaking here from with for")

// alone tells that nothing follows at i, or a mark, or a word with which the sentence goes on.
func (t *turn) alone(i int) bool {
	return i >= len(t.toks) || t.toks[i].kind == markToken || goesOn[t.at(i)] || hesitations[t.at(i)]
}

var goesOn = set("you've you're i'll i've has had again isn't wants needs and i i'm from calling speaking here with but so my is was he she they we you how can could what who if for that's it's at on the said says please thanks thank in about again to or")

// relation tells that a word for a relative or friend, or for the person meant, stands before i: "my grandson Zoë".
func (t *turn) relation(i int) bool {
	j := t.skipBack(i)
	return kin[t.at(j-1)] && t.at(j-1) != "he" && t.at(j-1) != "she" || t.at(j-1) == "me" && j < i || roles[t.at(j-1)]
}

// roles are what people are besides kin.
var roles = set("colleague supervisor manager nurse agent adviser advisor technician engineer receptionist boss landlord landlady assistant carer caretaker plumber electrician driver representative rep operator secretary accountant solicitor lawyer")

// speakerIntro tells that somebody says who speaks or is spoken to before i.
func (t *turn) speakerIntro(i int) bool {
	j := t.skipBack(i)
	for _, p := range []string{"this is", "you're speaking with", "speaking with", "speaking to", "spoke to", "spoke with", "speak to", "speak with", "talk to", "i'm", "i am", "call me", "thanks", "thank you", "hi", "hello", "ask for", "you've reached", "reached", "for you", "called", "named", "on behalf of", "good morning", "good afternoon", "talking to", "hey", "through to", "it's"} {
		n := len(strings.Fields(p))
		if t.says(j-n, p) && j-n >= 0 {
			return true
		}
	}
	return false
}

// acts tells that a name that is a word too does what only people do: "grace said", "ask may", "for mark he".
func (t *turn) acts(i, end int) bool {
	next := t.at(end)
	switch next {
	case "said", "says", "told", "called", "asked", "emailed", "rang", "promised", "phoned", "mentioned", "thinks", "knows", "wants", "signed", "was", "is", "has":
		return (t.toks[i].upper() || next != "was" && next != "is" && next != "has") && (t.toks[i].upper() || !months[t.toks[i].base] && t.at(i-1) != "the")
	}
	if b := t.at(i - 2); (t.at(i-1) == "with" || t.at(i-1) == "to") && (b == "spoke" || b == "speak" || b == "speaking" || b == "talk" || b == "talked" || b == "talking" || b == "spoken") {
		return !months[t.toks[i].base] || t.alone(end)
	}
	if next == "who" || t.at(i-1) == "is" && i == 1 && (next == "in" || next == "there" || next == "available" || next == "around" || next == "working" || next == "off") {
		return true
	}
	switch t.at(i - 1) {
	case "ask", "tell", "told", "asked", "met", "hi", "hello", "hey", "thanks", "spoke", "it's", "this":
		return end >= len(t.toks) || t.toks[end].kind == markToken || next == "he" || next == "she" || next == "if" || next == "to" && t.at(i-1) != "ask" || next == "here" || next == "i'll" || next == "i'm" || next == "that" || next == "at" || next == "in"
	case "for", "with", "from", "to", "by":
		return next == "he" || next == "she" || t.toks[i].upper() && !months[t.toks[i].base] && (end >= len(t.toks) || t.toks[end].kind == markToken)
	}
	return false
}

// askedName tells that the turn before asked for a name and this one begins with it.
func (c *conversation) askedName(t *turn, i int) bool {
	if t.index == 0 || i > 4 {
		return false
	}
	for k := range i {
		if !fillers[t.at(k)] && t.toks[k].kind != markToken && !t.toks[k].is("it's", "its", "my", "name", "is", "the", "uh", "um", "that's", "this", "yes", "i'm", "hi", "hello", "first", "last", "surname", "name's") {
			return false
		}
	}
	for j := t.index - 1; j >= 0 && j >= t.index-3; j-- {
		before := c.turns[j]
		for k := range before.toks {
			if w := before.toks[k].base; (w == "name" || w == "surname") && before.at(k-1) != "user" || before.says(k, "who am i") || before.says(k, "who is calling") || before.says(k, "who's calling") || before.says(k, "speaking with") || before.says(k, "speaking to") {
				return true
			}
		}
		if !before.listens() {
			return false
		}
	}
	return false
}

// withSpelling goes on over the spelling of a name: "okafor o k a f o r", "okafor, that's o, k, a".
func (t *turn) withSpelling(hi int) int {
	for _, r := range t.runs {
		if r.lo < hi || r.digits > 0 && r.code != strings.Map(spelledO, r.code) {
			continue
		}
		if r.lo > hi+1 || len(r.code) < 3 || !r.words {
			break
		}
		if r.lo == hi || t.at(hi) == "," {
			return r.hi
		}
	}
	return hi
}

func spelledO(r rune) rune {
	if r >= '1' && r <= '9' {
		return -1
	}
	return r
}

// spellingFollows tells that letters are read out after a word: "llewellyn that's double l e w".
func (t *turn) spellingFollows(i int) bool {
	for _, r := range t.runs {
		if r.lo < i || len(r.code) < 3 || r.letters < 2 || !r.words || strings.Map(spelledO, r.code) != r.code {
			continue
		}
		for k := i; k < r.lo; k++ {
			if t.toks[k].kind != markToken && !t.toks[k].is("that's", "that", "is", "it's", "spelled", "spelt", "as", "in", "so", "uh", "um") {
				return false
			}
		}
		return true
	}
	return false
}

// spelled finds names that are only spelled: "k i n g", after a word that says so, or beside another name.
func (c *conversation) spelled(t *turn, names []Entity) []Entity {
	var out []Entity
	for _, r := range t.runs {
		if !r.words || len(r.code) < 3 || r.letters < 2 || strings.Map(spelledO, r.code) != r.code {
			continue
		}
		near := false
		for k := max(0, r.lo-6); k < r.lo; k++ {
			near = near || t.toks[k].is("spelled", "spelt", "spell", "spelling", "surname", "spells") || t.toks[k].base == "name" && t.at(k-1) != "user"
		}
		for _, e := range append(out, names...) {
			near = near || e.End <= t.toks[r.lo].start && t.toks[r.lo].start-e.End < 24
		}
		if !near && t.index > 0 {
			for j := t.index - 1; j >= max(0, t.index-2); j-- {
				for k := range c.turns[j].toks {
					near = near || c.turns[j].toks[k].is("spell", "spelled", "spelling", "surname", "spelt") || c.turns[j].toks[k].base == "name" && c.turns[j].at(k-1) != "user"
				}
			}
		}
		word := strings.ToLower(strings.ReplaceAll(r.code, "0", "o"))
		hi := r.hi
		if t.at(hi) == word || t.at(hi) == "," && t.at(hi+1) == word {
			near = true
			for t.at(hi-1) != word {
				hi++
			}
		}
		if near || len(word) > 3 && (firstNames[word] || lastNames[word]) {
			out = append(out, t.entity(r.lo, hi, Name, scoreLoose))
		}
	}
	return out
}
