package convert_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/x448/float16"

	"github.com/dictum/dictum/internal/models/convert"
)

// shape of a synthetic Whisper.
type shape struct {
	mels, width, encoder, decoder, vocabulary int
	kind                                      byte // CTranslate2's element type: 0 f32, 1 i8, 4 f16
}

var tiny = shape{mels: 80, width: 128, encoder: 2, decoder: 3, vocabulary: 320, kind: 4}

// ct2 writes a model.bin as CTranslate2 does.
type ct2 struct {
	buf   bytes.Buffer
	count uint32
	rng   *rand.Rand
	kind  byte
}

func (c *ct2) le(v any) { _ = binary.Write(&c.buf, binary.LittleEndian, v) } // a buffer takes all

func (c *ct2) str(s string) {
	c.le(uint16(len(s) + 1))
	c.buf.WriteString(s + "\x00")
}

func (c *ct2) head(name string, kind byte, size int, dims ...int) {
	c.count++
	c.str(name)
	c.le(uint8(len(dims)))
	n := size
	for _, d := range dims {
		c.le(uint32(d))
		n *= d
	}
	c.le(kind)
	c.le(uint32(n))
}

// random writes a weight; matrices of an 8-bit model get their scales.
func (c *ct2) random(name string, spread, centre float64, dims ...int) {
	n := 1
	for _, d := range dims {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		// Halves, so that all types hold the same numbers up to their precision.
		values[i] = float16.Fromfloat32(float32(centre + spread*c.rng.NormFloat64())).Float32()
	}
	switch {
	case c.kind == 1 && len(dims) == 2 && name != "encoder/position_encodings/encodings" && name != "decoder/position_encodings/encodings":
		columns := dims[1]
		scales := make([]float32, dims[0])
		c.head(name, 1, 1, dims...)
		for r := range dims[0] {
			var most float64
			for _, v := range values[r*columns : (r+1)*columns] {
				most = max(most, math.Abs(float64(v)))
			}
			scales[r] = float32(127 / most)
			for _, v := range values[r*columns : (r+1)*columns] {
				c.le(int8(math.RoundToEven(float64(v * scales[r]))))
			}
		}
		c.head(name+"_scale", 0, 4, dims[0])
		c.le(scales)
	case c.kind == 0 || c.kind == 1:
		c.head(name, 0, 4, dims...)
		c.le(values)
	default:
		c.head(name, 4, 2, dims...)
		for _, v := range values {
			c.le(float16.Fromfloat32(v).Bits())
		}
	}
}

func (c *ct2) linear(name string, out, in int) {
	c.random(name+"/weight", 1/math.Sqrt(float64(in)), 0, out, in)
	c.random(name+"/bias", 0.1, 0, out)
}

func (c *ct2) norm(name string, n int) {
	c.random(name+"/gamma", 0.1, 1, n)
	c.random(name+"/beta", 0.1, 0, n)
}

func (c *ct2) block(prefix string, d int, cross bool) {
	c.norm(prefix+"/self_attention/layer_norm", d)
	c.linear(prefix+"/self_attention/linear_0", 3*d, d)
	c.linear(prefix+"/self_attention/linear_1", d, d)
	if cross {
		c.norm(prefix+"/attention/layer_norm", d)
		c.linear(prefix+"/attention/linear_0", d, d)
		c.linear(prefix+"/attention/linear_1", 2*d, d)
		c.linear(prefix+"/attention/linear_2", d, d)
	}
	c.norm(prefix+"/ffn/layer_norm", d)
	c.linear(prefix+"/ffn/linear_0", 4*d, d)
	c.linear(prefix+"/ffn/linear_1", d, 4*d)
}

// weightsFile gives a model.bin of the shape.
func weightsFile(s shape) []byte {
	c := &ct2{rng: rand.New(rand.NewPCG(7, 7)), kind: s.kind}
	c.head("decoder/activation", 1, 1)
	c.le(int8(3))
	c.random("encoder/conv1/weight", 0.1, 0, s.width, s.mels, 3)
	c.random("encoder/conv1/bias", 0.1, 0, s.width)
	c.random("encoder/conv2/weight", 0.05, 0, s.width, s.width, 3)
	c.random("encoder/conv2/bias", 0.1, 0, s.width)
	c.random("encoder/position_encodings/encodings", 0.3, 0, 1500, s.width)
	for i := range s.encoder {
		c.block(fmt.Sprintf("encoder/layer_%d", i), s.width, false)
	}
	c.norm("encoder/layer_norm", s.width)
	c.random("decoder/embeddings/weight", 0.5, 0, s.vocabulary, s.width)
	c.random("decoder/position_encodings/encodings", 0.3, 0, 448, s.width)
	for i := range s.decoder {
		c.block(fmt.Sprintf("decoder/layer_%d", i), s.width, true)
	}
	c.norm("decoder/layer_norm", s.width)
	aliases := [][2]string{{"decoder/projection/weight", "decoder/embeddings/weight"}}
	if s.kind == 1 {
		aliases = append(aliases, [2]string{"decoder/projection/weight_scale", "decoder/embeddings/weight_scale"})
	}
	variables := c.buf.Bytes()
	out := &ct2{}
	out.le(uint32(6))
	out.str("WhisperSpec")
	out.le(uint32(3))
	out.le(c.count)
	out.buf.Write(variables)
	out.le(uint32(len(aliases)))
	for _, a := range aliases {
		out.str(a[0])
		out.str(a[1])
	}
	return out.buf.Bytes()
}

// sourceDir writes a CTranslate2 folder of the shape.
func sourceDir(t testing.TB, s shape) string {
	t.Helper()
	dir := t.TempDir()
	var added []map[string]any
	for i, token := range []string{
		"<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|fr|>", "<|translate|>", "<|transcribe|>",
		"<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
	} {
		added = append(added, map[string]any{"id": 250 + i, "content": token})
	}
	files := map[string][]byte{convert.WeightsFile: weightsFile(s)}
	files[convert.TokenizerFile] = must(json.Marshal(map[string]any{"added_tokens": added}))
	files[convert.ConfigFile] = must(json.Marshal(map[string]any{
		"alignment_heads": [][2]int{{1, 1}, {s.decoder - 1, 0}}, "suppress_ids": []int{1, 2}, "suppress_ids_begin": []int{3},
	}))
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// synthetic converts a model of the shape and returns its folder.
func synthetic(t testing.TB, s shape) string {
	t.Helper()
	dst := t.TempDir()
	if err := convert.Whisper(context.Background(), sourceDir(t, s), dst, nil); err != nil {
		t.Fatal(err)
	}
	return dst
}
