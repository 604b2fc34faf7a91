package convert

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/dictum/dictum/internal/models/onnx"
	"github.com/dictum/dictum/internal/models/ortformat"
	"github.com/dictum/dictum/internal/models/spec"
)

// SpeakersFile is the speaker embedding as it is published; the segmentation is used as it
// comes.
const SpeakersFile = "wespeaker.ort"

// Where the embedding's graph is cut: what its pooling reads, and what follows it.
const (
	trunkInput   = "fbank"
	trunkOutput  = "/resnet/layer4/layer4.2/Relu_1_output_0"
	headWeights  = "resnet.seg_1.weight_add_tensor"
	headBias     = "resnet.seg_1.bias"
	fbankBins    = 80
	trunkRows    = 256 * 10
	embeddingDim = 256
)

// Speakers converts the WeSpeaker ResNet34 in the folder src (arXiv 2210.17016, ONNX
// Runtime's format with 8-bit weights) into two graphs in the folder dst, which must
// exist: the convolutions, and the layer after the pooling. Pooling between them is
// left to the caller, so that overlapping windows share one run of the convolutions.
// Weights become constants of 32-bit floats: as published, they are computed anew in
// every run, and the runtime cannot lay them out for the processor (measured: 4.3 times
// the processor time of this for windows of 1.5 s every 0.5 s).
func Speakers(ctx context.Context, src, dst string, stage func(string)) error {
	if stage == nil {
		stage = func(string) {}
	}
	data, err := os.ReadFile(filepath.Join(src, SpeakersFile))
	if err != nil {
		return fmt.Errorf("convert speakers: %w", err)
	}
	read, err := ortformat.Read(data)
	if err != nil {
		return fmt.Errorf("convert %s: %w", SpeakersFile, err)
	}
	for _, part := range []struct {
		file  string
		build func(*rewriter) error
	}{
		{spec.SpeakerTrunk, (*rewriter).trunk},
		{spec.SpeakerHead, (*rewriter).head},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		stage("writing " + part.file)
		r := newRewriter(read)
		if err := part.build(r); err != nil {
			return fmt.Errorf("convert to %s: %w", part.file, err)
		}
		if err := write(filepath.Join(dst, part.file), &r.out); err != nil {
			return fmt.Errorf("convert to %s: %w", part.file, err)
		}
	}
	segmentation, err := os.ReadFile(filepath.Join(src, spec.SpeakerSegmentation))
	if err != nil {
		return fmt.Errorf("convert speakers: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dst, spec.SpeakerSegmentation), segmentation, 0o644); err != nil {
		return fmt.Errorf("convert speakers: %w", err)
	}
	return nil
}

// rewriter copies the part of a graph that computes a value.
type rewriter struct {
	in *ortformat.Graph
	// makers are the nodes by their outputs.
	makers map[string]ortformat.Node
	done   map[string]bool
	out    onnx.Graph
}

func newRewriter(in *ortformat.Graph) *rewriter {
	r := &rewriter{in: in, makers: make(map[string]ortformat.Node), done: make(map[string]bool)}
	for _, n := range in.Nodes {
		for _, name := range n.Outputs {
			r.makers[name] = n
		}
	}
	return r
}

func (r *rewriter) trunk() error {
	if !slices.Contains(r.in.Inputs, trunkInput) {
		return fmt.Errorf("%w: no input %s", ErrUnsupported, trunkInput)
	}
	r.out.Input(trunkInput, onnx.Float, onnx.Any("B"), onnx.Any("T"), onnx.N(fbankBins))
	r.done[trunkInput] = true
	if err := r.emit(trunkOutput); err != nil {
		return err
	}
	r.out.Node("Identity", []string{trunkOutput}, []string{"features"})
	r.out.Output("features", onnx.Float, onnx.Any("B"), onnx.N(256), onnx.N(10), onnx.Any("F"))
	return nil
}

func (r *rewriter) head() error {
	weights, ok := r.constant(headWeights)
	bias, okBias := r.constant(headBias)
	if !ok || !okBias || !slices.Equal(weights.shape, []int{embeddingDim, 2 * trunkRows}) || len(bias.values) != embeddingDim {
		return fmt.Errorf("%w: the layer after pooling is not WeSpeaker's", ErrUnsupported)
	}
	g := &r.out
	g.Input("statistics", onnx.Float, onnx.Any("N"), onnx.N(2*trunkRows))
	g.Node("Gemm", []string{
		"statistics", g.Floats("weights", weights.values, weights.shape...), g.Floats("bias", bias.values, embeddingDim),
	}, []string{"embedding"}, attr("transB", 1))
	g.Output("embedding", onnx.Float, onnx.Any("N"), onnx.N(embeddingDim))
	return nil
}

// emit writes what the named value needs, and then the node that makes it.
func (r *rewriter) emit(name string) error {
	if r.done[name] {
		return nil
	}
	r.done[name] = true
	if c, ok := r.constant(name); ok {
		r.out.Floats(name, c.values, c.shape...)
		return nil
	}
	if w, ok := r.in.Weights[name]; ok && w.Type == ortformat.Int64 {
		r.out.Weight(name, onnx.Int64, w.Data, w.Shape...)
		return nil
	}
	n, ok := r.makers[name]
	if !ok {
		return fmt.Errorf("%w: nothing makes %s", ErrUnsupported, name)
	}
	// The operators of a residual network; none has an output beside its first.
	if !slices.Contains([]string{"Conv", "Relu", "Add", "Transpose", "Unsqueeze"}, n.Op) || n.Domain != "" || len(n.Outputs) != 1 {
		return fmt.Errorf("%w: operator %s", ErrUnsupported, n.Op)
	}
	for _, in := range n.Inputs {
		if err := r.emit(in); err != nil {
			return err
		}
	}
	var attributes []onnx.Attribute
	for _, a := range n.Attributes {
		if _, text := a.Value.(string); !text { // auto_pad, which is NOTSET as it is without
			attributes = append(attributes, attr(a.Name, a.Value))
		}
	}
	r.out.Node(n.Op, n.Inputs, n.Outputs, attributes...)
	return nil
}

// floats is a constant of 32-bit floats.
type floats struct {
	values []float32
	shape  []int
}

// constant computes a value that no input decides: a weight, or one made of 8-bit numbers
// as cast(w)·scale + zero.
func (r *rewriter) constant(name string) (floats, bool) {
	if w, ok := r.in.Weights[name]; ok {
		return decode(w)
	}
	n, ok := r.makers[name]
	if !ok || len(n.Inputs) == 0 || !slices.Contains([]string{"Cast", "Mul", "Add"}, n.Op) {
		return floats{}, false
	}
	if n.Op != "Cast" && len(n.Inputs) != 2 {
		return floats{}, false
	}
	// Only chains that begin with a weight: the sums of the network itself end here.
	if _, isWeight := r.in.Weights[n.Inputs[len(n.Inputs)-1]]; !isWeight {
		return floats{}, false
	}
	a, ok := r.constant(n.Inputs[0])
	if !ok || n.Op == "Cast" {
		return a, ok
	}
	b, ok := r.constant(n.Inputs[1])
	if !ok || len(b.values) != 1 {
		return floats{}, false
	}
	for i, v := range a.values {
		if n.Op == "Mul" {
			a.values[i] = v * b.values[0]
		} else {
			a.values[i] = v + b.values[0]
		}
	}
	return a, true
}

func decode(w ortformat.Weight) (floats, bool) {
	f := floats{shape: w.Shape}
	switch w.Type {
	case ortformat.Float:
		f.values = make([]float32, len(w.Data)/4)
		for i := range f.values {
			f.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(w.Data[4*i:]))
		}
	case ortformat.Int8:
		f.values = make([]float32, len(w.Data))
		for i, b := range w.Data {
			f.values[i] = float32(int8(b))
		}
	default:
		return floats{}, false
	}
	return f, true
}
