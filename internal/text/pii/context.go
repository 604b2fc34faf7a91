package pii

import "strings"

// noType is the type of what looks like personal information and is none: orders, tickets, prices.
const noType = "-"

// cuePhrases are the words by which people announce a value, by its type. "s" of a possessive is left out: "passport's"
// is read as "passport".
var cuePhrases = map[string]string{
	Card: `card number|card no|card ending|card ending in|card ends|card|long number|long card number|sixteen digit number|sixteen digits|16 digits|16 digit number
		credit card|debit card|visa|mastercard|amex|american express|discover card|card on file|card details|number on the front|number across the front|front of the card
		pan|primary account number|visa ending|mastercard ending|charge card|joint card|store card|bank card|prepaid card|gift card`,
	CardCode: `cvv|cvc|cvv2|cvc2|cid|c v v|c v c|c i d|csc|c s c|security code|security number|card verification|verification value|three digits on the back|3 digits on the back
		three digit code|3 digit code|three digit number|three on the back|four on the front|back of the card|on the back|the back is|signature strip|last three digits|last three on the back
		four digits on the front|4 digits on the front|four digit code on the front|code on the back|number on the back|digits on the back`,
	CardExpiry:  `expiry|expiry date|expiration|expiration date|expires|expires end|expiring|exp|exp date|expire|valid thru|valid through|valid until|valid to|good thru|good through|runs out|end date`,
	SSN:         `social security number|social security|social|ssn|s s n|social number|soc`,
	TaxNumber:   `itin|i t i n|individual taxpayer|taxpayer identification number|taxpayer identification|tax identification number|taxpayer id|tax id`,
	BankRouting: `routing number|routing|routing and transit|aba|aba number|a b a|sort code|sortcode|bsb|b s b|bsb number|transit number|routing transit|institution number|sort`,
	BankAccount: `account number|account no|account|acct|acct number|checking account|checking|savings account|savings|bank account|current account|chequing account|account ending|account ending in|account ends
		bank details|direct deposit|deposit account|business account|joint account|nominated account`,
	Phone: `phone number|phone|telephone|telephone number|mobile|mobile number|cell|cell number|cell phone|cellphone|landline|land line|home number|work number|office number|daytime number|evening number|contact number
		callback number|call back number|call me back on|call me back at|call me on|call me at|ring me on|ring me|ring me at|ring me back on|reach me on|reach me at|reach me|text me|text me on|text me at|best number|my number|number for me
		area code|calling back on|calling you back on|call me back|calling on|phoning from|ringing from|another number|new number|old number|call us on|call us at|reach us at|reach us on|contact us on|give me a call on|give me a call at|give us a call on|get me on|get me at|get hold of me on|call you back on|call you back at|call you on|call you at
		fax|fax number|whatsapp|helpline|hotline|dial|toll free|freephone|voicemail|voice mail|direct line|switchboard|extension of|call back on|call back at|caller id|calling from|his number|her number|their number|our number|your number|emergency contact
		call him on|call him at|call her on|call her at|call them on|call them at|ring him on|ring her on|bell me on|phone me on|call|home phone|work phone|ring us on|ring|text|number to reach|number to call|number ending in|callback|call back|pager|sms|reached on|reached at`,
	PIN:      `pin|pin number|pin code|p i n|passcode|pass code|four digit code|4 digit code|telephone banking code|door code|memorable number|unlock code|banking pin|security pin|four digit pin|telepin|pin's`,
	Passport: `passport|passport number|passport no|travel document`,
	Driver: `driver's license|driver's licence|driving license|driving licence|drivers license|drivers licence|driver license|driver licence|license number|licence number|licence|license|driver's permit|drivers permit|driving permit|driver number|dl number|d l number
		licence no|license no|state id|driver id|driver|learner's permit|provisional|photocard|permit`,
	Plate:            `registration|registration number|reg|reg number|rego|number plate|numberplate|license plate|licence plate|plate|plates|plate number|tag number|tags|registered as|reg plate|vehicle registration|car reg|licence plates|license plates|tow|towed|parked|tag`,
	Vehicle:          `vin|v i n|vin number|chassis number|chassis|vehicle identification number|vehicle identification`,
	CanadianInsuring: `social insurance number|social insurance|sin|s i n|sin number`,
	CanadianHealth:   `health card|health card number|ohip|ohip number|o h i p|health number|care card|carecard|personal health number|phn|ramq|health insurance number`,
	Address:          `zip|zip code|zipcode|postcode|post code|postal code|postal|zip is`,
	IBAN:             `iban|i b a n|international bank account number|international account number`,
	SWIFT:            `swift|swift code|bic|b i c|bic code`,
	IPAddress:        `ip|ip address|i p address|i p|router address`,
	MACAddress:       `mac|mac address|m a c address|hardware address|physical address`,
	DateTime:         `born|date of birth|birthday|birth date|birthdate|dob|d o b|birth`,
	AWSAccessKey:     `access key`,
	AWSSecretKey:     `secret key|secret access key`,
	Username:         `username|user name|login|user id|userid|user i d|login name|log in|login id|screen name|handle|sign in name`,
	Password:         `password|pass word|passphrase|pass phrase`,
	Email:            `email|e mail|email address|e mail address`,
	noType: `order number|order|orders|ticket|ticket number|case|case number|case id|reference|reference number|ref|ref number|tracking|tracking number|flight|flight number|confirmation|confirmation number|confirmation code|booking
		booking reference|invoice|invoice number|claim|claim number|policy number|policy|quote|quote number|model|model number|serial|serial number|error|error code|promo code|discount code|voucher|coupon|room|gate|extension|ext
		press|option|part number|loan number|badge number|employee number|employee id|student number|student id|staff number|job|contract|contract number|agreement number|registration fee|warranty|warranty number|sku|item|item number|batch|version|channel|parcel|job number|purchase order|tracking id|ticket id|order id|request number|incident|incident number|meter|meter reading|reading|balance|total
		build number|firmware|platform|seat|aisle|locker|box number|code|promotion|offer|product|product number|catalogue|catalogue number|catalog number|size|docket|lot|rma|return number|rma number
		authorization number|authorisation code|authorization code|approval code|transaction|transaction id|transaction number|receipt number|shipment|delivery number|consignment|consignment number|membership number|member number
		customer number|customer reference|loyalty number|clubcard|frequent flyer|price|costs|charged|fee|refund of|credit of|worth|megabits|score|population|since|back in|verification code
		one time code|one time passcode|otp|access code|activation code|departure|departs|leaves|lands|chapter|verse|channel|temperature|thermostat|event|event id|status|status code|windows|iphone|galaxy|series|episode|season
		highway|exit|junction|motorway|interstate|bag tag|luggage tag|tag id|asset tag|asset`,
}

