package pii

import "strings"

// streetWords are what streets are called.
var streetWords = set(`street st road rd avenue ave drive dr lane ln court ct place pl boulevard blvd terrace crescent cres close way highway hwy parkway pkwy square sq circle cir trail trl walk gardens grove mews row hill rise view
	quay wharf parade pde esplanade loop alley path turnpike pike bend ridge run plaza crossing causeway green vale heights fields broadway gate passage promenade circuit cct approach croft drift meadow meadows orchard point link`)

// weakStreets are also everyday words: in lower case they need a name between them and the number that is none.
var weakStreets = set("st dr ct pl way close place drive square circle walk row hill rise view green gate run point link path loop court bend fields run passage plaza approach drift crossing meadow pike vale ln sq")

// unitWords come before the number of a flat.
var unitWords = set("flat apartment apt unit suite ste shop villa townhouse penthouse")

// notStreet are words that no street name has.
var notStreet = set(`the a an of is it was are were be to from and or but in on at my your his her our their this that these those i you he she we they me him them us with for by as if so not no yes
	minute minutes hour hours day days week weeks month months year years mile miles people times dollars pounds percent more other another different same best good bad big next last down up off out about
	every each all some any which what where when how orders items units cars cars bedroom bed double single way have has had got get want need can could would will should there's it's that's just now then
	o'clock am pm left right straight first-floor per than also still only each too two-way one-way do did does been going go going came come take took`)

// states are the states and provinces that stand in addresses, by their words; abbreviations are in stateCodes.
var stateNames = phraseSet(`alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota
	mississippi|missouri|montana|nebraska|nevada|new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|rhode island|south carolina|south dakota|tennessee|texas|utah|vermont
	virginia|washington|west virginia|wisconsin|wyoming|district of columbia|washington d c|new south wales|victoria|queensland|south australia|western australia|tasmania|northern territory|australian capital territory
	ontario|quebec|british columbia|alberta|manitoba|saskatchewan|nova scotia|new brunswick|newfoundland|prince edward island`)

var stateCodes = set(`al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or pa ri sc sd tn tx ut vt va wa wv wi wy dc nsw vic qld sa wa tas nt act on qc bc ab mb sk ns nb nl pe`)

// cities are places that often end an address without a state or postcode.
var cities = phraseSet(`london|birmingham|manchester|leeds|glasgow|liverpool|bristol|sheffield|edinburgh|cardiff|belfast|leicester|coventry|bradford|nottingham|hull|newcastle|stoke|southampton|portsmouth|derby|plymouth|wolverhampton|swansea|reading
	aberdeen|dundee|york|oxford|cambridge|brighton|norwich|exeter|bath|luton|preston|sunderland|swindon|ipswich|worcester|gloucester|cheltenham|lincoln|chester|durham|carlisle|lancaster|inverness|perth|stirling|bolton|stockport
	milton keynes|northampton|peterborough|croydon|slough|watford|bournemouth|poole|middlesbrough|blackpool|newport|wrexham|bangor|derry|dublin|cork|galway|limerick|new york|los angeles|chicago|houston|phoenix|philadelphia
	san antonio|san diego|dallas|san jose|austin|jacksonville|fort worth|columbus|charlotte|san francisco|indianapolis|seattle|denver|washington|boston|el paso|nashville|detroit|oklahoma city|portland|las vegas|memphis
	louisville|baltimore|milwaukee|albuquerque|tucson|fresno|sacramento|kansas city|mesa|atlanta|omaha|colorado springs|raleigh|miami|long beach|virginia beach|oakland|minneapolis|tulsa|tampa|arlington|new orleans|wichita
	cleveland|bakersfield|aurora|anaheim|honolulu|santa ana|riverside|corpus christi|lexington|stockton|saint paul|st paul|cincinnati|saint louis|st louis|pittsburgh|greensboro|lincoln|anchorage|plano|orlando|irvine|newark
	durham|chula vista|toledo|fort wayne|st petersburg|laredo|jersey city|chandler|madison|lubbock|scottsdale|reno|buffalo|gilbert|glendale|winston salem|north las vegas|norfolk|chesapeake|garland|irving|hialeah|fremont|boise
	richmond|baton rouge|spokane|des moines|tacoma|san bernardino|modesto|fontana|santa clarita|fayetteville|birmingham|oxnard|rochester|salt lake city|little rock|tallahassee|savannah|springfield|brooklyn|queens|sydney
	melbourne|brisbane|adelaide|canberra|hobart|darwin|gold coast|wollongong|geelong|townsville|cairns|toowoomba|ballarat|bendigo|fremantle|parramatta|newcastle|auckland|wellington|christchurch|toronto|montreal|vancouver|calgary
	edmonton|ottawa|winnipeg|quebec city|hamilton|halifax|victoria|regina|saskatoon|johannesburg|cape town|durban|pretoria|mumbai|delhi|bangalore|chennai|kolkata|hyderabad`)

