package pii

import (
	"net/netip"
	"regexp"
	"strings"
)

// The written forms that need no language. Ends are checked by the code that uses them.
var (
	emailForm  = regexp.MustCompile(`[\p{L}\p{N}][\p{L}\p{N}._%+'\-]{0,63}@[\p{L}\p{N}\-]{1,63}(?:\.[\p{L}\p{N}\-]{1,63}){1,6}`)
	urlForm    = regexp.MustCompile(`(?i)\b(?:https?://|www\.)[^\s<>"“”]{2,500}|\b(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.){1,6}(?:com|org|net|edu|gov|mil|info|biz|io|co|ai|app|dev|me|tv|uk|us|ca|au|nz|ie|de|fr|it|es|pt|br|ch|at|nl|be|in|za|eu|shop|online|store|site|xyz|tech|cloud|bank|health|test|example)\b(?:/[^\s<>"“”]{0,500})?`)
	ipv4Form   = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	ipv6Form   = regexp.MustCompile(`(?i)(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}`)
	macForm    = regexp.MustCompile(`(?i)\b[0-9a-f]{2}(?:[:\-][0-9a-f]{2}){5}\b`)
	ibanForm   = regexp.MustCompile(`(?i)\b[a-z]{2}\d{2}(?:[ \-]?[a-z0-9]){11,30}\b`)
	cardForm   = regexp.MustCompile(`\b\d(?:[ \-.]?\d){12,18}\b`)
	accessKey  = regexp.MustCompile(`\b(?:AKIA|ASIA|AROA|AIDA|AGPA|AIPA|ANPA|ANVA)[A-Z0-9]{16}\b`)
	secretKey  = regexp.MustCompile(`(?:^|[^A-Za-z0-9/+=])([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)`)
	vinForm    = regexp.MustCompile(`(?i)\b[a-hj-npr-z0-9]{17}\b`)
	postForm   = regexp.MustCompile(`\b(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d)\b`)
	numberForm = regexp.MustCompile(`(?:\+|\(\+?)?\(?\d[\d()]*(?:[ \-./]{0,2}[\d()]+){1,8}`)
)

// written finds what has a form of its own in text, whatever the language.
func written(text string) []Entity {
	var out []Entity
	add := func(re *regexp.Regexp, kind string, score float64, holds func(string) bool) {
		for _, at := range re.FindAllStringIndex(text, 256) {
			if holds == nil || holds(text[at[0]:at[1]]) {
				out = append(out, Entity{Start: at[0], End: at[1], Type: kind, Score: score})
			}
		}
	}
	add(emailForm, Email, scoreChecked, nil)
	for _, at := range urlForm.FindAllStringIndex(text, 256) {
		end := at[0] + len(strings.TrimRight(text[at[0]:at[1]], ".,;:!?)'\"»…"))
		if end > at[0] && (at[0] == 0 || text[at[0]-1] != '@' && text[at[0]-1] != '.') {
			out = append(out, Entity{Start: at[0], End: end, Type: URL, Score: scoreChecked})
		}
	}
	address := func(s string) bool { _, err := netip.ParseAddr(s); return err == nil }
	add(ipv4Form, IPAddress, scoreTyped, address)
	add(ipv6Form, IPAddress, scoreTyped, func(s string) bool { return strings.Count(s, ":") >= 3 && len(s) > 6 && address(s) })
	add(macForm, MACAddress, scoreChecked, nil)
	add(accessKey, AWSAccessKey, scoreChecked, nil)
	for _, at := range secretKey.FindAllStringSubmatchIndex(text, 64) {
		if s := text[at[2]:at[3]]; strings.ContainsAny(s, "0123456789") && strings.ToLower(s) != s && strings.ToUpper(s) != s {
			out = append(out, Entity{Start: at[2], End: at[3], Type: AWSSecretKey, Score: scoreTyped})
		}
	}
	for _, at := range ibanForm.FindAllStringIndex(text, 64) {
		if end := longestIBAN(text[at[0]:at[1]]); end > 0 {
			out = append(out, Entity{Start: at[0], End: at[0] + end, Type: BankAccount, Score: scoreChecked, Also: IBAN})
		}
	}
	add(cardForm, Card, scoreChecked, func(s string) bool { return card(onlyDigits(s)) })
	add(vinForm, Vehicle, scoreTyped, func(s string) bool { return strings.Trim(s, "0123456789") != "" && vin(strings.ToUpper(s)) })
	add(postForm, Address, scoreLoose, nil)
	return out
}

// longestIBAN returns how much of s is a valid account number: words that follow may have the form of its last part.
func longestIBAN(s string) int {
	length := ibanLengths[strings.ToUpper(s[:2])]
	n := 0
	for i := range len(s) {
		if s[i] != ' ' && s[i] != '-' {
			n++
		}
		if n == length {
			code := strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s[:i+1]))
			if iban(code) {
				return i + 1
			}
			return 0
		}
	}
	return 0
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
