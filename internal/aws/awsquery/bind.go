package awsquery

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// bind fills a struct from the parts of a node. What the struct does not know is ignored, as AWS does.
func bind(n *node, into any) error {
	return bindStruct(n, reflect.ValueOf(into).Elem(), "")
}

func bindStruct(n *node, v reflect.Value, path string) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if err := bindStruct(n, v.Field(i), path); err != nil {
				return err
			}
			continue
		}
		name := memberName(f)
		part, ok := n.parts[name]
		if !ok || name == "-" {
			continue
		}
		if err := bindValue(part, v.Field(i), path+name); err != nil {
			return err
		}
	}
	return nil
}

func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("xml"), ",")
	name, _, _ = strings.Cut(name, ">")
	if name == "" {
		return f.Name
	}
	return name
}

func bindValue(n *node, v reflect.Value, path string) error {
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		return bindValue(n, v.Elem(), path)
	case t.Kind() == reflect.Struct && t != timeType:
		if n.value != nil {
			return malformed("%s is a structure: Unexpected value.", path)
		}
		return bindStruct(n, v, path+".")
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		elements, err := n.list(path)
		if err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(t, len(elements), len(elements)))
		for i, e := range elements {
			if err := bindValue(e, v.Index(i), fmt.Sprintf("%s.member.%d", path, i+1)); err != nil {
				return err
			}
		}
		return nil
	case n.value == nil || n.parts != nil:
		return malformed("%s is a single value: Unexpected list or structure.", path)
	default:
		return bindScalar(*n.value, v, path)
	}
}

func bindScalar(text string, v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return malformed("%s: STRING_VALUE can not be converted to a Boolean", path)
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(i) {
			return malformed("%s: STRING_VALUE can not be converted to an Integer", path)
		}
		v.SetInt(i)
	case reflect.Slice:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return malformed("%s: STRING_VALUE can not be converted to a Blob: it is not base64", path)
		}
		v.SetBytes(b)
	case reflect.Struct:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return malformed("%s: STRING_VALUE can not be converted to a Timestamp: it is not like 2006-01-02T15:04:05Z", path)
		}
		v.Set(reflect.ValueOf(at))
	default:
		return fmt.Errorf("bind %s: no parameter can be a %s", path, v.Type())
	}
	return nil
}

// mustBind panics unless a form can fill the type: a mistake of ours, found when the program starts.
func mustBind(t reflect.Type) {
	switch {
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		mustBind(t.Elem())
	case t.Kind() == reflect.Struct && t != timeType:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && memberName(f) != "-" {
				mustBind(f.Type)
			}
		}
	default:
		switch t.Kind() {
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Slice, reflect.Struct:
		default:
			panic("awsquery: no parameter can be a " + t.String())
		}
	}
}