func phraseSet(list string) map[string]bool {
	out := make(map[string]bool)
	for p := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
		out[strings.Join(strings.Fields(p), " ")] = true
	}
	return out
}

// addresses finds street lines with what belongs to them, boxes, and city lines with a state and a ZIP.
func (c *conversation) addresses(t *turn) []Entity {
	var out []Entity
	for i := 0; i < len(t.toks); {
		lo, hi := i, t.streetLine(i)
		if hi == i {
			if end := t.unit(i); end > i {
				// A flat alone is no address; with a street after it the line begins at the flat.
				at := t.comma(end)
				if line := t.streetAfter(at, t.houseAt(at)); line > at {
					hi = line
				}
			}
		}
		if hi == i {
			hi = t.postBox(i)
		}
		if hi > i {
			hi = t.addressTail(hi)
			out = append(out, t.entity(lo, hi, Address, scoreTyped))
			i = hi
			continue
		}
		if end := t.stateZip(i); end > i {
			out = append(out, t.entity(i, end, Address, scoreLoose))
			i = end
			continue
		}
		i++
	}
	return out
}

// houseNumber returns the end of a number that can be a house's at i: "14", "14b", "19/276", "twelve seventy two".
func (t *turn) houseNumber(i int) int {
	if i > 0 && i < len(t.toks) && t.toks[i].kind == wordToken && (numberWord(&t.toks[i-1]) || repeats[t.at(i-1)] > 0) {
		return i
	}
	return t.houseAt(i)
}

// houseAt is houseNumber where another number may stand before.
func (t *turn) houseAt(i int) int {
	if i >= len(t.toks) || i > 0 && strings.ContainsAny(t.toks[i-1].text, "$£€#:.") && !t.toks[i].spaced {
		return i
	}
	w := &t.toks[i]
	end := i
	switch {
	case w.kind == digitToken && len(w.text) <= 6, w.kind == mixedToken && len(w.text) <= 6 && w.text[0] >= '0' && w.text[0] <= '9' && !ordinalForm(w.low):
		end = i + 1
		if end+1 < len(t.toks) && strings.Contains("/-–", t.toks[end].text) && !t.toks[end].spaced && !t.toks[end+1].spaced && (t.toks[end+1].kind == digitToken || t.toks[end+1].kind == mixedToken) {
			end += 2
		}
		return end
	case w.kind == wordToken:
		n := 0
		for end < len(t.toks) && n < 6 {
			if repeats[t.at(end)] > 0 && end+1 < len(t.toks) && numberWord(&t.toks[end+1]) {
				end += 2
				n += 2
				continue
			}
			digits, next := number(t.toks, end)
			if next == end {
				break
			}
			n += len(digits)
			end = next
		}
		if n > 6 {
			return i
		}
		if end > i && end < len(t.toks) && len(t.at(end)) == 1 && t.toks[end].kind == wordToken && !t.toks[end].is("a", "i") {
			end++
		}
	}
	return end
}

// streetLine returns the end of a house number and a street at i, or i.
func (t *turn) streetLine(i int) int {
	return t.streetAfter(i, t.houseNumber(i))
}

