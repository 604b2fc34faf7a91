// Package pii finds personal information in what people say and takes it out. It reads text as it was said, turn by
// turn: "my pin is double four oh nine", or "your PIN?" and then "one nine four two". Rules own all that has a form
// (numbers, codes, addresses, dates, what is spelled); a Tagger, usually a model, adds names that no form gives away.
// It knows nothing of AWS but the names of the types. Start reading at Detector, then at Redactor.
package pii

import (
	"context"
	"slices"
)

// The types of personal information, as Amazon Transcribe names them
// (https://docs.aws.amazon.com/transcribe/latest/APIReference/API_ContentRedaction.html).
const (
	BankAccount      = "BANK_ACCOUNT_NUMBER"
	BankRouting      = "BANK_ROUTING"
	Card             = "CREDIT_DEBIT_NUMBER"
	CardCode         = "CREDIT_DEBIT_CVV"
	CardExpiry       = "CREDIT_DEBIT_EXPIRY"
	PIN              = "PIN"
	Email            = "EMAIL"
	Address          = "ADDRESS"
	Name             = "NAME"
	Phone            = "PHONE"
	SSN              = "SSN"
	DateTime         = "DATE_TIME"
	Passport         = "PASSPORT_NUMBER"
	Driver           = "DRIVER_ID"
	URL              = "URL"
	Age              = "AGE"
	Username         = "USERNAME"
	Password         = "PASSWORD"
	AWSAccessKey     = "AWS_ACCESS_KEY"
	AWSSecretKey     = "AWS_SECRET_KEY"
	IPAddress        = "IP_ADDRESS"
	MACAddress       = "MAC_ADDRESS"
	Plate            = "LICENSE_PLATE"
	Vehicle          = "VEHICLE_IDENTIFICATION_NUMBER"
	TaxNumber        = "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER"
	CanadianHealth   = "CA_HEALTH_NUMBER"
	CanadianInsuring = "CA_SOCIAL_INSURANCE_NUMBER"
	IBAN             = "INTERNATIONAL_BANK_ACCOUNT_NUMBER"
	SWIFT            = "SWIFT_CODE"
)

// types are all of them.
var types = []string{
	BankAccount, BankRouting, Card, CardCode, CardExpiry, PIN, Email, Address, Name, Phone, SSN, DateTime, Passport, Driver,
	URL, Age, Username, Password, AWSAccessKey, AWSSecretKey, IPAddress, MACAddress, Plate, Vehicle, TaxNumber, CanadianHealth,
	CanadianInsuring, IBAN, SWIFT,
}

// languages are those in which personal information is found; docs/redaction.md says how much in which.
var languages = []string{"en", "de", "fr", "it", "pt", "es"}

// Supported tells whether anything is found in a language, an ISO 639-1 code. The empty code counts as English.
func Supported(language string) bool {
	return language == "" || slices.Contains(languages, language)
}

// Types returns the names of all types.
func Types() []string { return slices.Clone(types) }

// The kinds that only a Tagger gives: parts of an address, which alone are no personal information.
const (
	// City is a city, state or country.
	City = "CITY"
)

// Entity is a stretch of a text that tells something personal.
type Entity struct {
	// Start and End are offsets in bytes, End exclusive.
	Start, End int
	// Type is one of Types; a Tagger may also give City.
	Type string
	// Score is the probability, 0 to 1, that it is what Type says.
	Score float64
	// Also is a second type that it is too: an international account number is a bank account's.
	Also string
}

// Tagger finds entities by what it has learned. A Tagger is safe for concurrent use.
type Tagger interface {
	// Tag returns, for each text, its entities in order, without overlaps, each from the beginning to the end of a
	// word. A text is one turn of a conversation. The same text has the same entities whatever else is tagged with it.
	// It returns the context's error, or that of its model.
	Tag(ctx context.Context, texts []string) ([][]Entity, error)
}
