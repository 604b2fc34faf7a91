// Package convert turns model weights, as they are published, into the ONNX graphs that
// Dictum runs.
//
// A Whisper model of any size becomes three graphs:
//
//	encoder.onnx  mel f32 [1,mels,F] (F = 100 frames a second)
//	              → per decoder layer i cross_k_i, cross_v_i i8 [1,heads,T,64] (T = F/2),
//	                cross_scale f32 [1,2·layers,width]
//	decoder.onnx  input_ids i64 [B,S], past_len, query_len, frames i32 [B],
//	              self_k_i, self_v_i f32 [B,heads,C,64], cross_k_i, cross_v_i, cross_scale of B rows
//	              → logits f32 [B,vocabulary], align_q f32 [B,S,heads to align by,64],
//	                self_k_i_out, self_v_i_out, cross_k_i_out, cross_v_i_out
//	align.onnx    align_q f32 [1,N,heads to align by,64], cross_k_i of the layers that have
//	              such heads, cross_scale → weights f32 [1,heads to align by,N,T]
//
// The decoder reads query_len[b] tokens of row b, from past_len[b] on in its cache, and
// attends to frames[b] encoder frames. Rows have lengths of their own: they join and leave
// a running batch, and need past_len+S ≤ C. A row with query_len 0 rests; it needs
// past_len ≥ 1. logits are those of the last token read. S above 1 needs B = 1: the prompt
// of a row is read alone, through views of its part of the caches, or token by token.
// Every …_out must be bound to the very tensor that is its input: the self caches are
// then extended in place, and the cross caches stay as they are.
//
// Numbers: encoder matrices are 8-bit per output channel, with activations quantised over
// one window, which is why the encoder takes one window a run. Decoder matrices are 8-bit
// in blocks of 32 and activations are quantised per row and block, and cross keys and
// values are 8-bit with a scale per window and channel, so that no row's result depends
// on its neighbours. Start reading at Whisper.
package convert

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dictum/dictum/internal/models/ctranslate2"
	"github.com/dictum/dictum/internal/models/onnx"
	"github.com/dictum/dictum/internal/models/spec"
)

// Version is raised whenever the same weights convert to other files. Libraries convert
// again what an older version wrote.
const Version = 2

// ErrUnsupported is wrapped by errors about weights that are intact but of another make.
var ErrUnsupported = errors.New("model is not supported")

// The files of a Whisper model as CTranslate2 lays them out.
const (
	WeightsFile   = "model.bin"
	ConfigFile    = "config.json"
	TokenizerFile = "tokenizer.json"
)

// Whisper converts the CTranslate2 model in the folder src and writes its graphs, its
// description and its tokenizer into the folder dst, which must exist. It calls stage,
// when not nil, with a line for people before each step.
func Whisper(ctx context.Context, src, dst string, stage func(string)) error {
	if stage == nil {
		stage = func(string) {}
	}
	file, err := os.Open(filepath.Join(src, WeightsFile))
	if err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	defer file.Close() // only read
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	model, err := ctranslate2.Read(file, info.Size())
	if err != nil {
		return fmt.Errorf("convert %s: %w", file.Name(), err)
	}
	tokenizer, err := os.ReadFile(filepath.Join(src, TokenizerFile))
	if err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	config, err := os.ReadFile(filepath.Join(src, ConfigFile))
	if err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	w := &weights{model: model}
	if w.spec, err = describe(model, config, tokenizer); err != nil {
		return fmt.Errorf("convert %s: %w", src, err)
	}
	for _, part := range []struct {
		file  string
		build func(*onnx.Graph) error
	}{
		{spec.WhisperEncoder, w.encoder},
		{spec.WhisperDecoder, w.decoder},
		{spec.WhisperAlign, w.align},
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
	description, err := json.MarshalIndent(w.spec, "", "  ")
	if err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dst, spec.WhisperFile), append(description, '\n'), 0o644); err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dst, spec.WhisperTokenizer), tokenizer, 0o644); err != nil {
		return fmt.Errorf("convert whisper: %w", err)
	}
	return nil
}

func write(path string, g *onnx.Graph) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 1<<20)
	if _, err := g.WriteTo(w); err != nil {
		return err
	}
	return w.Flush()
}
