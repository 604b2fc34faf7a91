package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const (
	// MaxSize is the longest policy that is read, in bytes: the limit of IAM's service model. Each
	// kind's own quota is its keeper's business (Document.Size).
	MaxSize = 131072
	// maxDepth is more than the grammar needs: document, statements, statement, condition, operator, values.
	maxDepth = 8
)

// node is a JSON value with its place in the text.
type node struct {
	kind    nodeKind
	text    string // of strings, numbers and booleans
	members []member
	items   []node
	// start and end are byte offsets.
	start, end int
}

type member struct {
	name  string
	value node
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	stringNode
	numberNode
	boolNode
	arrayNode
	objectNode
)

var errDuplicate = errors.New("duplicate member")

// decode reads JSON strictly: one value, valid UTF-8, no member twice, bounded depth and size.
func decode(text []byte) (node, error) {
	switch {
	case len(text) > MaxSize:
		return node{}, fmt.Errorf("longer than %d bytes", MaxSize)
	case !utf8.Valid(text):
		return node{}, errors.New("not UTF-8")
	case !json.Valid(text):
		return node{}, errors.New("not JSON")
	}
	d := decoder{text: text, json: json.NewDecoder(bytes.NewReader(text))}
	d.json.UseNumber()
	return d.value(0)
}

type decoder struct {
	text []byte
	json *json.Decoder
}

func (d *decoder) value(depth int) (node, error) {
	if depth > maxDepth {
		return node{}, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	n := node{start: d.next()}
	t, err := d.json.Token()
	if err != nil {
		return node{}, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			n.kind, err = objectNode, d.object(&n, depth)
		} else {
			n.kind, err = arrayNode, d.array(&n, depth)
		}
		if err != nil {
			return node{}, err
		}
	case string:
		n.kind, n.text = stringNode, t
	case json.Number:
		n.kind, n.text = numberNode, t.String()
	case bool:
		n.kind, n.text = boolNode, fmt.Sprint(t)
	}
	n.end = int(d.json.InputOffset())
	return n, nil
}

func (d *decoder) object(n *node, depth int) error {
	seen := map[string]bool{}
	for d.json.More() {
		t, err := d.json.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return fmt.Errorf("%w %q", errDuplicate, name)
		}
		seen[name] = true
		v, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name: name, value: v})
	}
	_, err := d.json.Token()
	return err
}

func (d *decoder) array(n *node, depth int) error {
	for d.json.More() {
		v, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
	}
	_, err := d.json.Token()
	return err
}

// next returns where the next value begins.
func (d *decoder) next() int {
	i := int(d.json.InputOffset())
	for i < len(d.text) && bytes.IndexByte([]byte(" \t\r\n,:"), d.text[i]) >= 0 {
		i++
	}
	return i
}

// strings returns a string, or a list of strings, as a list. Numbers and booleans count as strings when
// scalars says so (condition values).
func (n node) strings(scalars bool) ([]string, bool) {
	items := []node{n}
	if n.kind == arrayNode {
		items = n.items
	}
	out := make([]string, 0, len(items))
	for _, i := range items {
		if i.kind != stringNode && (!scalars || i.kind != numberNode && i.kind != boolNode) {
			return nil, false
		}
		out = append(out, i.text)
	}
	return out, true
}
