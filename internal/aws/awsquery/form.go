package awsquery

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// The bounds of a form. No operation of AWS comes near them.
const (
	maxParameters = 4096
	maxDepth      = 10
	maxIndex      = 10000
)

// node is a parameter or what parameters with a common beginning add up to: "Tags.member.1.Key" is a path.
type node struct {
	// value is set when the path itself is a parameter.
	value *string
	parts map[string]*node
}

// parse makes a tree of a form's parameters.
func parse(params url.Values) (*node, error) {
	if len(params) > maxParameters {
		return nil, malformed("The request has more than %d parameters.", maxParameters)
	}
	root := &node{}
	for name, values := range params {
		path := strings.Split(name, ".")
		if len(path) > maxDepth {
			return nil, malformed("The parameter %.64q is too deeply nested.", name)
		}
		at := root
		for _, part := range path {
			at = at.part(part)
		}
		at.value = &values[0]
	}
	return root, nil
}

func (n *node) part(name string) *node {
	if n.parts == nil {
		n.parts = make(map[string]*node)
	}
	p := n.parts[name]
	if p == nil {
		p = &node{}
		n.parts[name] = p
	}
	return p
}

// list returns the elements of a list, X.member.1, X.member.2 and so on, in the order of their
// numbers, or nil when the node is no list. An empty list is sent as "X=".
func (n *node) list(name string) ([]*node, error) {
	members := n.parts["member"]
	switch {
	case n.value != nil && *n.value != "":
		return nil, malformed("%s is a list: Unexpected value where %s.member.1 is expected.", name, name)
	case n.value != nil && members == nil:
		return []*node{}, nil
	case members == nil || members.value != nil || len(n.parts) > 1:
		return nil, malformed("%s is a list: its elements are %s.member.1, %s.member.2 and so on.", name, name, name)
	}
	indexes := make([]int, 0, len(members.parts))
	for text := range members.parts {
		i, err := strconv.Atoi(text)
		if err != nil || i < 1 || i > maxIndex || strconv.Itoa(i) != text {
			return nil, malformed("%.64q is no index of the list %s: indexes are numbers from 1.", text, name)
		}
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	elements := make([]*node, len(indexes))
	for i, index := range indexes {
		elements[i] = members.parts[strconv.Itoa(index)]
	}
	return elements, nil
}

// generic returns the node as strings, []any and map[string]any, as a model's validator reads it.
func (n *node) generic() any {
	if n.parts == nil {
		return *n.value
	}
	if elements, err := n.list(""); err == nil {
		list := make([]any, len(elements))
		for i, e := range elements {
			list[i] = e.generic()
		}
		return list
	}
	members := make(map[string]any, len(n.parts))
	for name, part := range n.parts {
		members[name] = part.generic()
	}
	return members
}

// malformed is the answer to parameters that do not have their types. The code is AWS's; of the sentences AWS
// documents none.
func malformed(format string, args ...any) error {
	return &awserr.Error{Code: "MalformedInput", Status: 400, Message: fmt.Sprintf(format, args...), Framework: true}
}
