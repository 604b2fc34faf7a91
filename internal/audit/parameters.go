package audit

import (
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Parameters returns what the audit shows of a request's or answer's struct: maps and lists with
// CloudTrail's member names, which begin in lower case. Left out are zero members, blobs, and members
// tagged `audit:"-"`: secrets and content.
func Parameters(v any) any {
	return parameters(reflect.ValueOf(v))
}

var timeType = reflect.TypeFor[time.Time]()

func parameters(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.Type() == timeType {
		return v.Interface().(time.Time).UTC().Format(time.RFC3339)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return parameters(v.Elem())
	case reflect.Struct:
		members := map[string]any{}
		addMembers(v, members)
		return members
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			list = append(list, parameters(v.Index(i)))
		}
		return list
	case reflect.Map:
		members := make(map[string]any, v.Len())
		for _, k := range v.MapKeys() {
			members[k.String()] = parameters(v.MapIndex(k))
		}
		return members
	default:
		return v.Interface()
	}
}

func addMembers(v reflect.Value, members map[string]any) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get("audit") == "-" || v.Field(i).IsZero() {
			continue
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			addMembers(v.Field(i), members)
			continue
		}
		if shown := parameters(v.Field(i)); shown != nil {
			members[memberName(f)] = shown
		}
	}
}

// memberName is the member's name in JSON or XML, else the field's, with its first letter in lower case.
func memberName(f reflect.StructField) string {
	name := f.Name
	for _, tag := range []string{"json", "xml"} {
		given, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		given, _, _ = strings.Cut(given, ">")
		if given != "" && given != "-" {
			name = given
			break
		}
	}
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}
