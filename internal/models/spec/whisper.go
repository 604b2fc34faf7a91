// Package spec describes converted models to the code that runs them: the sizes of their
// graphs and the ids of their special tokens, as model.json beside the graphs holds them.
package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WhisperFile is the name of the description in a model's folder.
const WhisperFile = "model.json"

// The names of the files of a Whisper model, all in its folder.
const (
	WhisperEncoder   = "encoder.onnx"
	WhisperDecoder   = "decoder.onnx"
	WhisperAlign     = "align.onnx"
	WhisperTokenizer = "tokenizer.json"
)

// Whisper describes a converted Whisper model of any size (arXiv 2212.04356 §2.2).
type Whisper struct {
	// Mels is the number of mel bands that the encoder reads: 80, or 128 from large-v3 on.
	Mels int `json:"mels"`
	// Width is the size of the model's hidden state.
	Width int `json:"width"`
	// Heads is the number of attention heads; HeadWidth is Width / Heads.
	Heads     int `json:"heads"`
	HeadWidth int `json:"head_width"`
	// EncoderLayers and DecoderLayers count transformer blocks. Caches have one pair of
	// tensors per decoder layer.
	EncoderLayers int `json:"encoder_layers"`
	DecoderLayers int `json:"decoder_layers"`
	// Vocabulary is the length of the logits.
	Vocabulary int `json:"vocabulary"`
	// AudioPositions is the most encoder frames (20 ms each): 1500 for 30 s.
	AudioPositions int `json:"audio_positions"`
	// TextPositions is the most tokens a decoder row holds, prompt included: 448.
	TextPositions int `json:"text_positions"`
	// AlignmentHeads are the decoder heads whose attention follows the audio, in the order
	// of the decoder's align_q.
	AlignmentHeads []Head `json:"alignment_heads"`
	// Tokens are the special tokens.
	Tokens WhisperTokens `json:"tokens"`
	// Suppress are tokens that are never sampled, SuppressBegin those never sampled first.
	Suppress      []int `json:"suppress"`
	SuppressBegin []int `json:"suppress_begin"`
}

// Head names an attention head of the decoder.
type Head struct {
	Layer int `json:"layer"`
	Head  int `json:"head"`
}

// WhisperTokens are ids of special tokens.
type WhisperTokens struct {
	EndOfText         int `json:"end_of_text"`
	StartOfTranscript int `json:"start_of_transcript"`
	Translate         int `json:"translate"`
	Transcribe        int `json:"transcribe"`
	StartOfLM         int `json:"start_of_lm"`
	StartOfPrevious   int `json:"start_of_previous"`
	NoSpeech          int `json:"no_speech"`
	NoTimestamps      int `json:"no_timestamps"`
	// TimestampBegin is <|0.00|>; each id above adds 20 ms.
	TimestampBegin int `json:"timestamp_begin"`
	// Languages are in the order of their ids. Empty for English-only models.
	Languages []WhisperLanguage `json:"languages"`
}

// WhisperLanguage is a language with its token.
type WhisperLanguage struct {
	// Code is Whisper's own code, as "en", "yue".
	Code string `json:"code"`
	ID   int    `json:"id"`
}

// ReadWhisper reads the description of the model in a folder.
func ReadWhisper(dir string) (Whisper, error) {
	var w Whisper
	data, err := os.ReadFile(filepath.Join(dir, WhisperFile))
	if err != nil {
		return w, fmt.Errorf("read model description: %w", err)
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return w, fmt.Errorf("read model description in %s: %w", dir, err)
	}
	if err := w.Validate(); err != nil {
		return w, fmt.Errorf("read model description in %s: %w", dir, err)
	}
	return w, nil
}

// Validate reports sizes that cannot belong together.
func (w Whisper) Validate() error {
	switch {
	case w.Mels <= 0 || w.Width <= 0 || w.Heads <= 0 || w.EncoderLayers <= 0 || w.DecoderLayers <= 0,
		w.AudioPositions <= 0 || w.TextPositions <= 0:
		return errors.New("a size is missing")
	case w.Heads*w.HeadWidth != w.Width:
		return fmt.Errorf("%d heads of %d are not %d wide", w.Heads, w.HeadWidth, w.Width)
	case w.Tokens.TimestampBegin <= w.Tokens.EndOfText || w.Tokens.TimestampBegin >= w.Vocabulary:
		return fmt.Errorf("timestamps begin at token %d of %d", w.Tokens.TimestampBegin, w.Vocabulary)
	}
	for _, h := range w.AlignmentHeads {
		if h.Layer < 0 || h.Layer >= w.DecoderLayers || h.Head < 0 || h.Head >= w.Heads {
			return fmt.Errorf("there is no alignment head %d in layer %d", h.Head, h.Layer)
		}
	}
	return nil
}
