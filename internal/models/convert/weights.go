package convert

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/dictum/dictum/internal/models/ctranslate2"
	"github.com/dictum/dictum/internal/models/onnx"
	"github.com/dictum/dictum/internal/models/spec"
)

// weights reads a model's variables as the graphs want them.
type weights struct {
	model *ctranslate2.Model
	spec  spec.Whisper
}

// matrix is a linear layer's weights, row-major, one row per output.
type matrix struct {
	rows, columns int
	data          []float32
}

// floats reads a variable and checks its shape.
func (w *weights) floats(name string, shape ...int) ([]float32, error) {
	v, err := w.model.Variable(name)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(v.Shape, shape) {
		return nil, fmt.Errorf("%w: %s has shape %v, not %v", ErrUnsupported, name, v.Shape, shape)
	}
	return v.Floats()
}

// matrix reads the weights of a linear layer. 8-bit and 16-bit variables come with
// <name>_scale, by which CTranslate2 multiplied: a number per row, or one.
func (w *weights) matrix(name string, rows, columns int) (matrix, error) {
	data, err := w.floats(name, rows, columns)
	if err != nil {
		return matrix{}, err
	}
	if scaleName := name + "_scale"; w.model.Has(scaleName) {
		v, err := w.model.Variable(scaleName)
		if err != nil {
			return matrix{}, err
		}
		scale, err := v.Floats()
		if err != nil {
			return matrix{}, err
		}
		if len(scale) != 1 && len(scale) != rows {
			return matrix{}, fmt.Errorf("%w: %s has %d numbers for %d rows", ErrUnsupported, scaleName, len(scale), rows)
		}
		for i := range data {
			data[i] /= scale[min(i/columns, len(scale)-1)]
		}
	} else if v, err := w.model.Variable(name); err == nil && v.Type != ctranslate2.Float32 && v.Type != ctranslate2.Float16 {
		return matrix{}, fmt.Errorf("%w: %s is quantised without a scale", ErrUnsupported, name)
	}
	return matrix{rows, columns, data}, nil
}

// bias reads a layer's bias. A layer without one has zeros.
func (w *weights) bias(name string, n int) ([]float32, error) {
	if !w.model.Has(name) {
		return make([]float32, n), nil
	}
	return w.floats(name, n)
}

// linear reads weights and bias of the layer called prefix.
func (w *weights) linear(prefix string, rows, columns int) (matrix, []float32, error) {
	m, err := w.matrix(prefix+"/weight", rows, columns)
	if err != nil {
		return m, nil, err
	}
	b, err := w.bias(prefix+"/bias", rows)
	return m, b, err
}

// layerNorm adds a layer normalisation and returns its output.
func (w *weights) layerNorm(g *onnx.Graph, x, prefix string) (string, error) {
	gamma, err := w.floats(prefix+"/gamma", w.spec.Width)
	if err != nil {
		return "", err
	}
	beta, err := w.floats(prefix+"/beta", w.spec.Width)
	if err != nil {
		return "", err
	}
	return g.Op("LayerNormalization", []string{
		x, g.Floats(prefix+"/gamma", gamma, w.spec.Width), g.Floats(prefix+"/beta", beta, w.spec.Width),
	}, onnx.Attribute{Name: "axis", Value: -1}, onnx.Attribute{Name: "epsilon", Value: float32(1e-5)}), nil
}

// multiply adds a linear layer to a graph and returns its output.
type multiply func(g *onnx.Graph, x, name string, m matrix, bias []float32) string

// feedForward adds a block's feed-forward part, residual included.
func (w *weights) feedForward(g *onnx.Graph, x, prefix string, mul multiply) (string, error) {
	inner, err := shape(w.model, prefix+"/linear_0/weight", 2)
	if err != nil {
		return "", err
	}
	y, err := w.layerNorm(g, x, prefix+"/layer_norm")
	if err != nil {
		return "", err
	}
	up, upBias, err := w.linear(prefix+"/linear_0", inner[0], w.spec.Width)
	if err != nil {
		return "", err
	}
	down, downBias, err := w.linear(prefix+"/linear_1", w.spec.Width, inner[0])
	if err != nil {
		return "", err
	}
	y = mul(g, y, prefix+"/linear_0", up, upBias)
	y = g.MicrosoftOp("Gelu", []string{y})
	y = mul(g, y, prefix+"/linear_1", down, downBias)
	return g.Op("Add", []string{x, y}), nil
}

