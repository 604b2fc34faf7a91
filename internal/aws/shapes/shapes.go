// Package shapes holds requests against a service's model: which members are required, and their lengths,
// patterns, enums and ranges. The model is data, reduced from botocore's service-2.json by gen, so that no
// constraint is written by hand. Start at Load.
package shapes

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shape is one shape of the service model with its constraints.
type shape struct {
	Type     string   `json:"type"`
	Required []string `json:"required"`
	Members  []member `json:"members"`
	Member   string   `json:"member"`
	Key      string   `json:"key"`
	Value    string   `json:"value"`
	Enum     []string `json:"enum"`
	Pattern  string   `json:"pattern"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
	// Hidden values are secrets and blobs: errors do not repeat them.
	Hidden bool `json:"hidden"`

	// whole matches a whole value against Pattern; nil without one.
	whole *regexp.Regexp
}

type member struct {
	Name  string `json:"name"`
	Shape string `json:"shape"`
}

// Model is a service's operations and the constraints of their inputs. It is safe for concurrent use.
type Model struct {
	// Source says which service model the data came from.
	Source     string
	operations map[string]string
	shapes     map[string]*shape
}

// Load reads what gen wrote.
func Load(data []byte) (*Model, error) {
	var s struct {
		Source string `json:"source"`
		// Operations has the input shape of each; empty for an operation without input.
		Operations map[string]string `json:"operations"`
		Shapes     map[string]*shape `json:"shapes"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read service model: %w", err)
	}
	for name, sh := range s.Shapes {
		if sh.Pattern == "" {
			continue
		}
		var err error
		if sh.whole, err = wholeMatch(sh.Pattern); err != nil {
			return nil, fmt.Errorf("read service model: pattern of %s: %w", name, err)
		}
	}
	return &Model{Source: s.Source, operations: s.Operations, shapes: s.Shapes}, nil
}

// Operations are the names of all operations of the model, sorted.
func (m *Model) Operations() []string { return slices.Sorted(maps.Keys(m.operations)) }

// longRepeat is a character class repeated more often than Go's regexp allows (1,000).
var longRepeat = regexp.MustCompile(`(\[(?:\\.|[^\]\\])*\])\{(\d+),(\d{4,})\}`)

// unicodeEscape is Java's way to write a character.
var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// wholeMatch compiles one of the model's Java patterns so that it must match all of a value, as the
// service matches it even without a `$`.
func wholeMatch(pattern string) (*regexp.Regexp, error) {
	expanded := longRepeat.ReplaceAllStringFunc(pattern, func(m string) string {
		part := longRepeat.FindStringSubmatch(m)
		lo, _ := strconv.Atoi(part[2])
		hi, _ := strconv.Atoi(part[3])
		var b strings.Builder
		for hi > 0 {
			n := min(hi, 1000)
			fmt.Fprintf(&b, "%s{%d,%d}", part[1], min(lo, n), n)
			lo -= min(lo, n)
			hi -= n
		}
		return b.String()
	})
	expanded = unicodeEscape.ReplaceAllString(expanded, `\x{$1}`)
	// Go has no look-ahead. The one in use forbids a second hyphen, which is left to the operation.
	expanded = strings.ReplaceAll(expanded, "-(?!-)", "-")
	return regexp.Compile(`\A(?:` + expanded + `)\z`)
}
