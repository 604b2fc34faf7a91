package convert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dictum/dictum/internal/models/ctranslate2"
	"github.com/dictum/dictum/internal/models/spec"
)

// headWidth is the width of an attention head in every Whisper.
const headWidth = 64

// gelu is CTranslate2's number for the exact Gelu (ctranslate2/specs/common_spec.py,
// Activation), the only one Whisper uses.
const gelu = 3

// config is what config.json of a CTranslate2 Whisper holds. Language ids are there too,
// but the tokenizer has them with their codes.
type config struct {
	AlignmentHeads [][2]int `json:"alignment_heads"`
	Suppress       []int    `json:"suppress_ids"`
	SuppressBegin  []int    `json:"suppress_ids_begin"`
}

// describe works out the description of a model from its weights' shapes, its
// configuration and its tokenizer.
func describe(m *ctranslate2.Model, configJSON, tokenizerJSON []byte) (spec.Whisper, error) {
	var w spec.Whisper
	if m.Spec != "WhisperSpec" {
		return w, fmt.Errorf("%w: it is a %q, not a WhisperSpec", ErrUnsupported, m.Spec)
	}
	if err := supported(m); err != nil {
		return w, err
	}
	conv, err := shape(m, "encoder/conv1/weight", 3)
	if err != nil {
		return w, err
	}
	audio, err := shape(m, "encoder/position_encodings/encodings", 2)
	if err != nil {
		return w, err
	}
	text, err := shape(m, "decoder/position_encodings/encodings", 2)
	if err != nil {
		return w, err
	}
	embeddings, err := shape(m, "decoder/embeddings/weight", 2)
	if err != nil {
		return w, err
	}
	w.Mels, w.Width, w.AudioPositions = conv[1], audio[1], audio[0]
	w.TextPositions, w.Vocabulary = text[0], embeddings[0]
	w.HeadWidth, w.Heads = headWidth, w.Width/headWidth
	for m.Has(fmt.Sprintf("encoder/layer_%d/ffn/linear_0/weight", w.EncoderLayers)) {
		w.EncoderLayers++
	}
	for m.Has(fmt.Sprintf("decoder/layer_%d/ffn/linear_0/weight", w.DecoderLayers)) {
		w.DecoderLayers++
	}
	var c config
	if err := json.Unmarshal(configJSON, &c); err != nil {
		return w, fmt.Errorf("read %s: %w", ConfigFile, err)
	}
	for _, h := range c.AlignmentHeads {
		w.AlignmentHeads = append(w.AlignmentHeads, spec.Head{Layer: h[0], Head: h[1]})
	}
	// Graphs give the heads layer by layer.
	slices.SortStableFunc(w.AlignmentHeads, func(a, b spec.Head) int { return a.Layer - b.Layer })
	if len(w.AlignmentHeads) == 0 {
		return w, fmt.Errorf("%w: %s names no alignment heads", ErrUnsupported, ConfigFile)
	}
	w.Suppress, w.SuppressBegin = c.Suppress, c.SuppressBegin
	if w.Tokens, err = specialTokens(tokenizerJSON); err != nil {
		return w, fmt.Errorf("read %s: %w", TokenizerFile, err)
	}
	if err := w.Validate(); err != nil {
		return w, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return w, nil
}

// supported checks the switches that the file carries: we build the one form that
// Whisper has.
func supported(m *ctranslate2.Model) error {
	for name, want := range map[string]float32{
		"decoder/activation":                gelu,
		"decoder/pre_norm":                  1,
		"decoder/alibi":                     0,
		"decoder/scale_embeddings":          0,
		"decoder/start_from_zero_embedding": 0,
	} {
		if !m.Has(name) {
			continue
		}
		v, err := m.Variable(name)
		if err != nil {
			return err
		}
		got, err := v.Floats()
		if err != nil {
			return err
		}
		if len(got) != 1 || got[0] != want {
			return fmt.Errorf("%w: %s is %v, not %v", ErrUnsupported, name, got, want)
		}
	}
	return nil
}

func shape(m *ctranslate2.Model, name string, rank int) ([]int, error) {
	v, err := m.Variable(name)
	if err != nil {
		return nil, err
	}
	if len(v.Shape) != rank || slices.Contains(v.Shape, 0) {
		return nil, fmt.Errorf("%w: %s has shape %v", ErrUnsupported, name, v.Shape)
	}
	return v.Shape, nil
}

// specialTokens finds the special tokens in a Hugging Face tokenizer.json.
func specialTokens(tokenizerJSON []byte) (spec.WhisperTokens, error) {
	var t spec.WhisperTokens
	var file struct {
		Added []struct {
			ID      int    `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
	}
	if err := json.Unmarshal(tokenizerJSON, &file); err != nil {
		return t, err
	}
	ids := make(map[string]int, len(file.Added))
	for _, a := range file.Added {
		ids[a.Content] = a.ID
	}
	var missing []string
	find := func(names ...string) int {
		for _, name := range names {
			if id, ok := ids[name]; ok {
				return id
			}
		}
		missing = append(missing, names[0])
		return 0
	}
	t = spec.WhisperTokens{
		EndOfText:         find("<|endoftext|>"),
		StartOfTranscript: find("<|startoftranscript|>"),
		Translate:         find("<|translate|>"),
		Transcribe:        find("<|transcribe|>"),
		StartOfLM:         find("<|startoflm|>"),
		StartOfPrevious:   find("<|startofprev|>"),
		// The token was renamed with large-v3.
		NoSpeech:     find("<|nospeech|>", "<|nocaptions|>"),
		NoTimestamps: find("<|notimestamps|>"),
	}
	if len(missing) > 0 {
		return t, fmt.Errorf("%w: it has no token %s", ErrUnsupported, strings.Join(missing, ", "))
	}
	t.TimestampBegin = t.NoTimestamps + 1
	t.Languages = []spec.WhisperLanguage{}
	for _, a := range file.Added {
		// Language tokens stand between the start of transcript and the tasks.
		if a.ID > t.StartOfTranscript && a.ID < min(t.Translate, t.Transcribe) {
			code := strings.TrimSuffix(strings.TrimPrefix(a.Content, "<|"), "|>")
			t.Languages = append(t.Languages, spec.WhisperLanguage{Code: code, ID: a.ID})
		}
	}
	slices.SortFunc(t.Languages, func(a, b spec.WhisperLanguage) int { return a.ID - b.ID })
	return t, nil
}
