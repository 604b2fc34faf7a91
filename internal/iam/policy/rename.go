package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// RenamePrincipals returns a policy's text with its principals of type AWS renamed, in Principal and NotPrincipal alone: the
// same ARN in a resource or a condition stays. What keeps its name keeps its spelling.
func RenamePrincipals(text string, rename func(string) string) (string, error) {
	r := renamer{text: text, decoder: json.NewDecoder(strings.NewReader(text)), rename: rename}
	if err := r.value(inPolicy); err != nil {
		return "", fmt.Errorf("rename principals: %w", err)
	}
	r.out.WriteString(text[r.copied:])
	return r.out.String(), nil
}

// place is where in a policy a value stands.
type place int

const (
	inPolicy place = iota
	inStatement
	inPrincipal
	inNames
	elsewhere
)

// below is the place of the value of a key.
func (p place) below(key string) place {
	switch {
	case p == inPolicy && key == "Statement":
		return inStatement
	case p == inStatement && (key == "Principal" || key == "NotPrincipal"):
		return inPrincipal
	case p == inPrincipal && key == typeAWS:
		return inNames
	}
	return elsewhere
}

// renamer copies a text, and replaces names on the way.
type renamer struct {
	text    string
	decoder *json.Decoder
	rename  func(string) string
	out     bytes.Buffer
	// copied is how much of text is in out.
	copied int
}

// value passes a value. Lists are where their members are.
func (r *renamer) value(at place) error {
	before := int(r.decoder.InputOffset())
	token, err := r.decoder.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case string:
		if at == inNames {
			r.replace(before, t)
		}
	case json.Delim:
		for r.decoder.More() {
			below := at
			if t == '{' {
				key, err := r.decoder.Token()
				if err != nil {
					return err
				}
				name, _ := key.(string) // keys are strings
				below = at.below(name)
			}
			if err := r.value(below); err != nil {
				return err
			}
		}
		if _, err := r.decoder.Token(); err != nil { // the end of the list or object
			return err
		}
	}
	return nil
}

// replace renames the string that was just read; before is where what stands in front of it begins.
func (r *renamer) replace(before int, name string) {
	next := r.rename(name)
	if next == name {
		return
	}
	start := before + strings.IndexByte(r.text[before:], '"')
	quoted, _ := json.Marshal(next) // a string: can't fail
	r.out.WriteString(r.text[r.copied:start])
	r.out.Write(quoted)
	r.copied = int(r.decoder.InputOffset())
}
