package convert

import (
	"fmt"

	"github.com/dictum/dictum/internal/models/onnx"
)

func attr(name string, value any) onnx.Attribute { return onnx.Attribute{Name: name, Value: value} }

// split cuts the last axis into n parts of equal width.
func split(g *onnx.Graph, x, name string, axis, n int) []string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("%s/part_%d", name, i)
	}
	g.Node("Split", []string{x}, parts, attr("axis", axis))
	return parts
}

// encoder builds the graph from mel bands to cross-attention keys and values.
func (w *weights) encoder(g *onnx.Graph) error {
	s := w.spec
	x := g.Input("mel", onnx.Float, onnx.N(1), onnx.N(s.Mels), onnx.Any("F"))
	for i, in := range []int{s.Mels, s.Width} {
		name := fmt.Sprintf("encoder/conv%d", i+1)
		kernel, err := w.floats(name+"/weight", s.Width, in, 3)
		if err != nil {
			return err
		}
		bias, err := w.floats(name+"/bias", s.Width)
		if err != nil {
			return err
		}
		x = g.Op("Conv", []string{x, g.Floats(name+"/weight", kernel, s.Width, in, 3), g.Floats(name+"/bias", bias, s.Width)},
			attr("kernel_shape", []int{3}), attr("pads", []int{1, 1}), attr("strides", []int{i + 1}))
		x = g.MicrosoftOp("Gelu", []string{x})
	}
	x = g.Op("Transpose", []string{x}, attr("perm", []int{0, 2, 1}))
	table, err := w.table(g, "encoder/position_encodings/encodings", s.AudioPositions)
	if err != nil {
		return err
	}
	frames := g.Op("Slice", []string{g.Op("Shape", []string{x}), g.Ints(1), g.Ints(2)})
	x = g.Op("Add", []string{x, g.Op("Slice", []string{table, g.Ints(0), frames, g.Ints(0)})})
	for i := range s.EncoderLayers {
		if x, err = w.encoderLayer(g, x, fmt.Sprintf("encoder/layer_%d", i)); err != nil {
			return err
		}
	}
	if x, err = w.layerNorm(g, x, "encoder/layer_norm"); err != nil {
		return err
	}
	return w.crossCaches(g, x)
}

func (w *weights) encoderLayer(g *onnx.Graph, x, prefix string) (string, error) {
	d, p := w.spec.Width, prefix+"/self_attention"
	y, err := w.layerNorm(g, x, p+"/layer_norm")
	if err != nil {
		return "", err
	}
	in, inBias, err := w.linear(p+"/linear_0", 3*d, d)
	if err != nil {
		return "", err
	}
	out, outBias, err := w.linear(p+"/linear_1", d, d)
	if err != nil {
		return "", err
	}
	qkv := split(g, wideMultiply(g, y, p+"/linear_0", in, inBias), p+"/qkv", -1, 3)
	y = g.MicrosoftOp("MultiHeadAttention", qkv, attr("num_heads", w.spec.Heads))
	x = g.Op("Add", []string{x, wideMultiply(g, y, p+"/linear_1", out, outBias)})
	return w.feedForward(g, x, prefix+"/ffn", wideMultiply)
}

