package pii

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// phoneRegions are where a number without a country code may be from.
var phoneRegions = []string{"US", "GB", "AU", "IE", "IN", "ZA", "NZ"}

// phoneDigits tells whether digits without any words around are most likely a telephone number's.
func phoneDigits(digits string) bool {
	// Ten or eleven digits after a trunk zero are hardly anything else, also where the library knows of no such exchange:
	// those kept for films are none.
	if (len(digits) == 10 || len(digits) == 11) && digits[0] == '0' && digits[1] != '0' {
		return true
	}
	for _, region := range phoneRegions {
		// Elsewhere than in North America a number that is said by itself begins with the trunk zero.
		if region != "US" && !strings.HasPrefix(digits, "0") && !strings.HasPrefix(digits, "44") && !strings.HasPrefix(digits, "61") &&
			!(region == "AU" && (strings.HasPrefix(digits, "1300") || strings.HasPrefix(digits, "1800"))) {
			continue
		}
		n, err := phonenumbers.Parse(digits, region)
		if err == nil && phonenumbers.IsValidNumberForRegion(n, region) {
			return true
		}
	}
	return false
}

// phones finds written telephone numbers of a region ("DE") and international ones, as bytes of text. It is used where
// the language is not English; there numbers need a form of their own.
func phones(text, region string) []Entity {
	var out []Entity
	for _, at := range numberForm.FindAllStringIndex(text, 64) {
		raw := text[at[0]:at[1]]
		n, err := phonenumbers.Parse(raw, region)
		if err != nil || !phonenumbers.IsValidNumber(n) {
			continue
		}
		// Eight digits without a mark between them may be anything.
		if !strings.HasPrefix(raw, "+") && !strings.HasPrefix(raw, "0") && !strings.HasPrefix(raw, "(") {
			continue
		}
		out = append(out, Entity{Start: at[0], End: at[1], Type: Phone, Score: scoreTyped})
	}
	return out
}
