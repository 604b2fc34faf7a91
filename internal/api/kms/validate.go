package kms

//go:generate go run ./gen

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// shape is one shape of the service model with its constraints.
type shape struct {
	// kind is the model's type: "string", "list".
	kind     string
	min, max *int
	pattern  string
	enum     []string
	// hidden values are not to be repeated in an error: secrets and blobs.
	hidden bool
	// element is the shape of a list's members.
	element string
	members []member
}

type member struct {
	name, shape string
	required    bool
}

func bound(n int) *int { return &n }

// patterns are the compiled patterns of the model, which match whole values.
var patterns = sync.OnceValue(func() map[string]*regexp.Regexp {
	compiled := map[string]*regexp.Regexp{}
	for _, s := range shapes {
		if s.pattern != "" {
			// Java's \u0020 is RE2's \x{0020}.
			text := regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`).ReplaceAllString(s.pattern, `\x{$1}`)
			compiled[s.pattern] = regexp.MustCompile("^(?:" + text + ")$")
		}
	}
	return compiled
})

// validate holds an operation's input against the constraints of the service model, and returns nil or one
// ValidationException that names all that are broken, in AWS's words.
func validate(operation string, input any) error {
	var broken []string
	violations(&broken, "", shapes[inputs[operation]], reflect.Indirect(reflect.ValueOf(input)))
	if len(broken) == 0 {
		return nil
	}
	plural := ""
	if len(broken) > 1 {
		plural = "s"
	}
	return invalid(fmt.Sprintf("%d validation error%s detected: %s", len(broken), plural, strings.Join(broken, "; ")))
}

func invalid(message string) *awserr.Error {
	return &awserr.Error{Code: "ValidationException", Status: 400, Message: message, Framework: true}
}

func violations(broken *[]string, path string, s shape, v reflect.Value) {
	for _, m := range s.members {
		at := strings.ToLower(m.name[:1]) + m.name[1:]
		if path != "" {
			at = path + "." + at
		}
		f := v.FieldByName(m.name)
		if !f.IsValid() {
			continue // a member that no operation here looks at
		}
		if f.IsZero() {
			if m.required {
				*broken = append(*broken, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", at))
			}
			continue
		}
		check(broken, at, shapes[m.shape], reflect.Indirect(f))
	}
}

func check(broken *[]string, at string, s shape, v reflect.Value) {
	say := func(constraint string) {
		value := "Value at"
		if !s.hidden {
			value = "Value '" + text(v) + "' at"
		}
		*broken = append(*broken, fmt.Sprintf("%s '%s' failed to satisfy constraint: %s", value, at, constraint))
	}
	for _, c := range constraints(s, v) {
		say(c)
	}
	if s.kind != "list" {
		return
	}
	element := shapes[s.element]
	var inner []string
	for i := range v.Len() {
		if element.kind == "structure" {
			violations(broken, at+"."+strconv.Itoa(i+1)+".member", element, v.Index(i))
			continue
		}
		for _, c := range constraints(element, v.Index(i)) {
			if !slices.Contains(inner, c) {
				inner = append(inner, c)
			}
		}
	}
	if len(inner) > 0 {
		say("Member must satisfy constraint: [" + strings.Join(inner, ", ") + "]")
	}
}

// constraints returns those of a shape that a value breaks, in AWS's order.
func constraints(s shape, v reflect.Value) []string {
	var broken []string
	var n int
	unit := "length"
	switch v.Kind() {
	case reflect.String:
		n = utf8.RuneCountInString(v.String())
	case reflect.Slice, reflect.Map:
		n = v.Len()
	case reflect.Int:
		unit, n = "value", int(v.Int())
	default:
		return nil
	}
	if s.max != nil && n > *s.max {
		broken = append(broken, fmt.Sprintf("Member must have %s less than or equal to %d", unit, *s.max))
	}
	if s.min != nil && n < *s.min {
		broken = append(broken, fmt.Sprintf("Member must have %s greater than or equal to %d", unit, *s.min))
	}
	if s.pattern != "" && !patterns()[s.pattern].MatchString(v.String()) {
		broken = append(broken, "Member must satisfy regular expression pattern: "+s.pattern)
	}
	if len(s.enum) > 0 && !slices.Contains(s.enum, v.String()) {
		broken = append(broken, "Member must satisfy enum value set: ["+strings.Join(s.enum, ", ")+"]")
	}
	return broken
}

// maxShown bounds how much of a value an error repeats.
const maxShown = 256

// text writes a value as Java does.
func text(v reflect.Value) string {
	s := fmt.Sprint(v.Interface())
	switch v.Kind() {
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.String {
			return "" // structures name their own members
		}
		var parts []string
		for i := range v.Len() {
			parts = append(parts, v.Index(i).String())
		}
		s = "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		return ""
	}
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}