// crossCaches adds what the decoder attends to: keys and values of every decoder layer,
// computed once for the window, in 8 bits with a scale for each of its channels. A step
// of the decoder does little else than read them, and 8 bits are a quarter of the bytes:
// 1.3 instead of 3.4 ms a token in a batch of 8 (base, 30 s, 2 threads; a draft of
// this graph in Python, with 8-bit and with float caches).
func (w *weights) crossCaches(g *onnx.Graph, x string) error {
	s := w.spec
	// All layers in one multiplication: the activations are then quantised once.
	all := matrix{rows: 2 * s.DecoderLayers * s.Width, columns: s.Width}
	var bias []float32
	for i := range s.DecoderLayers {
		m, b, err := w.linear(fmt.Sprintf("decoder/layer_%d/attention/linear_1", i), 2*s.Width, s.Width)
		if err != nil {
			return err
		}
		all.data, bias = append(all.data, m.data...), append(bias, b...)
	}
	kv := wideMultiply(g, x, "decoder/cross", all, bias)
	most := g.Op("ReduceMax", []string{g.Op("Abs", []string{kv})}, attr("axes", []int{1}), attr("keepdims", 1))
	most = g.Op("Max", []string{most, g.Floats("smallest", []float32{1e-6})})
	scale := g.Op("Mul", []string{most, g.Floats("1/127", []float32{1.0 / 127})})
	kv = g.Op("Round", []string{g.Op("Div", []string{kv, scale})})
	kv = g.Op("Cast", []string{kv}, attr("to", int(onnx.Int8)))
	for i, part := range split(g, kv, "cross", -1, 2*s.DecoderLayers) {
		name := crossName(i)
		heads := g.Op("Reshape", []string{part, g.Ints(0, 0, s.Heads, s.HeadWidth)})
		g.Node("Transpose", []string{heads}, []string{name}, attr("perm", []int{0, 2, 1, 3}))
		g.Output(name, onnx.Int8, onnx.N(1), onnx.N(s.Heads), onnx.Any("T"), onnx.N(s.HeadWidth))
	}
	g.Node("Reshape", []string{scale, g.Ints(1, 2*s.DecoderLayers, s.Width)}, []string{"cross_scale"})
	g.Output("cross_scale", onnx.Float, onnx.N(1), onnx.N(2*s.DecoderLayers), onnx.N(s.Width))
	return nil
}

// crossName names the i-th cross cache: keys and values of layer 0, of layer 1 and so on.
func crossName(i int) string { return fmt.Sprintf("cross_%c_%d", "kv"[i%2], i/2) }

// align builds the graph that tells how the tokens of one row attended to the audio, from
// the queries that the decoder gave while it ran: a fraction of the cost of having each
// step give its attention.
func (w *weights) align(g *onnx.Graph) error {
	s := w.spec
	queries := g.Input("align_q", onnx.Float, onnx.N(1), onnx.Any("N"), onnx.N(len(s.AlignmentHeads)), onnx.N(s.HeadWidth))
	queries = g.Op("Transpose", []string{queries}, attr("perm", []int{0, 2, 1, 3}))
	scale := g.Input("cross_scale", onnx.Float, onnx.N(1), onnx.N(2*s.DecoderLayers), onnx.N(s.Width))
	scale = g.Op("Reshape", []string{scale, g.Ints(1, 2*s.DecoderLayers, s.Heads, s.HeadWidth)})
	var parts []string
	from := 0
	for layer, heads := range w.alignmentHeads() {
		if len(heads) == 0 {
			continue
		}
		keys := g.Input(crossName(2*layer), onnx.Int8, onnx.N(1), onnx.N(s.Heads), onnx.Any("T"), onnx.N(s.HeadWidth))
		keys = g.Op("Gather", []string{keys, g.Ints(heads...)}, attr("axis", 1))
		keys = g.Op("Cast", []string{keys}, attr("to", int(onnx.Float)))
		keys = g.Op("Transpose", []string{keys}, attr("perm", []int{0, 1, 3, 2}))
		q := g.Op("Slice", []string{queries, g.Ints(from), g.Ints(from + len(heads)), g.Ints(1)})
		layerScale := g.Op("Gather", []string{scale, g.Int(2 * layer)}, attr("axis", 1))
		layerScale = g.Op("Gather", []string{layerScale, g.Ints(heads...)}, attr("axis", 1))
		q = g.Op("Mul", []string{q, g.Op("Unsqueeze", []string{layerScale, g.Ints(2)})})
		parts = append(parts, g.Op("MatMul", []string{q, keys}))
		from += len(heads)
	}
	all := g.Op("Concat", parts, attr("axis", 1))
	g.Node("Mul", []string{all, g.Floats("attention scale", []float32{attentionScale})}, []string{"weights"})
	g.Output("weights", onnx.Float, onnx.N(1), onnx.N(len(s.AlignmentHeads)), onnx.Any("N"), onnx.Any("T"))
	return nil
}

// attentionScale is 1/√64.
const attentionScale = 0.125

// alignmentHeads gives the alignment heads of each decoder layer.
func (w *weights) alignmentHeads() [][]int {
	heads := make([][]int, w.spec.DecoderLayers)
	for _, h := range w.spec.AlignmentHeads {
		heads[h.Layer] = append(heads[h.Layer], h.Head)
	}
	return heads
}
