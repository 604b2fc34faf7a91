package awserr

import (
	"errors"
	"strings"
)

// Protocol is how a service spells errors on the wire.
type Protocol int

// The protocols. RPC v2 CBOR shares the codes and texts of JSON.
const (
	JSON Protocol = iota
	S3
	Query
)

// String implements fmt.Stringer.
func (p Protocol) String() string {
	switch p {
	case S3:
		return "S3"
	case Query:
		return "query"
	default:
		return "JSON"
	}
}

// Failure is an error that every AWS protocol has its own code and text for: what the signature
// verifier and the gateway raise before they need to know how the service speaks. For turns it
// into an Error.
type Failure struct {
	Kind Kind
	// Details fill the placeholders of the table's texts and the fields of S3 documents.
	Details []Field
}

// Fail makes a Failure from name, value pairs.
func Fail(kind Kind, details ...string) *Failure {
	f := &Failure{Kind: kind}
	for i := 0; i+1 < len(details); i += 2 {
		f.Details = append(f.Details, Field{Name: details[i], Value: details[i+1]})
	}
	return f
}

// Error implements error.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	for _, d := range f.Details {
		b.WriteString(", ")
		b.WriteString(d.Name)
		b.WriteString("=")
		b.WriteString(d.Value)
	}
	return b.String()
}

// Is makes errors.Is(err, awserr.Fail(kind)) compare kinds only.
func (f *Failure) Is(target error) bool {
	t, ok := target.(*Failure)
	return ok && t.Kind == f.Kind
}

func (f *Failure) detail(name string) (string, bool) {
	for _, d := range f.Details {
		if d.Name == name {
			return d.Value, true
		}
	}
	return "", false
}

// For returns err as a client of protocol p sees it: an *Error as it is, a *Failure by the
// table, anything else as an internal failure that tells nothing of its cause. Wrapped errors
// are unwrapped. It never returns nil for a non-nil err.
func For(p Protocol, err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Kind: Internal}
	}
	row, ok := table[f.Kind]
	if !ok {
		f = &Failure{Kind: Internal}
		row = table[Internal]
	}
	return row[p].render(f)
}

// IsInternal tells whether clients see err as an internal failure, so that its cause must be logged.
func IsInternal(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Status >= 500 && e.Status != 503
	}
	var f *Failure
	return err != nil && (!errors.As(err, &f) || f.Kind == Internal)
}

// shape is one cell of the table.
type shape struct {
	code   string
	status int
	// text has {name} where the detail of that name goes.
	text string
	// fields names the details that an S3 document shows as elements.
	fields []string
}

func (s shape) render(f *Failure) *Error {
	e := &Error{Code: s.code, Status: s.status, Message: s.text, Framework: true}
	if strings.Contains(s.text, "{") {
		pairs := make([]string, 0, 2*len(f.Details))
		for _, d := range f.Details {
			pairs = append(pairs, "{"+d.Name+"}", d.Value)
		}
		e.Message = strings.NewReplacer(pairs...).Replace(s.text)
	}
	for _, name := range s.fields {
		if v, ok := f.detail(name); ok {
			e.Fields = append(e.Fields, Field{Name: name, Value: v})
		}
	}
	return e
}
