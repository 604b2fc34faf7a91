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

// MoonshineFile is the decoder of a Moonshine model as it is published; encoder and tokenizer are used as they come.
const MoonshineFile = "decoder_model_merged.ort"

// licenceFile comes with what is copied.
const licenceFile = "LICENSE"

// Moonshine converts the Moonshine tiny model in the folder src (arXiv 2410.15608, ONNX Runtime's format with 8-bit
// weights) into the folder dst, which must exist. The decoder is written anew. As published it copies its caches each
// step, builds its masks and rotations out of hundreds of small nodes, takes one scale for the activations of all tokens
// that it reads at once, and keeps to itself where it attends, which is what tells the times of words.
func Moonshine(ctx context.Context, src, dst string, stage func(string)) error {
	if stage == nil {
		stage = func(string) {}
	}
	data, err := os.ReadFile(filepath.Join(src, MoonshineFile))
	if err != nil {
		return fmt.Errorf("convert moonshine: %w", err)
	}
	read, err := ortformat.Read(data)
	if err != nil {
		return fmt.Errorf("convert %s: %w", MoonshineFile, err)
	}
	m, err := newMoonshine(read)
	if err != nil {
		return fmt.Errorf("convert %s: %w", MoonshineFile, err)
	}
	for _, part := range []struct {
		file  string
		build func(*onnx.Graph) error
	}{
		{spec.MoonshineCross, m.cross},
		{spec.MoonshineDecoder, m.decoder},
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		stage("writing " + part.file)
		var g onnx.Graph
		if err := part.build(&g); err != nil {
			return fmt.Errorf("convert to %s: %w", part.file, err)
		}
		if err := write(filepath.Join(dst, part.file), &g); err != nil {
			return fmt.Errorf("convert to %s: %w", part.file, err)
		}
	}
	for _, file := range []string{spec.MoonshineEncoder, spec.MoonshineTokenizer, licenceFile} {
		data, err := os.ReadFile(filepath.Join(src, file))
		if err != nil {
			return fmt.Errorf("convert moonshine: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dst, file), data, 0o644); err != nil {
			return fmt.Errorf("convert moonshine: %w", err)
		}
	}
	return nil
}

// moonshine reads weights out of a published decoder.
type moonshine struct {
	weights map[string]ortformat.Weight
	// makers are the nodes of the first step by their outputs: matrices have names that tell nothing.
	makers map[string]ortformat.Node
}

func newMoonshine(decoder *ortformat.Graph) (*moonshine, error) {
	m := &moonshine{weights: decoder.Weights, makers: make(map[string]ortformat.Node)}
	for _, n := range decoder.Nodes {
		for _, a := range n.Attributes {
			branch, ok := a.Value.(*ortformat.Graph)
			if !ok || n.Op != "If" || a.Name != "else_branch" {
				continue
			}
			for _, inner := range branch.Nodes {
				for _, name := range inner.Outputs {
					m.makers[name] = inner
				}
			}
		}
	}
	if len(m.makers) == 0 {
		return nil, fmt.Errorf("%w: the decoder has no branch for its first step", ErrUnsupported)
	}
	return m, nil
}

// floats reads a constant of floats.
func (m *moonshine) floats(name string, shape ...int) ([]float32, error) {
	w, ok := m.weights[name]
	if !ok || w.Type != ortformat.Float || !slices.Equal(w.Shape, shape) {
		return nil, fmt.Errorf("%w: no floats %s of shape %v", ErrUnsupported, name, shape)
	}
	f, _ := decode(w)
	return f.values, nil
}

// bytes reads a constant of unsigned bytes with its scale and zero point.
func (m *moonshine) bytes(weight, scale, zero string, shape ...int) (values []byte, s float32, z byte, err error) {
	w, sw, zw := m.weights[weight], m.weights[scale], m.weights[zero]
	if w.Type != int(onnx.Uint8) || !slices.Equal(w.Shape, shape) || len(w.Data) != shape[0]*shape[1] ||
		sw.Type != ortformat.Float || len(sw.Data) != 4 || zw.Type != int(onnx.Uint8) || len(zw.Data) != 1 {
		return nil, 0, 0, fmt.Errorf("%w: %s is no matrix of bytes of shape %v", ErrUnsupported, weight, shape)
	}
	return w.Data, math.Float32frombits(binary.LittleEndian.Uint32(sw.Data)), zw.Data[0], nil
}

// matrix reads the weights of the linear layer that makes the named value, one row per output, and its bias, which is nil
// when it has none.
func (m *moonshine) matrix(made string, rows, columns int) (matrix, []float32, error) {
	n, ok := m.makers[made]
	var in []string
	switch {
	case ok && n.Op == "DynamicQuantizeMatMul" && len(n.Inputs) >= 4:
		in = []string{n.Inputs[1], n.Inputs[2], n.Inputs[3]}
		in = append(in, n.Inputs[4:]...)
	case ok && n.Op == "MatMulIntegerToFloat" && len(n.Inputs) >= 6:
		in = []string{n.Inputs[1], n.Inputs[3], n.Inputs[5]}
		in = append(in, n.Inputs[6:]...)
	default:
		return matrix{}, nil, fmt.Errorf("%w: %s is not made by a layer of 8 bits", ErrUnsupported, made)
	}
	values, scale, zero, err := m.bytes(in[0], in[1], in[2], columns, rows)
	if err != nil {
		return matrix{}, nil, err
	}
	out := matrix{rows: rows, columns: columns, data: make([]float32, rows*columns)}
	for c := range columns {
		for r, v := range values[c*rows:][:rows] {
			out.data[r*columns+c] = float32(int(v)-int(zero)) * scale
		}
	}
	if len(in) < 4 || in[3] == "" {
		return out, nil, nil
	}
	bias, err := m.floats(in[3], rows)
	return out, bias, err
}

// wideRows gives each head of a matrix's outputs as many rows as a cache has places, the last ones zeros.
func wideRows(m matrix) matrix {
	s := spec.Moonshine
	out := matrix{rows: s.Heads * s.CacheWidth, columns: m.columns}
	out.data = make([]float32, out.rows*out.columns)
	for h := range s.Heads {
		copy(out.data[h*s.CacheWidth*m.columns:], m.data[h*s.HeadWidth*m.columns:][:s.HeadWidth*m.columns])
	}
	return out
}

// wideColumns does the same for a matrix's inputs.
func wideColumns(m matrix) matrix {
	s := spec.Moonshine
	out := matrix{rows: m.rows, columns: s.Heads * s.CacheWidth}
	out.data = make([]float32, out.rows*out.columns)
	for r := range m.rows {
		for h := range s.Heads {
			copy(out.data[r*out.columns+h*s.CacheWidth:], m.data[r*m.columns+h*s.HeadWidth:][:s.HeadWidth])
		}
	}
	return out
}

func (m *moonshine) layerNorm(g *onnx.Graph, x, name string) (string, error) {
	width := spec.Moonshine.Width
	gamma, err := m.floats("model.decoder."+name+".weight_merged_0", width)
	if err != nil {
		return "", err
	}
	return g.Op("LayerNormalization", []string{x, g.Floats(name, gamma, width)}, attr("axis", -1), attr("epsilon", float32(1e-5))), nil
}

// cross builds the graph from states to what the decoder attends to.
func (m *moonshine) cross(g *onnx.Graph) error {
	s := spec.Moonshine
	states := g.Input("states", onnx.Float, onnx.N(1), onnx.Any("T"), onnx.N(s.Width))
	all := matrix{rows: 2 * s.Layers * s.Width, columns: s.Width}
	for i := range 2 * s.Layers {
		part, bias, err := m.matrix(fmt.Sprintf("/model/decoder/layers.%d/encoder_attn/%c_proj/MatMul_output_0", i/2, "kv"[i%2]), s.Width, s.Width)
		if err != nil {
			return err
		}
		if bias != nil {
			return fmt.Errorf("%w: keys with a bias", ErrUnsupported)
		}
		all.data = append(all.data, part.data...)
	}
	for i, part := range split(g, wideMultiply(g, states, "cross", all, nil), "cross", -1, 2*s.Layers) {
		heads := g.Op("Reshape", []string{part, g.Ints(0, 0, s.Heads, s.HeadWidth)})
		g.Node("Transpose", []string{heads}, []string{crossName(i)}, attr("perm", []int{0, 2, 1, 3}))
		g.Output(crossName(i), onnx.Float, onnx.N(1), onnx.N(s.Heads), onnx.Any("T"), onnx.N(s.HeadWidth))
	}
	return nil
}

// decoder builds the graph that reads the next tokens of a text.
func (m *moonshine) decoder(g *onnx.Graph) error {
	s := spec.Moonshine
	ids := g.Input("input_ids", onnx.Int64, onnx.N(1), onnx.Any("S"))
	past := g.Input("past_len", onnx.Int32, onnx.N(1))
	for i := range 2 * s.Layers {
		g.Input(selfName(i), onnx.Float, onnx.N(1), onnx.N(s.Heads), onnx.Any("C"), onnx.N(s.CacheWidth))
	}
	for i := range 2 * s.Layers {
		g.Input(crossName(i), onnx.Float, onnx.N(1), onnx.N(s.Heads), onnx.Any("T"), onnx.N(s.HeadWidth))
	}
	g.Output("logits", onnx.Float, onnx.N(1), onnx.Any("S"), onnx.N(s.Vocabulary))
	g.Output("align_q", onnx.Float, onnx.N(1), onnx.Any("S"), onnx.N(len(s.AlignmentHeads)), onnx.N(s.HeadWidth))

	const embedding = "model.decoder.embed_tokens.weight_merged_0"
	table, scale, zero, err := m.bytes(embedding+"_quantized", embedding+"_scale", embedding+"_zero_point", s.Vocabulary, s.Width)
	if err != nil {
		return err
	}
	x := g.Op("DequantizeLinear", []string{
		g.Op("Gather", []string{g.Weight("embedding", onnx.Uint8, table, s.Vocabulary, s.Width), ids}),
		g.Floats("embedding/scale", []float32{scale}), g.Weight("embedding/zero", onnx.Uint8, []byte{zero}),
	})
	length := g.Op("Cast", []string{g.Op("Slice", []string{g.Op("Shape", []string{ids}), g.Ints(1), g.Ints(2)})}, attr("to", int(onnx.Int32)))
	last := g.Op("Add", []string{g.Op("Add", []string{past, length}), int32Scalar(g, -1)})
	size := capacity(g, selfName(0))
	for layer := range s.Layers {
		if x, err = m.selfAttention(g, x, layer, last, size); err != nil {
			return err
		}
		if x, err = m.crossAttention(g, x, layer); err != nil {
			return err
		}
		if x, err = m.feedForward(g, x, layer); err != nil {
			return err
		}
	}
	if x, err = m.layerNorm(g, x, "norm"); err != nil {
		return err
	}
	projection, _, err := m.matrix("logits", s.Vocabulary, s.Width)
	if err != nil {
		return err
	}
	g.Node("Identity", []string{blockMultiply(g, x, "projection", projection, nil)}, []string{"logits"})
	return nil
}

// selfAttention extends the caches in place. GroupQueryAttention turns heads whose width is a multiple of 16, so those of
// 36 have twelve zeros at their ends.
func (m *moonshine) selfAttention(g *onnx.Graph, x string, layer int, last, size string) (string, error) {
	s := spec.Moonshine
	name := fmt.Sprintf("/model/decoder/layers.%d/self_attn/", layer)
	y, err := m.layerNorm(g, x, fmt.Sprintf("layers.%d.input_layernorm", layer))
	if err != nil {
		return "", err
	}
	all := matrix{rows: 3 * s.Heads * s.CacheWidth, columns: s.Width}
	for _, part := range "qkv" {
		w, _, err := m.matrix(name+string(part)+"_proj/MatMul_output_0", s.Width, s.Width)
		if err != nil {
			return "", err
		}
		all.data = append(all.data, wideRows(w).data...)
	}
	out, _, err := m.matrix(name+"o_proj/MatMul_output_0", s.Width, s.Width)
	if err != nil {
		return "", err
	}
	cos, sin := turns()
	parts := split(g, blockMultiply(g, y, name+"qkv", all, nil), name+"qkv", -1, 3)
	k, v := selfName(2*layer), selfName(2*layer+1)
	g.MicrosoftNode("GroupQueryAttention", []string{
		parts[0], parts[1], parts[2], k, v, last, size,
		g.Floats("cos", cos, s.Positions, s.Rotary/2), g.Floats("sin", sin, s.Positions, s.Rotary/2),
	}, []string{name, k + "_out", v + "_out"}, attr("num_heads", s.Heads), attr("kv_num_heads", s.Heads),
		attr("do_rotary", 1), attr("rotary_interleaved", 1), attr("scale", float32(1/math.Sqrt(float64(s.HeadWidth)))))
	for _, cache := range []string{k, v} {
		g.Output(cache+"_out", onnx.Float, onnx.N(1), onnx.N(s.Heads), onnx.Any("C"), onnx.N(s.CacheWidth))
	}
	return g.Op("Add", []string{x, blockMultiply(g, name, name+"o", wideColumns(out), nil)}), nil
}

// turns are the cosines and sines of rotary position embeddings (arXiv 2104.09864).
func turns() (cos, sin []float32) {
	s := spec.Moonshine
	for position := range s.Positions {
		for i := range s.Rotary / 2 {
			angle := float64(position) * math.Pow(10000, -float64(2*i)/float64(s.Rotary))
			cos, sin = append(cos, float32(math.Cos(angle))), append(sin, float32(math.Sin(angle)))
		}
	}
	return cos, sin
}

func (m *moonshine) crossAttention(g *onnx.Graph, x string, layer int) (string, error) {
	s := spec.Moonshine
	name := fmt.Sprintf("/model/decoder/layers.%d/encoder_attn/", layer)
	y, err := m.layerNorm(g, x, fmt.Sprintf("layers.%d.post_attention_layernorm", layer))
	if err != nil {
		return "", err
	}
	q, _, err := m.matrix(name+"q_proj/MatMul_output_0", s.Width, s.Width)
	if err != nil {
		return "", err
	}
	out, _, err := m.matrix(name+"o_proj/MatMul_output_0", s.Width, s.Width)
	if err != nil {
		return "", err
	}
	queries := blockMultiply(g, y, name+"q", q, nil)
	if heads := alignmentHeads(layer); len(heads) > 0 {
		all := g.Op("Reshape", []string{queries, g.Ints(0, 0, s.Heads, s.HeadWidth)})
		g.Node("Gather", []string{all, g.Ints(heads...)}, []string{"align_q"}, attr("axis", 2))
	}
	y = g.MicrosoftOp("MultiHeadAttention", []string{queries, crossName(2 * layer), crossName(2*layer + 1)}, attr("num_heads", s.Heads))
	return g.Op("Add", []string{x, blockMultiply(g, y, name+"o", out, nil)}), nil
}

// alignmentHeads are those of a layer.
func alignmentHeads(layer int) []int {
	var heads []int
	for _, h := range spec.Moonshine.AlignmentHeads {
		if h.Layer == layer {
			heads = append(heads, h.Head)
		}
	}
	return heads
}

// feedForward is a gated block: silu(gate) ∘ value (arXiv 2002.05202).
func (m *moonshine) feedForward(g *onnx.Graph, x string, layer int) (string, error) {
	s := spec.Moonshine
	name := fmt.Sprintf("/model/decoder/layers.%d/mlp/", layer)
	y, err := m.layerNorm(g, x, fmt.Sprintf("layers.%d.final_layernorm", layer))
	if err != nil {
		return "", err
	}
	up, upBias, err := m.matrix(name+"fc1/Add_output_0", 2*s.Inner, s.Width)
	if err != nil {
		return "", err
	}
	down, downBias, err := m.matrix(name+"fc2/Add_output_0", s.Width, s.Inner)
	if err != nil {
		return "", err
	}
	parts := split(g, blockMultiply(g, y, name+"up", up, upBias), name+"up", -1, 2)
	y = g.Op("Mul", []string{g.MicrosoftOp("QuickGelu", []string{parts[1]}, attr("alpha", float32(1))), parts[0]})
	return g.Op("Add", []string{x, blockMultiply(g, y, name+"down", down, downBias)}), nil
}
