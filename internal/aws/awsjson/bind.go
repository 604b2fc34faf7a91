package awsjson

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// field is a member of a shape.
type field struct {
	name  string
	index []int
}

// shapes caches the members of struct types: reflect.Type → []field.
var shapes sync.Map

func fieldsOf(t reflect.Type) []field {
	if cached, ok := shapes.Load(t); ok {
		return cached.([]field)
	}
	var fields []field
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = f.Name
		}
		fields = append(fields, field{name: name, index: f.Index})
	}
	shapes.Store(t, fields)
	return fields
}

var (
	timeType = reflect.TypeFor[time.Time]()
	blobType = reflect.TypeFor[[]byte]()
)

// bind fills the struct that target points to from a decoded document.
func bind(v value, target any) error {
	return bindInto(v, reflect.ValueOf(target).Elem())
}

func bindInto(v value, dst reflect.Value) error {
	if v == nil {
		return nil
	}
	switch dst.Type() {
	case timeType:
		return bindTime(v, dst)
	case blobType:
		return bindBlob(v, dst)
	}
	switch dst.Kind() {
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		if err := bindInto(v, p.Elem()); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	case reflect.Struct:
		return bindStruct(v, dst)
	case reflect.Slice:
		return bindList(v, dst)
	case reflect.Map:
		return bindMap(v, dst)
	case reflect.String:
		s, ok := v.(string)
		if !ok {
			return mismatch(v, "a String")
		}
		dst.SetString(s)
		return nil
	case reflect.Bool:
		b, ok := v.(bool)
		if !ok {
			return mismatch(v, "a Boolean")
		}
		dst.SetBool(b)
		return nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, ok := integer(v)
		if !ok || dst.OverflowInt(n) {
			return mismatch(v, "an Integer")
		}
		dst.SetInt(n)
		return nil
	case reflect.Float32, reflect.Float64:
		f, ok := float(v)
		if !ok || dst.OverflowFloat(f) {
			return mismatch(v, "a Float")
		}
		dst.SetFloat(f)
		return nil
	case reflect.Interface:
		dst.Set(reflect.ValueOf(v))
		return nil
	default:
		return serialization("shape has a member of unsupported type %s", dst.Type())
	}
}

func bindStruct(v value, dst reflect.Value) error {
	object, ok := v.(map[string]any)
	if !ok {
		return mismatch(v, "a structure")
	}
	for _, f := range fieldsOf(dst.Type()) {
		if member, ok := object[f.name]; ok && member != nil {
			if err := bindInto(member, dst.FieldByIndex(f.index)); err != nil {
				return err
			}
		}
	}
	return nil
}

func bindList(v value, dst reflect.Value) error {
	list, ok := v.([]any)
	if !ok {
		return mismatch(v, "a list")
	}
	out := reflect.MakeSlice(dst.Type(), len(list), len(list))
	for i, member := range list {
		if err := bindInto(member, out.Index(i)); err != nil {
			return err
		}
	}
	dst.Set(out)
	return nil
}

func bindMap(v value, dst reflect.Value) error {
	object, ok := v.(map[string]any)
	if !ok {
		return mismatch(v, "a map")
	}
	out := reflect.MakeMapWithSize(dst.Type(), len(object))
	for name, member := range object {
		if member == nil {
			continue // AWS JSON: null in a map is no entry
		}
		element := reflect.New(dst.Type().Elem()).Elem()
		if err := bindInto(member, element); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(dst.Type().Key()), element)
	}
	dst.Set(out)
	return nil
}

// bindTime takes epoch seconds, or what CBOR tag 1 became.
func bindTime(v value, dst reflect.Value) error {
	t, ok := v.(time.Time)
	if !ok {
		seconds, isNumber := float(v)
		if !isNumber || math.Abs(seconds) > 1<<40 {
			return mismatch(v, "a Timestamp")
		}
		t = time.UnixMilli(int64(math.Round(seconds * 1000)))
	}
	dst.Set(reflect.ValueOf(t.UTC()))
	return nil
}

func bindBlob(v value, dst reflect.Value) error {
	switch blob := v.(type) {
	case []byte:
		dst.SetBytes(blob)
		return nil
	case string:
		decoded, err := base64.StdEncoding.DecodeString(blob)
		if err != nil {
			return serialization("a blob is not base64")
		}
		dst.SetBytes(decoded)
		return nil
	default:
		return mismatch(v, "a Blob")
	}
}

func integer(v value) (int64, bool) {
	switch n := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
			return i, true
		}
		f, err := n.Float64()
		return whole(f, err == nil)
	case int64:
		return n, true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64:
		return whole(n, true)
	default:
		return 0, false
	}
}

// whole returns f as an integer when it is one (10.0, 1e3).
func whole(f float64, ok bool) (int64, bool) {
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func float(v value) (float64, bool) {
	switch n := v.(type) {
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, !math.IsNaN(n) && !math.IsInf(n, 0)
	default:
		return 0, false
	}
}

// mismatch words a wrong type as AWS's JSON services do: "STRING_VALUE can not be converted to an Integer".
func mismatch(v value, want string) error {
	switch v.(type) {
	case map[string]any:
		return serialization("Start of structure or map found where not expected.")
	case []any:
		return serialization("Start of list found where not expected.")
	}
	return serialization("%s can not be converted to %s", tokenName(v), want)
}

func tokenName(v value) string {
	switch v := v.(type) {
	case string:
		return "STRING_VALUE"
	case bool:
		if v {
			return "TRUE_VALUE"
		}
		return "FALSE_VALUE"
	case []byte:
		return "BLOB_VALUE"
	case time.Time:
		return "TIMESTAMP_VALUE"
	case []any:
		return "START_ARRAY"
	case map[string]any:
		return "START_OBJECT"
	case nil:
		return "NULL_VALUE"
	default:
		return "NUMBER_VALUE"
	}
}
