package convert

import (
	"fmt"

	"github.com/dictum/dictum/internal/models/onnx"
)

// decoderInputs names the values that all layers of the decoder share.
type decoderInputs struct {
	selfLast, selfCapacity   string // per row the last place in the self cache after this step; its size
	queryLen                 string
	crossLast, crossCapacity string   // per row the last frame attended to; the size of the cross cache
	none                     string   // [B,0,width]: the new keys of cross-attention
	scales                   []string // per cross cache, [B,1,width]
	one                      string
}

// decoder builds the graph of one step of decoding for a batch of rows.
func (w *weights) decoder(g *onnx.Graph) error {
	s := w.spec
	ids := g.Input("input_ids", onnx.Int64, onnx.Any("B"), onnx.Any("S"))
	past := g.Input("past_len", onnx.Int32, onnx.Any("B"))
	query := g.Input("query_len", onnx.Int32, onnx.Any("B"))
	frames := g.Input("frames", onnx.Int32, onnx.Any("B"))
	for i := range 2 * s.DecoderLayers {
		g.Input(selfName(i), onnx.Float, onnx.Any("B"), onnx.N(s.Heads), onnx.Any("C"), onnx.N(s.HeadWidth))
	}
	for i := range 2 * s.DecoderLayers {
		g.Input(crossName(i), onnx.Int8, onnx.Any("B"), onnx.N(s.Heads), onnx.Any("T"), onnx.N(s.HeadWidth))
	}
	scale := g.Input("cross_scale", onnx.Float, onnx.Any("B"), onnx.N(2*s.DecoderLayers), onnx.N(s.Width))
	g.Output("logits", onnx.Float, onnx.Any("B"), onnx.N(s.Vocabulary))
	g.Output("align_q", onnx.Float, onnx.Any("B"), onnx.Any("S"), onnx.N(len(s.AlignmentHeads)), onnx.N(s.HeadWidth))

	x, err := w.embed(g, ids, past)
	if err != nil {
		return err
	}
	minusOne := int32Scalar(g, -1)
	in := decoderInputs{
		selfLast:      g.Op("Add", []string{g.Op("Add", []string{past, query}), minusOne}),
		selfCapacity:  capacity(g, selfName(0)),
		queryLen:      query,
		crossLast:     g.Op("Add", []string{frames, minusOne}),
		crossCapacity: capacity(g, crossName(0)),
		none:          g.Op("Slice", []string{x, g.Ints(0), g.Ints(0), g.Ints(1)}),
		scales:        split(g, scale, "cross_scale", 1, 2*s.DecoderLayers),
		one:           g.Floats("one", []float32{1}, 1),
	}
	var alignment []string
	for i, heads := range w.alignmentHeads() {
		var queries string
		if x, queries, err = w.decoderLayer(g, x, i, in); err != nil {
			return err
		}
		if len(heads) > 0 {
			queries = g.Op("Reshape", []string{queries, g.Ints(0, 0, s.Heads, s.HeadWidth)})
			alignment = append(alignment, g.Op("Gather", []string{queries, g.Ints(heads...)}, attr("axis", 2)))
		}
	}
	g.Node("Concat", alignment, []string{"align_q"}, attr("axis", 2))

	// Logits of the last token of each row only: the vocabulary is the largest matrix.
	last := g.Op("Max", []string{g.Op("Add", []string{query, minusOne}), int32Scalar(g, 0)})
	last = g.Op("Unsqueeze", []string{g.Op("Cast", []string{last}, attr("to", int(onnx.Int64))), g.Ints(1)})
	x = g.Op("GatherND", []string{x, last}, attr("batch_dims", 1))
	if x, err = w.layerNorm(g, x, "decoder/layer_norm"); err != nil {
		return err
	}
	m, err := w.matrix("decoder/projection/weight", s.Vocabulary, s.Width)
	if err != nil {
		return err
	}
	g.Node("Identity", []string{blockMultiply(g, x, "decoder/projection", m, nil)}, []string{"logits"})
	return nil
}

// selfName names the i-th self cache: keys and values of layer 0, of layer 1 and so on.
func selfName(i int) string { return fmt.Sprintf("self_%c_%d", "kv"[i%2], i/2) }

// capacity gives the third dimension of a cache as a 32-bit scalar.
func capacity(g *onnx.Graph, cache string) string {
	size := g.Op("Gather", []string{g.Op("Shape", []string{cache}), g.Int(2)})
	return g.Op("Cast", []string{size}, attr("to", int(onnx.Int32)))
}

