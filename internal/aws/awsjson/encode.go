package awsjson

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/dictum/dictum/internal/aws/awserr"
)

var cborEncoding = func() cbor.EncMode {
	mode, err := cbor.EncOptions{
		Sort:    cbor.SortNone,
		Time:    cbor.TimeUnixDynamic,
		TimeTag: cbor.EncTagRequired,
	}.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}()

func encode(out any, asCBOR bool) ([]byte, error) {
	v := reflect.Indirect(reflect.ValueOf(out))
	if !asCBOR {
		return appendJSON(nil, v)
	}
	plain, err := plainValue(v)
	if err != nil {
		return nil, err
	}
	body, err := cborEncoding.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("encode CBOR answer: %w", err)
	}
	return body, nil
}

func encodeError(e *awserr.Error, asCBOR bool) ([]byte, error) {
	member := "Message"
	if e.Framework {
		member = "message"
	}
	if asCBOR {
		return cborEncoding.Marshal(map[string]string{"__type": e.Code, member: e.Message})
	}
	body := append([]byte(`{"__type":`), quote(nil, e.Code)...)
	if e.Message != "" {
		body = append(body, `,"`+member+`":`...)
		body = quote(body, e.Message)
	}
	return append(body, '}'), nil
}

// unset tells whether a member is left out.
func unset(v reflect.Value) bool {
	if v.Type() == timeType {
		return v.Interface().(time.Time).IsZero()
	}
	return v.IsZero()
}

func appendJSON(b []byte, v reflect.Value) ([]byte, error) {
	switch v.Type() {
	case timeType:
		ms := v.Interface().(time.Time).UnixMilli()
		return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64), nil
	case blobType:
		return quote(b, base64.StdEncoding.EncodeToString(v.Bytes())), nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, "null"...), nil
		}
		return appendJSON(b, v.Elem())
	case reflect.Struct:
		return appendStruct(b, v)
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendJSON(b, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case reflect.Map:
		return appendMap(b, v)
	case reflect.String:
		return quote(b, v.String()), nil
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Float32, reflect.Float64:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("encode JSON answer: %v is no JSON number", f)
		}
		return strconv.AppendFloat(b, f, 'g', -1, v.Type().Bits()), nil
	default:
		return nil, fmt.Errorf("encode JSON answer: unsupported type %s", v.Type())
	}
}

func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '{')
	first := true
	for _, f := range fieldsOf(v.Type()) {
		member := v.FieldByIndex(f.index)
		if unset(member) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(quote(b, f.name), ':')
		var err error
		if b, err = appendJSON(b, member); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendMap(b []byte, v reflect.Value) ([]byte, error) {
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quote(b, key.String()), ':')
		var err error
		if b, err = appendJSON(b, v.MapIndex(key)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// plainValue turns shapes into maps, leaving out what is unset, for the CBOR encoder.
func plainValue(v reflect.Value) (any, error) {
	if v.Type() == timeType {
		return v.Interface().(time.Time).UTC().Truncate(time.Millisecond), nil
	}
	if v.Type() == blobType {
		return v.Bytes(), nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		return plainValue(v.Elem())
	case reflect.Struct:
		object := map[string]any{}
		for _, f := range fieldsOf(v.Type()) {
			member := v.FieldByIndex(f.index)
			if unset(member) {
				continue
			}
			plain, err := plainValue(member)
			if err != nil {
				return nil, err
			}
			object[f.name] = plain
		}
		return object, nil
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			plain, err := plainValue(v.Index(i))
			if err != nil {
				return nil, err
			}
			list[i] = plain
		}
		return list, nil
	case reflect.Map:
		object := make(map[string]any, v.Len())
		for _, key := range v.MapKeys() {
			plain, err := plainValue(v.MapIndex(key))
			if err != nil {
				return nil, err
			}
			object[key.String()] = plain
		}
		return object, nil
	case reflect.String:
		return v.String(), nil
	default:
		return v.Interface(), nil
	}
}

const hexDigits = "0123456789abcdef"

// quote appends s as a JSON string (RFC 8259 §7). Unlike encoding/json it leaves <, > and & alone,
// as AWS does; presigned URLs stay readable. Broken UTF-8 becomes U+FFFD.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
