package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// What every graph declares: the IR version and operator sets of ONNX 1.14, which ONNX
// Runtime 1.16 and later read.
const (
	irVersion        = 9
	opsetVersion     = 17
	microsoftVersion = 1
)

// Field numbers of onnx.proto3.
const (
	modelIRVersion, modelProducer, modelGraph, modelOpset   = 1, 2, 7, 8
	opsetDomain, opsetNumber                                = 1, 2
	graphNode, graphName, graphWeight, graphInput, graphOut = 1, 2, 5, 11, 12
	nodeInput, nodeOutput, nodeName, nodeOp, nodeAttribute  = 1, 2, 3, 4, 5
	nodeDomain                                              = 7
	attrName, attrFloat, attrInt, attrString, attrInts      = 1, 2, 3, 4, 8
	attrType                                                = 20
	tensorDims, tensorType, tensorName, tensorRaw           = 1, 2, 8, 9
	portName, portType, typeTensor, tensorElem, tensorShape = 1, 2, 1, 1, 2
	shapeDim, dimValue, dimParam                            = 1, 1, 2
)

// Values of AttributeProto.AttributeType.
const (
	typeFloat, typeInt, typeString, typeInts = 1, 2, 3, 7
)

// maxFile is protobuf's limit for one message. Our 8-bit graphs of the largest Whisper
// stay below it, so weights need no file of their own.
const maxFile = math.MaxInt32

// WriteTo writes the graph as an ONNX model. Weights go out as they are, uncopied.
func (g *Graph) WriteTo(w io.Writer) (int64, error) {
	frame, heads, err := g.encode()
	if err != nil {
		return 0, fmt.Errorf("write onnx graph: %w", err)
	}
	size := len(frame)
	for i, head := range heads {
		size += len(head) + len(g.weights[i].data)
	}
	var model []byte
	model = appendVarint(model, modelIRVersion, irVersion)
	model = appendString(model, modelProducer, "dictum")
	for _, set := range []struct {
		domain  string
		version uint64
	}{{"", opsetVersion}, {Microsoft, microsoftVersion}} {
		opset := appendVarint(appendString(nil, opsetDomain, set.domain), opsetNumber, set.version)
		model = appendMessage(model, modelOpset, opset)
	}
	model = protowire.AppendTag(model, modelGraph, protowire.BytesType)
	model = protowire.AppendVarint(model, uint64(size))
	if len(model)+size > maxFile {
		return 0, fmt.Errorf("write onnx graph: %d bytes are more than one file holds", len(model)+size)
	}
	out := &counter{w: w}
	out.write(model)
	out.write(frame)
	for i, head := range heads {
		out.write(head)
		out.write(g.weights[i].data)
	}
	return out.n, out.err
}

// encode gives the graph message without its weights, and for each weight the bytes
// that come before its data.
func (g *Graph) encode() (frame []byte, heads [][]byte, err error) {
	for i, n := range g.nodes {
		m, err := n.encode(i)
		if err != nil {
			return nil, nil, err
		}
		frame = appendMessage(frame, graphNode, m)
	}
	frame = appendString(frame, graphName, "dictum")
	for _, p := range g.inputs {
		frame = appendMessage(frame, graphInput, p.encode())
	}
	for _, p := range g.outputs {
		frame = appendMessage(frame, graphOut, p.encode())
	}
	for _, t := range g.weights {
		want := t.kind.size()
		var body []byte
		for _, d := range t.shape {
			body = appendVarint(body, tensorDims, uint64(d))
			want *= d
		}
		if want != len(t.data) {
			return nil, nil, fmt.Errorf("weight %s of shape %v has %d bytes, not %d", t.name, t.shape, len(t.data), want)
		}
		body = appendVarint(body, tensorType, uint64(t.kind))
		body = appendString(body, tensorName, t.name)
		body = protowire.AppendTag(body, tensorRaw, protowire.BytesType)
		body = protowire.AppendVarint(body, uint64(len(t.data)))
		head := protowire.AppendTag(nil, graphWeight, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(len(body)+len(t.data)))
		heads = append(heads, append(head, body...))
	}
	return frame, heads, nil
}

func (n node) encode(place int) ([]byte, error) {
	var m []byte
	for _, in := range n.inputs {
		m = appendString(m, nodeInput, in)
	}
	for _, out := range n.outputs {
		m = appendString(m, nodeOutput, out)
	}
	m = appendString(m, nodeName, fmt.Sprintf("%s %d", n.op, place))
	m = appendString(m, nodeOp, n.op)
	for _, a := range n.attributes {
		am, err := a.encode()
		if err != nil {
			return nil, fmt.Errorf("%s node: %w", n.op, err)
		}
		m = appendMessage(m, nodeAttribute, am)
	}
	return appendString(m, nodeDomain, n.domain), nil
}

func (a Attribute) encode() ([]byte, error) {
	m := appendString(nil, attrName, a.Name)
	var kind uint64
	switch v := a.Value.(type) {
	case float32:
		kind = typeFloat
		m = protowire.AppendTag(m, attrFloat, protowire.Fixed32Type)
		m = protowire.AppendFixed32(m, math.Float32bits(v))
	case int:
		kind = typeInt
		m = appendVarint(m, attrInt, uint64(v))
	case string:
		kind = typeString
		m = appendString(m, attrString, v)
	case []int:
		kind = typeInts
		for _, i := range v {
			m = appendVarint(m, attrInts, uint64(i))
		}
	default:
		return nil, errors.New("attribute " + a.Name + " has a type that is not written")
	}
	return appendVarint(m, attrType, kind), nil
}

func (p port) encode() []byte {
	var shape []byte
	for _, d := range p.dims {
		var dim []byte
		if d.Name != "" {
			dim = appendString(nil, dimParam, d.Name)
		} else {
			dim = appendVarint(nil, dimValue, uint64(d.Size))
		}
		shape = appendMessage(shape, shapeDim, dim)
	}
	tensor := appendVarint(nil, tensorElem, uint64(p.kind))
	tensor = appendMessage(tensor, tensorShape, shape)
	return appendMessage(appendString(nil, portName, p.name), portType, appendMessage(nil, typeTensor, tensor))
}

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

// counter keeps the first error and the bytes written before it.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) write(b []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	if err != nil {
		c.err = fmt.Errorf("write onnx graph: %w", err)
	}
}