// streetAfter is streetLine for a house number that ends at name.
func (t *turn) streetAfter(i, name int) int {
	if name == i {
		return i
	}
	if t.at(name) == "," { // "12, Acacia Road"
		name++
	}
	for at := name; at < len(t.toks) && at-name <= 4; at++ {
		w := &t.toks[at]
		word := w.low
		if streetWords[word] && at > name {
			if weakStreets[word] && !t.written && (at+1 < len(t.toks) && streetWords[t.at(at+1)] || t.plainPhrase(name, at)) {
				continue
			}
			// "Green Lane Close": the last of them ends the name.
			for at+1 < len(t.toks) && streetWords[t.at(at+1)] && (t.toks[at+1].upper() || !t.written) && !weakStreets[t.at(at+1)] {
				at++
			}
			return t.direction(at + 1)
		}
		if word == "the" && at == name && streetWords[t.at(at+1)] && t.alone(at+2) {
			return at + 2
		}
		if w.kind == markToken && w.text != "." && w.text != "-" && w.text != "'" || notStreet[word] || hesitations[word] || t.written && w.kind == wordToken && !w.upper() {
			return i
		}
		if w.kind == markToken && w.spaced {
			return i
		}
		if w.text == "." && !streetDot(t.at(at-1)) {
			return i
		}
		if unitless(t, name, at) {
			return i
		}
	}
	return i
}

func streetDot(before string) bool {
	return len(before) <= 2 || before == "ave" || before == "blvd"
}

// unitless refuses what counts: "3 working days", "twelve months".
func unitless(t *turn, name, at int) bool { return at == name && amountWords[t.at(at)] }

// plainPhrase tells that lower-case words before a weak street word are an everyday phrase and no name.
func (t *turn) plainPhrase(lo, hi int) bool {
	for k := lo; k < hi; k++ {
		if everyday[t.at(k)] {
			return true
		}
	}
	return false
}

var everyday = set("parking minute hour mile new free car disk hard long short nice quiet safe second third front back whole half main local busy quick full open extra spare empty")

// direction takes a point of the compass or a full stop of an abbreviation after a street.
func (t *turn) direction(i int) int {
	if t.at(i) == "." && i < len(t.toks) && !t.toks[i].spaced && (t.at(i-1) == "st" || t.at(i-1) == "rd" || t.at(i-1) == "ave" || t.at(i-1) == "dr" || t.at(i-1) == "ln" || t.at(i-1) == "blvd") && i+1 < len(t.toks) {
		i++
	}
	if i < len(t.toks) && t.toks[i].is("north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest", "n", "s", "e", "w", "ne", "nw", "se", "sw") {
		return i + 1
	}
	return i
}

// unit returns the end of "flat 9", "apartment twenty five", "suite 24b", "unit 3" at i, or i.
func (t *turn) unit(i int) int {
	if i >= len(t.toks) || !unitWords[t.at(i)] {
		return i
	}
	at := i + 1
	if t.at(at) == "number" || t.at(at) == "#" || t.at(at) == "." {
		at++
	}
	// A flat's number is short: what follows may be the house's.
	if _, next := below100(t.toks, at); next > at {
		if next < len(t.toks) && len(t.at(next)) == 1 && t.toks[next].kind == wordToken && !t.toks[next].is("i") && !(t.at(next) == "a" && next+1 < len(t.toks) && !numberWord(&t.toks[next+1])) {
			next++
		}
		return next
	}
	if at < len(t.toks) && (t.toks[at].kind == digitToken || t.toks[at].kind == mixedToken) && len(t.toks[at].text) <= 5 {
		return at + 1
	}
	if at < len(t.toks) && len(t.at(at)) == 1 && t.toks[at].kind == wordToken && (t.at(at) != "a" || t.comma(at+1) > at+1) {
		at++
		if at < len(t.toks) && t.toks[at].kind == digitToken && len(t.toks[at].text) <= 3 {
			at++
		}
		return at
	}
	return i
}

func (t *turn) comma(i int) int {
	if t.at(i) == "," {
		return i + 1
	}
	return i
}

// postBox returns the end of "PO Box 1234" at i, or i.
func (t *turn) postBox(i int) int {
	at := i
	switch {
	case t.says(i, "po box"):
		at = i + 2
	case t.says(i, "p o box"):
		at = i + 3
	case t.says(i, "p . o . box"):
		at = i + 5
	case t.says(i, "post office box"):
		at = i + 3
	default:
		return i
	}
	for _, r := range t.runs {
		if r.lo == at {
			return r.hi
		}
	}
	return i
}