// block is how many weights of a row share a scale in blockMultiply.
const block = 32

// blockMultiply multiplies by weights of 8 bits in blocks of 32, and quantises the
// activations per row and block, so that rows do not know of each other.
func blockMultiply(g *onnx.Graph, x, name string, m matrix, bias []float32) string {
	return multiplyInBlocks(g, x, name, m, bias, block)
}

// wideMultiply is blockMultiply with blocks of up to 64 weights, for the encoder. One
// scale for all activations of a window (DynamicQuantizeMatMul) left a relative error of
// 12 to 20 % in the cross-attention caches and cost words: 16.6 % against 15.6 % errors on
// 462 prompts in five languages. This leaves 3 to 4 %, for 0.91 instead of 0.63 s of one
// processor for 30 s; floats take 1.12 s (base, AMD EPYC).
func wideMultiply(g *onnx.Graph, x, name string, m matrix, bias []float32) string {
	size := 64
	for size > block && m.columns%size != 0 {
		size /= 2
	}
	return multiplyInBlocks(g, x, name, m, bias, size)
}

func multiplyInBlocks(g *onnx.Graph, x, name string, m matrix, bias []float32, block int) string {
	blocks := m.columns / block
	quantised := make([]byte, m.rows*m.columns)
	scales := make([]float32, m.rows*blocks)
	for i := range scales {
		values := m.data[i*block : (i+1)*block]
		scales[i] = symmetricScale(values)
		for j, v := range values {
			quantised[i*block+j] = byte(int(round(v, scales[i])) + 128)
		}
	}
	inputs := []string{
		x,
		g.Weight(name+"/weight", onnx.Uint8, quantised, m.rows, blocks, block),
		g.Floats(name+"/scale", scales, m.rows, blocks),
	}
	if bias != nil {
		inputs = append(inputs, "", "", g.Floats(name+"/bias", bias, m.rows))
	}
	return g.MicrosoftOp("MatMulNBits", inputs,
		onnx.Attribute{Name: "K", Value: m.columns}, onnx.Attribute{Name: "N", Value: m.rows},
		onnx.Attribute{Name: "bits", Value: 8}, onnx.Attribute{Name: "block_size", Value: block},
		// 4: multiply in 8 bits with sums in 32, instead of unpacking weights to floats.
		onnx.Attribute{Name: "accuracy_level", Value: 4})
}

// symmetricScale maps the values to -127…127.
func symmetricScale(values []float32) float32 {
	var most float32
	for _, v := range values {
		most = max(most, float32(math.Abs(float64(v))))
	}
	if most == 0 {
		return 1
	}
	return most / 127
}

func round(v, scale float32) float64 {
	return min(127, max(-127, math.RoundToEven(float64(v/scale))))
}

// table adds a table of position encodings under its own name.
func (w *weights) table(g *onnx.Graph, name string, rows int) (string, error) {
	values, err := w.floats(name, rows, w.spec.Width)
	if err != nil {
		return "", err
	}
	return g.Floats(name, values, rows, w.spec.Width), nil
}

// embeddings adds the token embeddings as exactly what the file holds, half precision
// where it does: it is the largest table, and only rows of it are read.
func (w *weights) embeddings(g *onnx.Graph, ids string) (string, error) {
	const name = "decoder/embeddings/weight"
	v, err := w.model.Variable(name)
	if err != nil {
		return "", err
	}
	if v.Type == ctranslate2.Float16 {
		raw, err := v.Raw()
		if err != nil {
			return "", err
		}
		rows := g.Op("Gather", []string{g.Weight(name, onnx.Float16, raw, v.Shape...), ids})
		return g.Op("Cast", []string{rows}, onnx.Attribute{Name: "to", Value: int(onnx.Float)}), nil
	}
	m, err := w.matrix(name, w.spec.Vocabulary, w.spec.Width)
	if err != nil {
		return "", err
	}
	return g.Op("Gather", []string{g.Floats(name, m.data, m.rows, m.columns), ids}), nil
}

// int32Scalar adds a scalar constant.
func int32Scalar(g *onnx.Graph, v int32) string {
	return g.Weight(fmt.Sprintf("int32 %d", v), onnx.Int32, binary.LittleEndian.AppendUint32(nil, uint32(v)))
}
