package model

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed service.json
var serviceJSON []byte

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

	// whole matches a whole value against Pattern; nil without one.
	whole *regexp.Regexp
}

type member struct {
	Name  string `json:"name"`
	Shape string `json:"shape"`
}

type service struct {
	Source       string `json:"source"`
	TargetPrefix string `json:"targetPrefix"`
	Operations   map[string]struct {
		Input  string `json:"input"`
		Output string `json:"output"`
	} `json:"operations"`
	Shapes map[string]*shape `json:"shapes"`
}

// table is the embedded model. It is generated and tested, so that it can't be unreadable at run time.
var table = sync.OnceValue(func() *service {
	var s service
	if err := json.Unmarshal(serviceJSON, &s); err != nil {
		panic("model: embedded service.json: " + err.Error())
	}
	for name, sh := range s.Shapes {
		if sh.Pattern == "" {
			continue
		}
		re, err := wholeMatch(sh.Pattern)
		if err != nil {
			panic("model: pattern of " + name + ": " + err.Error())
		}
		sh.whole = re
	}
	return &s
})

// longRepeat is a character class repeated more often than Go's regexp allows (1,000).
var longRepeat = regexp.MustCompile(`(\[(?:\\.|[^\]\\])*\])\{(\d+),(\d{4,})\}`)

// wholeMatch compiles one of the model's Java patterns so that it must match all of a value, as the
// service matches it even without a `$` (spec transcribe-batch.md §1.2).
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
	return regexp.Compile(`\A(?:` + expanded + `)\z`)
}

// Source says which service model the tables were generated from.
func Source() string { return table().Source }

// Operations are the names of all operations of the model, sorted.
func Operations() []string {
	out := make([]string, 0, len(table().Operations))
	for name := range table().Operations {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// HasOutput tells whether an operation has an output shape; one without answers with an empty body.
func HasOutput(operation string) bool { return table().Operations[operation].Output != "" }

// Enum returns the values of an enumeration of the model ("LanguageCode"), in its order.
func Enum(name string) []string {
	if s := table().Shapes[name]; s != nil {
		return slices.Clone(s.Enum)
	}
	return nil
}
