package awsjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// maxDepth bounds the nesting of a request. The deepest shape of the services we speak has eight levels.
const maxDepth = 32

// maxMembers bounds the members of one list or map.
const maxMembers = 1 << 17

// value is a decoded document before it is bound to a shape: nil, bool, string, json.Number,
// int64, uint64, float64, []byte, time.Time, []any or map[string]any.
type value = any

var cborDecoding = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  maxDepth,
		MaxArrayElements: maxMembers,
		MaxMapPairs:      maxMembers,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		UTF8:             cbor.UTF8RejectInvalid,
		// Tag 1 (epoch seconds) into any gives time.Time.
		TimeTag: cbor.DecTagOptional,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}()

// decode parses a request body. An empty one is an empty structure.
func decode(body []byte, isCBOR bool) (value, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	var v value
	var err error
	if isCBOR {
		err = cborDecoding.Unmarshal(body, &v)
	} else {
		v, err = decodeJSON(body)
	}
	if err != nil {
		return nil, serialization("could not parse the request body: %v", err)
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, serialization("the request body must be a structure, not %s", tokenName(v))
	}
	return v, nil
}

func decodeJSON(body []byte) (value, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the structure")
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (value, error) {
	token, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth++; depth > maxDepth {
		return nil, errTooDeep
	}
	if delim == '{' {
		return readObject(d, depth)
	}
	list := []any{}
	for d.More() {
		v, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err = d.Token() // the closing bracket, or what stands in its place
	return list, err
}

func readObject(d *json.Decoder, depth int) (value, error) {
	object := map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("member name %v is not a string", key)
		}
		// Two members of one name would let a proxy and us read different requests.
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("member %q occurs twice", truncate(name))
		}
		v, err := readValue(d, depth)
		if err != nil {
			return nil, err
		}
		object[name] = v
	}
	_, err := d.Token()
	return object, err
}

func serialization(format string, args ...any) error {
	return awserr.Fail(awserr.Serialization, "reason", fmt.Sprintf(format, args...))
}

func truncate(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
