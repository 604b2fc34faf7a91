package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech/moonshine"
)

// recognize prints an object with the text of each file, recognised whole. Files are as played, one utterance each.
func recognize(ctx context.Context, threads int, files []string, out io.Writer) (err error) {
	dir, err := models.Dir()
	if err != nil {
		return err
	}
	if err := inference.Init(filepath.Join(dir, models.Runtime, "libonnxruntime.so")); err != nil {
		return err
	}
	model, err := moonshine.Open(filepath.Join(dir, models.MoonshineTiny), threads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	texts := map[string]string{}
	for _, file := range files {
		pcm, err := samples(file)
		if err != nil {
			return err
		}
		audio := make([]float32, len(pcm)/sampleBytes)
		for i := range audio {
			audio[i] = float32(int16(binary.LittleEndian.Uint16(pcm[i*sampleBytes:]))) / (1 << 15)
		}
		h, err := model.Transcribe(ctx, audio)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		texts[file] = h.Text()
	}
	return json.NewEncoder(out).Encode(texts)
}
