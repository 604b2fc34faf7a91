// Package ortformat reads ONNX Runtime's own model format (".ort"): a FlatBuffers buffer
// with the graph after ONNX Runtime has optimised it once, as
// onnxruntime/core/flatbuffers/schema/ort.fbs lays it out (version 5 and 6). It holds no
// policy about what the graph computes. Start reading at Read.
package ortformat

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrFormat is wrapped by errors about bytes that are no model in this format.
var ErrFormat = errors.New("not a model in ONNX Runtime's format")

// The element types of weights that are told apart, numbered as in ONNX.
const (
	Float = 1
	Int8  = 3
	Int64 = 7
)

// Weight is a constant of the graph.
type Weight struct {
	Type  int
	Shape []int
	// Data is little-endian and row-major, in the buffer that was read.
	Data []byte
}

// Node is an operator.
type Node struct {
	Op              string
	Domain          string
	Inputs, Outputs []string
	Attributes      []Attribute
}

// Attribute is a constant of a node: an int, an []int, a float32, a string, a Weight or, for
// a branch of an If, a *Graph, which also uses names of the graph around it; Value is nil
// for other kinds (lists of others).
type Attribute struct {
	Name  string
	Value any
}

// Graph is what a file holds: nodes, in no order that means anything, and constants.
type Graph struct {
	Inputs, Outputs []string
	Nodes           []Node
	Weights         map[string]Weight
}

// Fields of the tables, by number, in ort.fbs.
const (
	sessionVersion, sessionModel                                   = 0, 1
	modelGraph                                                     = 7
	graphWeights, graphNodes, graphInputs, graphOutputs            = 0, 2, 5, 6
	weightName, weightDims, weightType, weightRaw                  = 0, 2, 3, 4
	nodeDomain, nodeOp, nodeIn, nodeOut, nodeAttributes            = 2, 5, 8, 9, 10
	attributeName, attributeKind, attributeF, attributeI, attrInts = 0, 2, 3, 4, 9
	attributeS, attributeT, attributeG                             = 5, 6, 7
	kindFloat, kindInt, kindString, kindTensor, kindGraph          = 1, 2, 3, 4, 5
	kindInts                                                       = 7
	identifier                                                     = "ORTM"
)

// Read reads the graph in data, which must stay unchanged while its weights are in use.
// It returns an error that wraps ErrFormat for anything that is no such model.
func Read(data []byte) (*Graph, error) {
	if len(data) < 8 || string(data[4:8]) != identifier {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrFormat)
	}
	r := &reader{data: data, budget: len(data)}
	session := table(r.follow(0))
	if version := r.text(session, sessionVersion); !slices.Contains([]string{"5", "6"}, version) {
		return nil, fmt.Errorf("%w of a known version: %q", ErrFormat, version)
	}
	graph := r.table(r.table(session, sessionModel), modelGraph)
	g, err := r.graph(graph, 0)
	if err != nil {
		return nil, err
	}
	if r.failed {
		return nil, fmt.Errorf("%w: an offset leads out of it", ErrFormat)
	}
	if graph == 0 || len(g.Nodes) == 0 {
		return nil, fmt.Errorf("%w: it has no graph", ErrFormat)
	}
	return g, nil
}

// maxDepth is how deep graphs may be within graphs.
const maxDepth = 4

func (r *reader) graph(graph table, depth int) (*Graph, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: its graphs are too deep within each other", ErrFormat)
	}
	g := &Graph{Inputs: r.texts(graph, graphInputs), Outputs: r.texts(graph, graphOutputs), Weights: make(map[string]Weight)}
	for _, t := range r.tables(graph, graphWeights) {
		w, err := r.weight(t)
		if err != nil {
			return nil, err
		}
		g.Weights[r.text(t, weightName)] = w
	}
	for _, t := range r.tables(graph, graphNodes) {
		n := Node{
			Op: r.text(t, nodeOp), Domain: r.text(t, nodeDomain),
			Inputs: r.texts(t, nodeIn), Outputs: r.texts(t, nodeOut),
		}
		for _, a := range r.tables(t, nodeAttributes) {
			attribute, err := r.attribute(a, depth)
			if err != nil {
				return nil, err
			}
			n.Attributes = append(n.Attributes, attribute)
		}
		g.Nodes = append(g.Nodes, n)
	}
	return g, nil
}

func (r *reader) weight(t table) (Weight, error) {
	w := Weight{Shape: r.ints(t, weightDims), Data: r.bytes(t, weightRaw)}
	if at := r.field(t, weightType); at != 0 {
		w.Type = r.u32(at)
	}
	if !w.whole() {
		return Weight{}, fmt.Errorf("%w: weight %q has %d bytes for shape %v", ErrFormat, r.text(t, weightName), len(w.Data), w.Shape)
	}
	return w, nil
}

func (r *reader) attribute(t table, depth int) (Attribute, error) {
	a := Attribute{Name: r.text(t, attributeName)}
	kind := 0
	if at := r.field(t, attributeKind); at != 0 {
		kind = r.u32(at)
	}
	switch kind {
	case kindFloat:
		a.Value = float32(0) // what FlatBuffers leaves out
		if at := r.field(t, attributeF); at != 0 {
			a.Value = math.Float32frombits(uint32(r.u32(at)))
		}
	case kindInt:
		a.Value = 0
		if at := r.field(t, attributeI); at != 0 {
			a.Value = int(r.i64(at))
		}
	case kindInts:
		a.Value = r.ints(t, attrInts)
	case kindString:
		a.Value = r.text(t, attributeS)
	case kindTensor:
		w, err := r.weight(r.table(t, attributeT))
		if err != nil {
			return a, err
		}
		a.Value = w
	case kindGraph:
		g, err := r.graph(r.table(t, attributeG), depth+1)
		if err != nil {
			return a, err
		}
		a.Value = g
	}
	return a, nil
}

// whole tells whether a weight has as many bytes as its shape wants. Types other than the
// known ones are passed on unchecked.
func (w Weight) whole() bool {
	var size int
	switch w.Type {
	case Float:
		size = 4
	case Int8:
		size = 1
	case Int64:
		size = 8
	default:
		return true
	}
	for _, d := range w.Shape {
		if d < 0 || d > 0 && size > len(w.Data)/d {
			return false
		}
		size *= d
	}
	return size == len(w.Data)
}