// embed adds tokens and positions. Places beyond the table belong to padding.
func (w *weights) embed(g *onnx.Graph, ids, past string) (string, error) {
	tokens, err := w.embeddings(g, ids)
	if err != nil {
		return "", err
	}
	const name = "decoder/position_encodings/encodings"
	table, err := w.table(g, name, w.spec.TextPositions)
	if err != nil {
		return "", err
	}
	length := g.Op("Gather", []string{g.Op("Shape", []string{ids}), g.Int(1)})
	steps := g.Op("Range", []string{g.Int(0), length, g.Int(1)})
	first := g.Op("Unsqueeze", []string{g.Op("Cast", []string{past}, attr("to", int(onnx.Int64))), g.Ints(1)})
	places := g.Op("Min", []string{g.Op("Add", []string{first, steps}), g.Int(w.spec.TextPositions - 1)})
	return g.Op("Add", []string{tokens, g.Op("Gather", []string{table, places})}), nil
}

// decoderLayer adds one block and returns its output and its cross-attention queries.
func (w *weights) decoderLayer(g *onnx.Graph, x string, i int, in decoderInputs) (out, queries string, err error) {
	prefix := fmt.Sprintf("decoder/layer_%d", i)
	if x, err = w.selfAttention(g, x, prefix+"/self_attention", i, in); err != nil {
		return "", "", err
	}
	if x, queries, err = w.crossAttention(g, x, prefix+"/attention", i, in); err != nil {
		return "", "", err
	}
	if x, err = w.feedForward(g, x, prefix+"/ffn", blockMultiply); err != nil {
		return "", "", err
	}
	return x, queries, nil
}

// selfAttention uses GroupQueryAttention, with as many key heads as query heads, for its
// caches: they are extended in place, where MultiHeadAttention copies them each step, and
// rows have lengths of their own.
func (w *weights) selfAttention(g *onnx.Graph, x, p string, layer int, in decoderInputs) (string, error) {
	d := w.spec.Width
	y, err := w.layerNorm(g, x, p+"/layer_norm")
	if err != nil {
		return "", err
	}
	qkv, qkvBias, err := w.linear(p+"/linear_0", 3*d, d)
	if err != nil {
		return "", err
	}
	out, outBias, err := w.linear(p+"/linear_1", d, d)
	if err != nil {
		return "", err
	}
	parts := split(g, blockMultiply(g, y, p+"/linear_0", qkv, qkvBias), p+"/qkv", -1, 3)
	k, v := selfName(2*layer), selfName(2*layer+1)
	g.MicrosoftNode("GroupQueryAttention", []string{
		parts[0], parts[1], parts[2], k, v, in.selfLast, in.selfCapacity,
		"", "", "", "", "", "", "", "", "", in.queryLen,
	}, []string{p, k + "_out", v + "_out"}, attr("num_heads", w.spec.Heads), attr("kv_num_heads", w.spec.Heads))
	for _, cache := range []string{k, v} {
		g.Output(cache+"_out", onnx.Float, onnx.Any("B"), onnx.N(w.spec.Heads), onnx.Any("C"), onnx.N(w.spec.HeadWidth))
	}
	return g.Op("Add", []string{x, blockMultiply(g, p, p+"/linear_1", out, outBias)}), nil
}

// crossAttention attends to 8-bit caches. The operator takes one scale for a whole cache;
// ours differ per row and channel, so they move to where they are equal: into the query
// (q·(s∘k) = (q∘s)·k) and onto the result.
func (w *weights) crossAttention(g *onnx.Graph, x, p string, layer int, in decoderInputs) (out, queries string, err error) {
	d := w.spec.Width
	y, err := w.layerNorm(g, x, p+"/layer_norm")
	if err != nil {
		return "", "", err
	}
	q, qBias, err := w.linear(p+"/linear_0", d, d)
	if err != nil {
		return "", "", err
	}
	o, oBias, err := w.linear(p+"/linear_2", d, d)
	if err != nil {
		return "", "", err
	}
	queries = blockMultiply(g, y, p+"/linear_0", q, qBias)
	k, v := crossName(2*layer), crossName(2*layer+1)
	scaled := g.Op("Mul", []string{queries, in.scales[2*layer]})
	g.MicrosoftNode("GroupQueryAttention", []string{
		scaled, in.none, in.none, k, v, in.crossLast, in.crossCapacity,
		"", "", "", "", "", in.one, in.one,
	}, []string{p, k + "_out", v + "_out"},
		attr("num_heads", w.spec.Heads), attr("kv_num_heads", w.spec.Heads), attr("causal", 0),
		attr("k_quant_type", "PER_TENSOR"), attr("v_quant_type", "PER_TENSOR"), attr("kv_cache_bit_width", 8))
	for _, cache := range []string{k, v} {
		g.Output(cache+"_out", onnx.Int8, onnx.Any("B"), onnx.N(w.spec.Heads), onnx.Any("T"), onnx.N(w.spec.HeadWidth))
	}
	y = g.Op("Mul", []string{p, in.scales[2*layer+1]})
	return g.Op("Add", []string{x, blockMultiply(g, y, p+"/linear_2", o, oBias)}), queries, nil
}