// cue is a phrase that announces a value.
type cue struct {
	words []string
	kind  string
}

// cues are the phrases by their first word, longer ones first.
var cues = indexCues()

func indexCues() map[string][]cue {
	out := make(map[string][]cue)
	for kind, list := range cuePhrases {
		for phrase := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == '|' || r == '\n' }) {
			words := strings.Fields(phrase)
			if len(words) == 0 {
				continue
			}
			out[words[0]] = append(out[words[0]], cue{words, kind})
		}
	}
	return out
}

// found is a cue in a turn.
type found struct {
	lo, hi int // tokens
	kind   string
}

// findCues returns the cues of a turn in order, the longest at each place.
func findCues(toks []token) []found {
	var out []found
	for i := 0; i < len(toks); {
		best := found{}
		for _, word := range []string{toks[i].low, toks[i].base, strings.TrimSuffix(toks[i].low, "s")} {
			for _, c := range cues[word] {
				if n := matchWords(toks, i, c.words); n > best.hi-i && n > 0 {
					best = found{i, i + n, c.kind}
				}
			}
		}
		if best.hi <= i && toks[i].base == "number" && i > 0 && (toks[i-1].base != toks[i-1].low || owners[toks[i-1].low]) {
			best = found{i, i + 1, Phone}
		}
		if best.hi <= i {
			i++
			continue
		}
		if !notCue(toks, best) {
			out = append(out, best)
		}
		i = best.hi
	}
	return out
}

// owners stand before "number" when it is a telephone's.
var owners = set("my his her their our your good best different another alternative other new old")

// matchWords returns how many tokens at i say the words, zero if they don't. A dash may stand between words.
func matchWords(toks []token, i int, words []string) int {
	at := i
	for k, w := range words {
		if k > 0 && at < len(toks) && toks[at].text == "-" && !toks[at].spaced {
			at++
		}
		if at >= len(toks) || toks[at].low != w && toks[at].base != w && !(k == len(words)-1 && toks[at].low == w+"s") {
			return 0
		}
		at++
	}
	return at - i
}

// notCue tells the uses of a cue's words in which they announce nothing.
func notCue(toks []token, f found) bool {
	before, after := "", ""
	if f.lo > 0 {
		before = toks[f.lo-1].low
	}
	if f.hi < len(toks) {
		after = toks[f.hi].low
	}
	switch toks[f.lo].base {
	case "call", "ring", "text", "dial":
		return f.hi == f.lo+1 && !among(after, "me him her us them on at back 0") && !numberWord(&toks[min(f.hi, len(toks)-1)])
	case "sort":
		return f.hi == f.lo+1
	case "social":
		return f.hi == f.lo+1 && (after == "media" || after == "worker" || after == "club" || after == "services")
	case "born":
		return false
	case "exp", "sin", "pan", "mac", "handle", "tag", "tags", "parked", "tow":
		return before == "can" || before == "to" || after == "and" && toks[f.lo].base == "tag"
	case "reading":
		return among(after, "that it this back them your") || before == "for"
	case "code", "option", "point", "year", "pay", "paid", "charge", "event", "status", "row", "box":
		return before == "post" || before == "zip" || before == "postal" || before == "sort" || before == "security" || before == "pin" || before == "area" || before == "country" || before == "dialling" || before == "dialing"
	}
	return false
}
