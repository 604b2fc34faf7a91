package shapes

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Violation is one modelled constraint that a request breaks.
type Violation struct {
	// Path is the member in the service's spelling: "media.mediaFileUri", "tags.1.member.key".
	Path string
	// Value is the offending value as AWS prints it, quoted; "null" where it is missing, empty where it is a secret.
	Value string
	// Constraint is the sentence that names the rule.
	Constraint string
}

// String is the violation as it stands in AWS's message.
func (v Violation) String() string {
	value := "Value"
	if v.Value != "" {
		value += " " + v.Value
	}
	return fmt.Sprintf("%s at '%s' failed to satisfy constraint: %s", value, v.Path, v.Constraint)
}

// Message puts violations into AWS's one sentence.
func Message(v []Violation) string {
	texts := make([]string, len(v))
	for i, one := range v {
		texts[i] = one.String()
	}
	plural := ""
	if len(v) > 1 {
		plural = "s"
	}
	return fmt.Sprintf("%d validation error%s detected: %s", len(v), plural, strings.Join(texts, "; "))
}

// Violations holds a request against the constraints that the model has for the operation's input. The request
// is a struct whose fields are named as the members are, a pointer to one, or a decoded JSON, CBOR or form map. Members
// that the model does not know are ignored, and so is an operation that it does not know.
func (m *Model) Violations(operation string, request any) []Violation {
	name := m.operations[operation]
	if name == "" {
		return nil
	}
	w := &walker{shapes: m.shapes}
	value := indirect(reflect.ValueOf(request))
	if !value.IsValid() {
		value = reflect.ValueOf(map[string]any{})
	}
	w.structure("", m.shapes[name], value)
	return w.found
}

type walker struct {
	shapes map[string]*shape
	found  []Violation
}

func (w *walker) add(path string, value reflect.Value, constraint string) {
	w.found = append(w.found, Violation{path, quote(value), constraint})
}

// addOf is add for a value whose shape is known.
func (w *walker) addOf(s *shape, path string, value reflect.Value, constraint string) {
	if s.Hidden {
		w.found = append(w.found, Violation{path, "", constraint})
		return
	}
	w.add(path, value, constraint)
}

func (w *walker) structure(path string, s *shape, value reflect.Value) {
	for _, m := range s.Members {
		at := lowerFirst(m.Name)
		if path != "" {
			at = path + "." + at
		}
		v := memberOf(value, m.Name)
		if !v.IsValid() {
			if slices.Contains(s.Required, m.Name) {
				w.add(at, v, "Member must not be null")
			}
			continue
		}
		w.value(at, w.shapes[m.Shape], v)
	}
}

func (w *walker) value(path string, s *shape, v reflect.Value) {
	switch s.Type {
	case "structure":
		w.structure(path, s, v)
	case "list":
		w.list(path, s, v)
	case "map":
		w.mapping(path, s, v)
	default:
		for _, c := range scalar(s, v) {
			w.addOf(s, path, v, c)
		}
	}
}

func (w *walker) list(path string, s *shape, v reflect.Value) {
	if v.Kind() != reflect.Slice {
		return
	}
	for _, c := range length(s, v.Len()) {
		w.add(path, v, c)
	}
	element := w.shapes[s.Member]
	var broken []string
	for i := range v.Len() {
		e := indirect(v.Index(i))
		if !e.IsValid() {
			broken = appendNew(broken, "Member must not be null")
			continue
		}
		if element.Type == "structure" || element.Type == "list" || element.Type == "map" {
			w.value(path+"."+strconv.Itoa(i+1)+".member", element, e)
			continue
		}
		broken = appendNew(broken, scalar(element, e)...)
	}
	if len(broken) > 0 {
		w.add(path, v, "Member must satisfy constraint: ["+strings.Join(broken, ", ")+"]")
	}
}

func (w *walker) mapping(path string, s *shape, v reflect.Value) {
	if v.Kind() != reflect.Map {
		return
	}
	for _, c := range length(s, v.Len()) {
		w.add(path, v, c)
	}
	keys, values := w.shapes[s.Key], w.shapes[s.Value]
	var badKeys, badValues []string
	for _, k := range sortedKeys(v) {
		badKeys = appendNew(badKeys, scalar(keys, k)...)
		e := indirect(v.MapIndex(k))
		switch {
		case !e.IsValid():
			badValues = appendNew(badValues, "Member must not be null")
		case values.Type == "structure":
			w.value(path+"."+k.String()+".member", values, e)
		default:
			badValues = appendNew(badValues, scalar(values, e)...)
		}
	}
	if len(badKeys) > 0 {
		w.add(path, v, "Map keys must satisfy constraint: ["+strings.Join(badKeys, ", ")+"]")
	}
	if len(badValues) > 0 {
		w.add(path, v, "Map value must satisfy constraint: ["+strings.Join(badValues, ", ")+"]")
	}
}

// scalar returns the constraints that a string or number breaks, in the order AWS lists them.
func scalar(s *shape, v reflect.Value) []string {
	var broken []string
	switch s.Type {
	case "string":
		if v.Kind() != reflect.String {
			return nil
		}
		text := v.String()
		broken = length(s, utf8.RuneCountInString(text))
		if s.whole != nil && !s.whole.MatchString(text) {
			broken = append(broken, "Member must satisfy regular expression pattern: "+s.Pattern)
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
			broken = append(broken, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
		}
	case "blob":
		if v.Kind() == reflect.Slice {
			broken = length(s, v.Len())
		}
	case "integer", "long", "float", "double":
		n, ok := number(v)
		if !ok {
			return nil
		}
		if s.Min != nil && n < *s.Min {
			broken = append(broken, "Member must have value greater than or equal to "+trim(*s.Min))
		}
		if s.Max != nil && n > *s.Max {
			broken = append(broken, "Member must have value less than or equal to "+trim(*s.Max))
		}
	}
	return broken
}

func length(s *shape, n int) []string {
	var broken []string
	if s.Max != nil && float64(n) > *s.Max {
		broken = append(broken, "Member must have length less than or equal to "+trim(*s.Max))
	}
	if s.Min != nil && float64(n) < *s.Min {
		broken = append(broken, "Member must have length greater than or equal to "+trim(*s.Min))
	}
	return broken
}

// memberOf returns a member's value without pointers and interfaces; invalid when it is null or absent.
func memberOf(v reflect.Value, name string) reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		return indirect(v.FieldByName(name))
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			return indirect(v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())))
		}
	}
	return reflect.Value{}
}

func indirect(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if v.IsValid() && (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
		return reflect.Value{}
	}
	return v
}

func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	case v.Kind() == reflect.String: // json.Number
		n, err := strconv.ParseFloat(v.String(), 64)
		return n, err == nil
	}
	return 0, false
}

// maxShown bounds how much of a value an error repeats.
const maxShown = 1024

func quote(v reflect.Value) string {
	if !v.IsValid() {
		return "null"
	}
	text := javaString(v)
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return "'" + text + "'"
}

// javaString writes a value the way Java's toString does: [a, b] and {k=v}.
func javaString(v reflect.Value) string {
	v = indirect(v)
	if !v.IsValid() {
		return "null"
	}
	switch v.Kind() {
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = javaString(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		var parts []string
		for _, k := range sortedKeys(v) {
			parts = append(parts, javaString(k)+"="+javaString(v.MapIndex(k)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			if f := indirect(v.Field(i)); f.IsValid() {
				parts = append(parts, lowerFirst(v.Type().Field(i).Name)+"="+javaString(f))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprint(v.Interface())
	}
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

func appendNew(list []string, more ...string) []string {
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func trim(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
