package pii

import "strings"

// luhn tells whether the last digit checks the others (ISO/IEC 7812-1 annex B).
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return len(digits) > 1 && sum%10 == 0
}

// card tells whether digits are a payment card's: an issuer's prefix, its length, and the check digit.
func card(digits string) bool {
	n := len(digits)
	if n < 13 || n > 19 || !luhn(digits) {
		return false
	}
	switch digits[0] {
	case '2', '4', '5', '6':
		return true
	case '3':
		return n <= 16
	}
	return false
}

// aba tells whether digits are a routing number of the American Bankers Association.
func aba(digits string) bool {
	if len(digits) != 9 || digits == "000000000" {
		return false
	}
	sum := 0
	for i, weight := range []int{3, 7, 1, 3, 7, 1, 3, 7, 1} {
		sum += weight * int(digits[i]-'0')
	}
	return sum%10 == 0
}

// ibanLengths are the lengths of account numbers by country (ISO 13616 registry).
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21,
	"CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27,
	"GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
	"IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24,
	"ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29,
	"RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22,
	"VG": 24, "XK": 20,
}

// iban tells whether code (upper case, no spaces) is an account number by length and checksum (ISO 13616, ISO 7064 mod 97).
func iban(code string) bool {
	if len(code) < 15 || ibanLengths[code[:2]] != len(code) {
		return false
	}
	rest := 0
	for i := range len(code) {
		c := code[(i+4)%len(code)]
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A'+10)) % 97
		default:
			return false
		}
	}
	return rest == 1
}

// vin tells whether code (upper case) is a vehicle's number with a right check digit (49 CFR 565.15).
func vin(code string) bool {
	const values = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
	if len(code) != 17 {
		return false
	}
	sum := 0
	for i, weight := range []int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2} {
		at := strings.IndexByte(values, code[i])
		if at < 0 || code[i] == '.' {
			return false
		}
		sum += weight * (at % 10)
	}
	return code[8] == "0123456789X"[sum%11]
}

// swift tells whether code (upper case) has the form of a bank's identifier (ISO 9362): bank, a country, place, branch.
func swift(code string) bool {
	if len(code) != 8 && len(code) != 11 {
		return false
	}
	for i := range 6 {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	country := code[4:6]
	return ibanLengths[country] > 0 || among(" "+country+" ", " US CA AU NZ JP CN HK SG IN ZA KR MX NG KE TH MY ID PH VN TW AR CL CO ")
}
