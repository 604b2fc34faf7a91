package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

// filesAtOnce is how many files are read at the same time: enough for the engine to fill its
// batches from, few enough to keep memory and open files small.
const filesAtOnce = 4

// The bounds of what can be asked for, as Amazon Transcribe has them.
const (
	maxSpeakers     = 30
	maxAlternatives = 10
)

// TranscribeCmd transcribes files with the engine in this process.
type TranscribeCmd struct {
	Files    []string `arg:"" name:"file" help:"Audio or video files." type:"existingfile"`
	Language string   `help:"Language spoken: a code such as en, en-US or fr; auto identifies it, multi follows people who change it." default:"auto"`
	Among    []string `help:"Languages to choose from with auto or multi: en,es,fr." placeholder:"CODE"`
	Speakers int      `help:"Tell speakers apart, at most so many." placeholder:"N"`
	// Alternatives are shown in JSON only.
	Alternatives int    `help:"Texts of each segment, at most, in JSON." placeholder:"N"`
	Format       string `help:"What to write: txt, json (Amazon Transcribe's document), srt or vtt." enum:"txt,json,srt,vtt" default:"txt"`
	Output       string `short:"o" help:"Folder to write <file stem>.<format> into; standard output when absent." placeholder:"DIR" type:"path"`
	Models       string `help:"Models folder." env:"DICTUM_MODELS" placeholder:"DIR" type:"path"`
	FFmpeg       string `name:"ffmpeg" help:"ffmpeg for MP4, M4A, AMR and WebM; found in PATH when empty." placeholder:"PATH"`
	Threads      int    `help:"Processor threads for recognition; 0 means all cores." default:"0"`
	Quiet        bool   `short:"q" help:"No progress."`
	Stats        bool   `help:"Print the times taken to standard error, as JSON."`
}

// Run implements the command. Every file is tried; the exit code is 1 when any failed, 3 when
// the models are missing, 2 for a language that is not known.
func (c *TranscribeCmd) Run(ctx context.Context, s *streams) error {
	settings, err := c.settings()
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if c.Output != "" {
		if err := os.MkdirAll(c.Output, 0o755); err != nil {
			return fmt.Errorf("make output folder: %w", err)
		}
		if err := distinctStems(c.Files); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	threads := c.Threads
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	recognizer, err := openEngine(engine.Config{Models: c.Models, Threads: threads})
	if err != nil {
		return err
	}
	defer recognizer.Close()
	times := stats{}
	began := time.Now()
	if err := recognizer.Preload(ctx); err != nil {
		return fmt.Errorf("load models: %w", err)
	}
	times.LoadSeconds = time.Since(began).Seconds()

	bar := newProgress(s.err, c.Quiet)
	began = time.Now()
	results := make([]fileResult, len(c.Files))
	ready := make([]chan struct{}, len(c.Files))
	for i := range ready {
		ready[i] = make(chan struct{})
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce + 1)
	group.Go(func() error { // writes in the order of the command line, as soon as each is there
		for i := range c.Files {
			select {
			case <-ready[i]:
			case <-gctx.Done():
				return gctx.Err()
			}
			if results[i].err == nil {
				results[i].err = c.write(s.out, c.Files[i], results[i].transcript)
			}
			if results[i].err != nil {
				bar.message(fmt.Sprintf("dictum: %s: %v", c.Files[i], results[i].err))
			}
			results[i].segmentsDone()
		}
		return nil
	})
	for i, file := range c.Files {
		group.Go(func() error {
			defer close(ready[i])
			if gctx.Err() != nil {
				return gctx.Err()
			}
			results[i].transcript, results[i].err = c.transcribe(gctx, recognizer, file, settings, bar)
			return gctx.Err()
		})
	}
	err = group.Wait()
	bar.finish()
	if err != nil {
		return err
	}
	times.WallSeconds = time.Since(began).Seconds()
	failed := 0
	for _, r := range results {
		times.AudioSeconds += r.duration.Seconds()
		if r.err != nil {
			failed++
		}
	}
	if c.Stats {
		if err := json.NewEncoder(s.err).Encode(times); err != nil {
			return fmt.Errorf("write stats: %w", err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files failed", failed, len(c.Files))
	}
	return nil
}

// stats are the times that --stats prints, in seconds.
type stats struct {
	AudioSeconds float64 `json:"audio_seconds"`
	LoadSeconds  float64 `json:"load_seconds"`
	WallSeconds  float64 `json:"wall_seconds"`
}

type fileResult struct {
	transcript speech.Transcript
	duration   time.Duration
	err        error
}

// segmentsDone keeps the length and lets go of the words, which have been written.
func (r *fileResult) segmentsDone() {
	r.duration = r.transcript.Duration
	r.transcript = speech.Transcript{}
}

func (c *TranscribeCmd) settings() (speech.Settings, error) {
	settings := speech.Settings{Priority: speech.PriorityInteractive, MaxSpeakers: c.Speakers, MaxAlternatives: c.Alternatives}
	if c.Speakers < 0 || c.Speakers > maxSpeakers || c.Alternatives < 0 || c.Alternatives > maxAlternatives {
		return settings, fmt.Errorf("--speakers goes up to %d and --alternatives up to %d", maxSpeakers, maxAlternatives)
	}
	if settings.MultipleLanguages = strings.EqualFold(c.Language, "multi"); settings.MultipleLanguages || strings.EqualFold(c.Language, "auto") {
		for _, code := range c.Among {
			language, err := recognizedLanguage(code)
			if err != nil {
				return settings, err
			}
			settings.LanguageCandidates = append(settings.LanguageCandidates, language)
		}
		return settings, nil
	}
	language, err := recognizedLanguage(c.Language)
	settings.Language = language
	return settings, err
}

func (c *TranscribeCmd) transcribe(ctx context.Context, recognizer *engine.Engine, name string, settings speech.Settings, bar *progress) (speech.Transcript, error) {
	file, err := os.Open(name)
	if err != nil {
		return speech.Transcript{}, err
	}
	defer file.Close()
	stream, err := audio.Open(ctx, file, audio.Options{FFmpeg: c.FFmpeg})
	if err != nil {
		return speech.Transcript{}, err
	}
	defer stream.Close()
	track := bar.file(stream.Info().Duration)
	defer track.done()
	return recognizer.Recognize(ctx, stream, settings, func(p speech.Progress) { track.at(p.Position) })
}

func (c *TranscribeCmd) write(stdout io.Writer, file string, transcript speech.Transcript) error {
	text, err := c.render(stem(file), transcript)
	if err != nil {
		return err
	}
	if c.Output == "" {
		_, err := stdout.Write(text)
		return err
	}
	name := filepath.Join(c.Output, stem(file)+"."+c.Format)
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return fmt.Errorf("write transcript: %w", err)
	}
	return nil
}

func stem(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// distinctStems refuses two inputs that would write the same output.
func distinctStems(files []string) error {
	seen := map[string]string{}
	for _, f := range files {
		if other, ok := seen[stem(f)]; ok {
			return fmt.Errorf("%s and %s would both write %s: transcribe them into different folders", other, f, stem(f))
		}
		seen[stem(f)] = f
	}
	return nil
}