// addressTail goes on from a street line over flat, city, state and postcode.
func (t *turn) addressTail(hi int) int {
	for n := 0; n < 6; n++ {
		at := hi
		if t.at(at) == "," {
			at++
		}
		if t.at(at) == "in" && (t.place(at+1) > at+1) {
			at++
		}
		next := t.unit(at)
		if next == at && t.at(at) == "#" && at+1 < len(t.toks) && t.toks[at+1].kind == digitToken {
			next = at + 2
		}
		if next == at {
			next = t.place(at)
		}
		if next == at {
			next = t.zip(at, t.stateBefore(at))
		}
		if next == at {
			next = t.townBefore(at, at > hi)
		}
		if next == at {
			return hi
		}
		hi = next
	}
	return hi
}

// place returns the end of a city or state at i, or i.
func (t *turn) place(i int) int {
	if i >= len(t.toks) || t.toks[i].kind != wordToken {
		return i
	}
	for n := 3; n > 0; n-- {
		if i+n > len(t.toks) {
			continue
		}
		words := make([]string, n)
		for k := range n {
			words[k] = t.at(i + k)
		}
		phrase := strings.Join(words, " ")
		if stateNames[phrase] || cities[phrase] && (!t.written || t.toks[i].upper()) {
			return i + n
		}
	}
	w := &t.toks[i]
	if stateCodes[w.low] && w.text == strings.ToUpper(w.text) {
		return i + 1
	}
	return i
}

// stateBefore tells that a state or a city stands before i, so that a number there is a ZIP.
func (t *turn) stateBefore(i int) bool {
	for n := 1; n <= 3; n++ {
		if end := t.place(i - n); i-n >= 0 && (end == i || end == i-1 && t.at(i-1) == ",") {
			return true
		}
	}
	return false
}

// zip returns the end of a postcode at i, or i: British, Canadian, ZIP, or the four digits of Australia after a state.
func (t *turn) zip(i int, state bool) int {
	for _, r := range t.runs {
		if r.lo != i {
			continue
		}
		switch {
		case postcode(r.code) || canadianPostcode(r.code):
			return r.hi
		case r.letters == 0 && (len(r.code) == 5 || len(r.code) == 9), r.letters == 0 && len(r.code) == 4 && state:
			return r.hi
		}
	}
	return i
}

// townBefore takes the name of a town that no list has: words between the street and a state or postcode, or after a
// comma one or two capitalised words.
func (t *turn) townBefore(i int, comma bool) int {
	for n := 1; n <= 3 && i+n <= len(t.toks); n++ {
		w := &t.toks[i+n-1]
		if w.kind != wordToken || notStreet[w.low] || notTown[w.low] || hesitations[w.low] || numberWord(w) || t.written && !w.upper() {
			return i
		}
		after := t.comma(i + n)
		if end := t.place(after); end > after && (t.written || stateNames[phraseOf(t, after, end)]) {
			return i + n
		}
		if t.zip(after, false) > after {
			return i + n
		}
		if comma && t.written && (i+n == len(t.toks) || t.toks[i+n].kind == markToken) && !nameStart(w.low) {
			return i + n
		}
	}
	return i
}

var notTown = set("phone mobile email postcode zip and my name's name number please thanks reference order that's it's account call thank yes")

// nameStart tells that a word is rather somebody's name.
func nameStart(low string) bool { return firstNames[low] && !cities[low] }

func phraseOf(t *turn, lo, hi int) string {
	words := make([]string, 0, hi-lo)
	for k := lo; k < hi; k++ {
		words = append(words, t.at(k))
	}
	return strings.Join(words, " ")
}

// stateZip returns the end of a city line at i: "Boise, ID 83702", "plano texas seven five oh seven four", or i.
func (t *turn) stateZip(i int) int {
	end := t.place(i)
	if end == i {
		return i
	}
	after := t.comma(end)
	if second := t.place(after); second > after {
		end = second
		after = t.comma(end)
	}
	for _, r := range t.runs {
		if r.lo == after && r.letters == 0 && len(r.code) == 5 && !(r.hi < len(t.toks) && amountWords[t.at(r.hi)]) {
			return r.hi
		}
	}
	return i
}
