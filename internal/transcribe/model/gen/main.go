// Command gen reads Amazon Transcribe's service model from an installed botocore (it comes
// with the AWS CLI) and writes the reduced model and the Go wire types of the operations that
// Dictum carries out.
//
// Usage: go run ./gen [-botocore DIR] -shapes service.json -types types_gen.go
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// implemented are the operations whose wire types are generated.
var implemented = []string{
	"StartTranscriptionJob", "GetTranscriptionJob", "ListTranscriptionJobs", "DeleteTranscriptionJob",
	"CreateVocabularyFilter", "GetVocabularyFilter", "ListVocabularyFilters", "UpdateVocabularyFilter", "DeleteVocabularyFilter",
	"TagResource", "UntagResource", "ListTagsForResource",
}

// content are the members that stay out of the audit: a customer's own words, which a key of his may protect.
var content = map[string]bool{"Words": true}

type ref struct {
	Shape string `json:"shape"`
}

type shape struct {
	Type     string          `json:"type"`
	Required []string        `json:"required,omitempty"`
	Members  json.RawMessage `json:"members,omitempty"`
	Member   *ref            `json:"member,omitempty"`
	Key      *ref            `json:"key,omitempty"`
	Value    *ref            `json:"value,omitempty"`
	Enum     []string        `json:"enum,omitempty"`
	Pattern  string          `json:"pattern,omitempty"`
	Min      *float64        `json:"min,omitempty"`
	Max      *float64        `json:"max,omitempty"`
}

type operation struct {
	Input  *ref `json:"input,omitempty"`
	Output *ref `json:"output,omitempty"`
	Errors []ref
}

