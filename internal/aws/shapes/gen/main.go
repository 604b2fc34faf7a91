// Command gen reads a service's model from an installed botocore (it comes with the AWS CLI) and writes what
// package shapes loads: the operations and the constraints of their inputs.
//
// Usage: go run ./gen [-botocore DIR] -service iam/2010-05-08 -out service.json [OPERATION ...]
//
// With operations given, only their inputs are kept; the names of the others are kept all the same.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

type ref struct {
	Shape string `json:"shape"`
}

type shape struct {
	Type     string          `json:"type"`
	Required []string        `json:"required"`
	Members  json.RawMessage `json:"members"`
	Member   ref             `json:"member"`
	Key      ref             `json:"key"`
	Value    ref             `json:"value"`
	Enum     []string        `json:"enum"`
	Pattern  string          `json:"pattern"`
	Min      *float64        `json:"min"`
	Max      *float64        `json:"max"`
	// Sensitive values must not be repeated.
	Sensitive bool `json:"sensitive"`
}

type service struct {
	Operations map[string]struct {
		Input ref `json:"input"`
	} `json:"operations"`
	Shapes map[string]shape `json:"shapes"`
}

// member and reduced are what package shapes reads.
type member struct {
	Name  string `json:"name"`
	Shape string `json:"shape"`
}

type reduced struct {
	Type     string   `json:"type"`
	Required []string `json:"required,omitempty"`
	Members  []member `json:"members,omitempty"`
	Member   string   `json:"member,omitempty"`
	Key      string   `json:"key,omitempty"`
	Value    string   `json:"value,omitempty"`
	Enum     []string `json:"enum,omitempty"`
	Pattern  string   `json:"pattern,omitempty"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	// Hidden is what is sensitive, and blobs.
	Hidden bool `json:"hidden,omitempty"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	dir := flag.String("botocore", "", "botocore's package folder (default: the one python3 imports)")
	name := flag.String("service", "", "service and version, as botocore's data folder has them")
	out := flag.String("out", "service.json", "where to write the reduced model")
	flag.Parse()
	if err := run(*dir, *name, *out, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(dir, name, out string, only []string) error {
	version := ""
	if dir == "" {
		printed, err := exec.CommandContext(context.Background(), "python3", "-c",
			"import botocore,os;print(os.path.dirname(botocore.__file__));print(botocore.__version__)").Output()
		if err != nil {
			return fmt.Errorf("find botocore (pip install botocore, or pass -botocore): %w", err)
		}
		lines := strings.Fields(string(printed))
		dir, version = lines[0], lines[1]+" "
	}
	svc, err := load(filepath.Join(dir, "data", name, "service-2.json"))
	if err != nil {
		return err
	}
	operations, shapes := map[string]string{}, map[string]reduced{}
	for op, o := range svc.Operations {
		operations[op] = ""
		if len(only) > 0 && !slices.Contains(only, op) {
			continue
		}
		operations[op] = o.Input.Shape
		if err := keep(svc, o.Input.Shape, shapes); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(map[string]any{"source": "botocore " + version + name + "/service-2.json", "operations": operations, "shapes": shapes}); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// load reads service-2.json, compressed or not.
func load(path string) (*service, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		f, err := os.Open(path + ".gz")
		if err != nil {
			return nil, fmt.Errorf("open model: %w", err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("open model: %w", err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(z); err != nil {
			return nil, fmt.Errorf("read model: %w", err)
		}
		data = b.Bytes()
	}
	var svc service
	if err := json.Unmarshal(data, &svc); err != nil {
		return nil, fmt.Errorf("decode model: %w", err)
	}
	return &svc, nil
}

// keep adds a shape and all that it reaches.
func keep(svc *service, name string, to map[string]reduced) error {
	s, ok := svc.Shapes[name]
	if _, done := to[name]; name == "" || done || !ok {
		return nil
	}
	r := reduced{
		Type: s.Type, Required: s.Required, Member: s.Member.Shape, Key: s.Key.Shape, Value: s.Value.Shape,
		Enum: s.Enum, Pattern: s.Pattern, Min: s.Min, Max: s.Max,
		Hidden: s.Sensitive || s.Type == "blob",
	}
	var err error
	if r.Members, err = membersOf(s); err != nil {
		return fmt.Errorf("members of %s: %w", name, err)
	}
	to[name] = r
	next := []string{r.Member, r.Key, r.Value}
	for _, m := range r.Members {
		next = append(next, m.Shape)
	}
	for _, n := range next {
		if err := keep(svc, n, to); err != nil {
			return err
		}
	}
	return nil
}

// membersOf returns a structure's members in the model's order, which a Go map would lose.
func membersOf(s shape) ([]member, error) {
	if len(s.Members) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(s.Members))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var out []member
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var r ref
		if err := dec.Decode(&r); err != nil {
			return nil, err
		}
		out = append(out, member{tok.(string), r.Shape})
	}
	return out, nil
}
