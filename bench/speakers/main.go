// Command speakers tells the speakers of recordings apart and writes an RTTM file for each,
// to be scored by bench/dictumbench/diarization.py. It prints how long the audio was and how much
// processor time its speaker models took, as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech/speakers"
	"github.com/dictum/dictum/internal/speech/vad"
)

type bench struct {
	vad      *vad.Detector
	speakers *speakers.Model
	limit    int
	report   report
}

type report struct {
	Files int `json:"files"`
	// Audio is the length of all files, Wall and CPU what the speaker models took, in seconds.
	Audio float64 `json:"audio_s"`
	Wall  float64 `json:"wall_s"`
	CPU   float64 `json:"cpu_s"`
}

func main() {
	dir := flag.String("models", "", "folder of models; empty is the usual one")
	out := flag.String("out", ".", "folder for the RTTM files")
	limit := flag.Int("max", 0, "most speakers")
	threads := flag.Int("threads", 2, "threads of the convolutions")
	flag.Parse()
	if err := run(context.Background(), *dir, *out, *limit, *threads, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "speakers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, out string, limit, threads int, files []string) (err error) {
	if dir == "" {
		if dir, err = models.Dir(); err != nil {
			return err
		}
	}
	if err := inference.Init(filepath.Join(dir, models.Runtime, "libonnxruntime.so")); err != nil {
		return err
	}
	b := bench{limit: limit}
	if b.vad, err = vad.Open(filepath.Join(dir, models.SileroVAD, "silero_vad_16k_sequence.onnx")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.vad.Close()) }()
	if b.speakers, err = speakers.Open(filepath.Join(dir, models.Speakers), threads); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.speakers.Close()) }()
	for _, file := range files {
		if err := b.file(ctx, file, out); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(b.report)
}

// file reads one recording, in constant memory, and writes its RTTM.
func (b *bench) file(ctx context.Context, file, out string) error {
	src, err := os.Open(file)
	if err != nil {
		return err
	}
	defer src.Close() // only read
	in, err := audio.Open(ctx, src, audio.Options{})
	if err != nil {
		return err
	}
	defer in.Close()
	stream, err := b.vad.NewStream()
	if err != nil {
		return err
	}
	defer stream.Close()
	d, err := b.speakers.NewDiarizer(speakers.Options{MaxSpeakers: b.limit})
	if err != nil {
		return err
	}
	var failed error
	cutter := vad.NewCutter(func(w vad.Window) {
		b.timed(func() { failed = errors.Join(failed, d.Add(ctx, w)) })
	})
	chunk, samples := make([]float32, vad.ChunkSamples), 0
	for end := false; !end && failed == nil; {
		n := 0
		for n < len(chunk) && !end {
			k, err := in.ReadSamples(chunk[n:])
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			n, end = n+k, err != nil
		}
		probabilities, err := stream.Detect(ctx, chunk[:n])
		if err != nil {
			return err
		}
		cutter.Add(chunk[:n], probabilities)
		samples += n
	}
	cutter.End()
	if failed != nil {
		return failed
	}
	var turns []speakers.Turn
	b.timed(func() { turns = d.Turns() })
	b.report.Files++
	b.report.Audio += float64(samples) / 16000
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return write(filepath.Join(out, name+".rttm"), name, turns, d.Overlaps(turns))
}

// timed counts what f takes.
func (b *bench) timed(f func()) {
	start, before := time.Now(), processor()
	f()
	b.report.Wall += time.Since(start).Seconds()
	b.report.CPU += (processor() - before).Seconds()
}

// processor is the processor time of this process.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// write writes turns, and for overlaps the second speaker, in RTTM (NIST RT-09, appendix A).
func write(path, name string, turns []speakers.Turn, overlaps []speakers.Overlap) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	line := func(start, end time.Duration, speaker int) {
		fmt.Fprintf(w, "SPEAKER %s 1 %.3f %.3f <NA> <NA> spk_%d <NA> <NA>\n", name, start.Seconds(), (end - start).Seconds(), speaker)
	}
	for _, t := range turns {
		line(t.Start, t.End, t.Speaker)
	}
	for _, o := range overlaps {
		for _, s := range o.Speakers {
			line(o.Start, o.End, s)
		}
	}
	return w.Flush()
}
