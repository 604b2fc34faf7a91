// Package onnx writes ONNX graphs: nodes, weights, and the protobuf file that ONNX
// Runtime loads (onnx.proto3 of ONNX 1.15, IR version 9). It holds no policy about what
// is computed. Start reading at Graph.
package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
)

// DataType is a tensor's element type, numbered as TensorProto.DataType.
type DataType int32

// The element types that our graphs use.
const (
	Float   DataType = 1
	Uint8   DataType = 2
	Int8    DataType = 3
	Int32   DataType = 6
	Int64   DataType = 7
	Float16 DataType = 10
)

// size is how many bytes an element takes.
func (t DataType) size() int {
	switch t {
	case Float, Int32:
		return 4
	case Int64:
		return 8
	case Float16:
		return 2
	default:
		return 1
	}
}

// Microsoft is the domain of ONNX Runtime's own operators.
const Microsoft = "com.microsoft"

// Graph is built node by node, in the order of computation, and then written.
// Its zero value is empty and ready to use.
type Graph struct {
	nodes           []node
	weights         []weight
	weightNames     map[string]bool
	inputs, outputs []port
}

type node struct {
	op, domain      string
	inputs, outputs []string
	attributes      []Attribute
}

type weight struct {
	name  string
	kind  DataType
	shape []int
	data  []byte // little-endian, row-major
}

type port struct {
	name string
	kind DataType
	dims []Dim
}

// Dim is a dimension of an input or output: a number, or a name where a run decides.
type Dim struct {
	Size int
	Name string
}

// N is a dimension of fixed size.
func N(size int) Dim { return Dim{Size: size} }

// Any is a dimension that a run decides. Equal names promise equal sizes.
func Any(name string) Dim { return Dim{Name: name} }

// Attribute is a named constant of a node: float32, int, string or []int.
type Attribute struct {
	Name  string
	Value any
}

// Input declares an input of the graph and returns its name.
func (g *Graph) Input(name string, kind DataType, dims ...Dim) string {
	g.inputs = append(g.inputs, port{name, kind, dims})
	return name
}

// Output declares that the value called name is an output of the graph.
func (g *Graph) Output(name string, kind DataType, dims ...Dim) {
	g.outputs = append(g.outputs, port{name, kind, dims})
}

// Node adds an operator of ONNX itself that writes the given outputs.
func (g *Graph) Node(op string, inputs, outputs []string, attributes ...Attribute) {
	g.nodes = append(g.nodes, node{op, "", inputs, outputs, attributes})
}

// MicrosoftNode adds an operator of ONNX Runtime's own domain.
func (g *Graph) MicrosoftNode(op string, inputs, outputs []string, attributes ...Attribute) {
	g.nodes = append(g.nodes, node{op, Microsoft, inputs, outputs, attributes})
}

// Op adds an operator of ONNX itself and returns the name of its single output.
func (g *Graph) Op(op string, inputs []string, attributes ...Attribute) string {
	out := g.name(op)
	g.Node(op, inputs, []string{out}, attributes...)
	return out
}

// MicrosoftOp adds an operator of ONNX Runtime's own domain and returns the name of its
// single output.
func (g *Graph) MicrosoftOp(op string, inputs []string, attributes ...Attribute) string {
	out := g.name(op)
	g.MicrosoftNode(op, inputs, []string{out}, attributes...)
	return out
}

func (g *Graph) name(op string) string { return fmt.Sprintf("%s_%d", op, len(g.nodes)) }

// Weight adds a constant of little-endian, row-major data and returns its name. A name
// that is already there keeps its first data.
func (g *Graph) Weight(name string, kind DataType, data []byte, shape ...int) string {
	if g.weightNames == nil {
		g.weightNames = make(map[string]bool)
	}
	if !g.weightNames[name] {
		g.weightNames[name] = true
		g.weights = append(g.weights, weight{name, kind, shape, data})
	}
	return name
}

// Floats adds a constant of 32-bit floats and returns its name.
func (g *Graph) Floats(name string, values []float32, shape ...int) string {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return g.Weight(name, Float, data, shape...)
}

// Ints adds a one-dimensional constant of 64-bit integers and returns its name, which is
// made of the values themselves.
func (g *Graph) Ints(values ...int) string {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return g.Weight(fmt.Sprintf("ints%v", values), Int64, data, len(values))
}

// Int adds a scalar constant of a 64-bit integer and returns its name.
func (g *Graph) Int(value int) string {
	return g.Weight(fmt.Sprintf("int %d", value), Int64, binary.LittleEndian.AppendUint64(nil, uint64(value)))
}