type service struct {
	Metadata struct {
		APIVersion   string `json:"apiVersion"`
		TargetPrefix string `json:"targetPrefix"`
	} `json:"metadata"`
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]shape     `json:"shapes"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	dir := flag.String("botocore", "", "botocore's package folder (default: the one python3 imports)")
	shapes := flag.String("shapes", "service.json", "where to write the reduced model")
	types := flag.String("types", "types_gen.go", "where to write the wire types")
	flag.Parse()
	if err := run(*dir, *shapes, *types); err != nil {
		log.Fatal(err)
	}
}

func run(dir, shapesFile, typesFile string) error {
	version := ""
	if dir == "" {
		out, err := exec.CommandContext(context.Background(), "python3", "-c", "import botocore,os;print(os.path.dirname(botocore.__file__));print(botocore.__version__)").Output()
		if err != nil {
			return fmt.Errorf("find botocore (pip install botocore, or pass -botocore): %w", err)
		}
		lines := strings.Fields(string(out))
		dir, version = lines[0], lines[1]
	}
	svc, err := load(filepath.Join(dir, "data", "transcribe", "2017-10-26"))
	if err != nil {
		return err
	}
	reduced, err := reduce(svc, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(shapesFile, reduced, 0o644); err != nil {
		return err
	}
	code, err := wireTypes(svc)
	if err != nil {
		return err
	}
	return os.WriteFile(typesFile, code, 0o644)
}

// load reads service-2.json, compressed or not.
func load(dir string) (*service, error) {
	var in io.Reader
	if f, err := os.Open(filepath.Join(dir, "service-2.json.gz")); err == nil {
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("open model: %w", err)
		}
		in = z
	} else {
		f, err := os.Open(filepath.Join(dir, "service-2.json"))
		if err != nil {
			return nil, fmt.Errorf("open model: %w", err)
		}
		defer f.Close()
		in = f
	}
	var svc service
	if err := json.NewDecoder(in).Decode(&svc); err != nil {
		return nil, fmt.Errorf("decode model: %w", err)
	}
	return &svc, nil
}

// reduce keeps what a validator needs: inputs with their constraints, and every operation's name.
func reduce(svc *service, version string) ([]byte, error) {
	keep := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if keep[name] {
			return nil
		}
		keep[name] = true
		s := svc.Shapes[name]
		for _, r := range []*ref{s.Member, s.Key, s.Value} {
			if r != nil {
				if err := visit(r.Shape); err != nil {
					return err
				}
			}
		}
		members, err := membersOf(s)
		if err != nil {
			return err
		}
		for _, m := range members {
			if err := visit(m.Shape); err != nil {
				return err
			}
		}
		return nil
	}
	type op struct {
		Input  string `json:"input,omitempty"`
		Output string `json:"output,omitempty"`
	}
	type member struct {
		Name  string `json:"name"`
		Shape string `json:"shape"`
	}
	type outShape struct {
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
	}
	ops := map[string]op{}
	for name, o := range svc.Operations {
		var out op
		if o.Input != nil {
			out.Input = o.Input.Shape
			if err := visit(o.Input.Shape); err != nil {
				return nil, err
			}
		}
		if o.Output != nil {
			out.Output = o.Output.Shape
		}
		ops[name] = out
	}
	shapes := map[string]outShape{}
	for name := range keep {
		s := svc.Shapes[name]
		out := outShape{Type: s.Type, Required: s.Required, Enum: s.Enum, Pattern: s.Pattern, Min: s.Min, Max: s.Max}
		for to, r := range map[*string]*ref{&out.Member: s.Member, &out.Key: s.Key, &out.Value: s.Value} {
			if r != nil {
				*to = r.Shape
			}
		}
		members, err := membersOf(s)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			out.Members = append(out.Members, member(m))
		}
		shapes[name] = out
	}
	return json.MarshalIndent(map[string]any{
		"source":       "botocore " + version + " transcribe/" + svc.Metadata.APIVersion + "/service-2.json",
		"targetPrefix": svc.Metadata.TargetPrefix,
		"operations":   ops,
		"shapes":       shapes,
	}, "", " ")
}

type namedRef struct {
	Name  string
	Shape string
}

// membersOf returns a structure's members in the model's order, which a Go map would lose.
func membersOf(s shape) ([]namedRef, error) {
	if len(s.Members) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(s.Members))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var out []namedRef
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var r ref
		if err := dec.Decode(&r); err != nil {
			return nil, err
		}
		out = append(out, namedRef{tok.(string), r.Shape})
	}
	return out, nil
}

// wireTypes writes a Go struct for every structure that the implemented operations reach.
func wireTypes(svc *service) ([]byte, error) {
	todo := []string{}
	for _, name := range implemented {
		o, ok := svc.Operations[name]
		if !ok {
			return nil, fmt.Errorf("operation %s is not in the model", name)
		}
		for _, r := range []*ref{o.Input, o.Output} {
			if r != nil {
				todo = append(todo, r.Shape)
			}
		}
	}
	seen := map[string][]namedRef{}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		s := svc.Shapes[name]
		for _, r := range []*ref{s.Member, s.Value} {
			if r != nil {
				todo = append(todo, r.Shape)
			}
		}
		if s.Type != "structure" || seen[name] != nil {
			continue
		}
		members, err := membersOf(s)
		if err != nil {
			return nil, err
		}
		seen[name] = append([]namedRef{}, members...)
		for _, m := range members {
			todo = append(todo, m.Shape)
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	var b bytes.Buffer
	b.WriteString("// Code generated by gen from botocore's Transcribe service model; DO NOT EDIT.\n//\n// Nil members are absent on the wire; an empty list is sent as one.\n\npackage model\n\nimport \"time\"\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\n// %s is the model's shape of that name.\ntype %s struct {\n", n, n)
		for _, m := range seen[n] {
			tag := fmt.Sprintf("json:%q", m.Name+",omitzero")
			if content[m.Name] {
				tag += ` audit:"-"`
			}
			fmt.Fprintf(&b, "%s %s `%s`\n", m.Name, goType(svc, m.Shape, true), tag)
		}
		b.WriteString("}\n")
	}
	return format.Source(b.Bytes())
}

func goType(svc *service, name string, pointer bool) string {
	star := ""
	if pointer {
		star = "*"
	}
	s := svc.Shapes[name]
	switch s.Type {
	case "structure":
		return "*" + name
	case "list":
		return "[]" + strings.TrimPrefix(goType(svc, s.Member.Shape, false), "*")
	case "map":
		return "map[string]" + strings.TrimPrefix(goType(svc, s.Value.Shape, false), "*")
	case "boolean":
		return star + "bool"
	case "integer", "long":
		return star + "int64"
	case "float":
		return star + "float64"
	case "timestamp":
		return star + "time.Time"
	default:
		return star + "string"
	}
}
