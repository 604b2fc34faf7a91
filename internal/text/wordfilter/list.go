package wordfilter

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a list (https://docs.aws.amazon.com/transcribe/latest/dg/limits-guidelines.html).
const (
	// MaxBytes is the largest list, in bytes of UTF-8 with one entry a line.
	MaxBytes = 50 << 10
	// MaxEntry is the longest entry in characters.
	MaxEntry = 256
)

// The errors of lists; compare with errors.Is.
var (
	ErrNotText  = errors.New("the list is not UTF-8 text")
	ErrEmpty    = errors.New("the list has no entries")
	ErrTooLarge = errors.New("the list is larger than 50 KB")
)

// EntryError says which entry of a list can't be used.
type EntryError struct {
	// Number counts entries, or lines of a file, from 1.
	Number int
	Reason string
}

// Error implements error.
func (e *EntryError) Error() string { return fmt.Sprintf("entry %d: %s", e.Number, e.Reason) }

// Parse reads a file of entries: UTF-8 text, one entry a line, or several between commas. Empty lines, spaces
// around entries and a byte order mark mean nothing. It returns ErrNotText, ErrEmpty, ErrTooLarge or an *EntryError.
func Parse(file []byte) ([]string, error) {
	if len(file) > MaxBytes {
		return nil, ErrTooLarge
	}
	if !utf8.Valid(file) {
		return nil, ErrNotText
	}
	var out []string
	number := 0
	for line := range strings.SplitSeq(string(file), "\n") {
		number++
		for entry := range strings.SplitSeq(line, ",") {
			entry = trim(entry)
			if entry == "" {
				continue
			}
			if reason := fault(entry); reason != "" {
				return nil, &EntryError{number, reason}
			}
			out = append(out, entry)
		}
	}
	if len(out) == 0 {
		return nil, ErrEmpty
	}
	return out, nil
}

// Check holds entries that came one by one to the rules of a list. It returns ErrEmpty, ErrTooLarge or an *EntryError.
func Check(entries []string) error {
	if len(entries) == 0 {
		return ErrEmpty
	}
	for i, e := range entries {
		if reason := fault(e); reason != "" {
			return &EntryError{i + 1, reason}
		}
	}
	if len(Format(entries)) > MaxBytes {
		return ErrTooLarge
	}
	return nil
}

// Format writes entries as a file that Parse reads.
func Format(entries []string) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(trim(e))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// trim takes spaces from around an entry, and the byte order mark that a file may begin with.
func trim(entry string) string {
	return strings.TrimFunc(entry, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
}

// fault says what is wrong with an entry, or nothing.
func fault(entry string) string {
	switch {
	case !utf8.ValidString(entry):
		return "it is not UTF-8"
	case utf8.RuneCountInString(entry) > MaxEntry:
		return fmt.Sprintf("it has more than %d characters", MaxEntry)
	case strings.ContainsFunc(entry, unicode.IsControl):
		return "it has a control character"
	case strings.Contains(entry, ","):
		return "it has a comma"
	case normal(entry) == "":
		return "it has no letter or digit"
	}
	return ""
}
