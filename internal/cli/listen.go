package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/server"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

// ListenCmd recognises audio while it comes, with the engine in this process or at a server.
type ListenCmd struct {
	File     string   `arg:"" optional:"" help:"Audio file, or - for signed 16-bit little-endian samples of one channel on standard input: arecord -t raw -f S16_LE -r 16000 | dictum listen." default:"-"`
	Language string   `help:"Language spoken: a code such as en, en-US or fr; auto identifies it, multi follows people who change it." default:"en"`
	Among    []string `help:"Languages to choose from with auto or multi: en,es,fr." placeholder:"CODE"`
	Rate     int      `help:"Samples per second on standard input." default:"16000"`
	Speakers int      `help:"Tell speakers apart, at most so many." placeholder:"N"`
	Realtime bool     `help:"Play a file at the pace of speech instead of as fast as it is recognised."`
	Endpoint string   `name:"endpoint-url" help:"Recognise at this server instead of in this process, with the credentials that AWS's tools find: eval \"$(dictum env)\" && dictum listen --endpoint-url $AWS_ENDPOINT_URL." placeholder:"URL"`
	Models   string   `help:"Models folder." env:"DICTUM_MODELS" placeholder:"DIR" type:"path"`
	FFmpeg   string   `name:"ffmpeg" help:"ffmpeg for MP4, M4A, AMR and WebM; found in PATH when empty." placeholder:"PATH"`
	Threads  int      `help:"Processor threads for recognition; 0 means all cores." default:"0"`
	Finals   string   `help:"Finals of English: quick, or best to have Whisper make them where it is fast enough." enum:"quick,best" default:"quick"`
}

// Run implements the command. Finals are lines; on a terminal, what is being said grows in the last line.
func (c *ListenCmd) Run(ctx context.Context, s *streams) error {
	batch := TranscribeCmd{Language: c.Language, Among: c.Among, Speakers: c.Speakers}
	asked, err := batch.settings()
	if err != nil {
		return &exitError{exitUsage, err}
	}
	source, stop, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer stop()
	listener, closeEngine, err := c.listen(ctx, speech.LiveSettings{
		Language: asked.Language, LanguageCandidates: asked.LanguageCandidates, MultipleLanguages: asked.MultipleLanguages, MaxSpeakers: c.Speakers,
	})
	if err != nil {
		return err
	}
	defer closeEngine()
	defer listener.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.feed(ctx, source, listener) })
	group.Go(func() error {
		out := &liveText{out: s.out, width: terminalWidth(s.out), speakers: c.Speakers > 0}
		for {
			r, err := listener.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := out.show(r); err != nil {
				return err
			}
		}
	})
	return group.Wait()
}

// listen opens a session here or at the server.
func (c *ListenCmd) listen(ctx context.Context, settings speech.LiveSettings) (listener speech.Listener, closeEngine func(), err error) {
	if c.Endpoint != "" {
		listener, err = listenAt(ctx, c.Endpoint, settings)
		return listener, func() {}, err
	}
	threads := c.Threads
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	recognizer, err := openEngine(engine.Config{Models: c.Models, Threads: threads, BestFinals: c.Finals == server.BestFinals})
	if err != nil {
		return nil, nil, err
	}
	if listener, err = recognizer.Listen(ctx, settings); err != nil {
		return nil, nil, errors.Join(err, recognizer.Close())
	}
	return listener, func() { recognizer.Close() }, nil
}

// open opens the file, or standard input.
func (c *ListenCmd) open(ctx context.Context) (source speech.SampleReader, stop func(), err error) {
	if c.File == "-" {
		if c.Rate < 8000 || c.Rate > 48000 {
			return nil, nil, &exitError{exitUsage, fmt.Errorf("--rate %d is not between 8000 and 48000", c.Rate)}
		}
		return audio.OpenLive(ctx, os.Stdin, audio.LiveOptions{Encoding: audio.LivePCM, SampleRate: c.Rate, Channels: 1}), func() {}, nil
	}
	file, err := os.Open(c.File)
	if err != nil {
		return nil, nil, err
	}
	stream, err := audio.Open(ctx, file, audio.Options{FFmpeg: c.FFmpeg})
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return stream, func() { stream.Close(); file.Close() }, nil
}

// feed gives the listener the audio to its end.
func (c *ListenCmd) feed(ctx context.Context, source speech.SampleReader, listener speech.Listener) error {
	chunk, began, sent := make([]float32, speech.SampleRate/10), time.Now(), 0
	for {
		n, err := source.ReadSamples(chunk)
		if c.Realtime && c.File != "-" {
			sent += n
			select {
			case <-time.After(time.Until(began.Add(time.Duration(sent) * time.Second / speech.SampleRate))):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if n > 0 {
			if err := listener.Write(ctx, chunk[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return listener.Finish()
		}
		if err != nil {
			return fmt.Errorf("read audio: %w", err)
		}
	}
}

// liveText writes results: finals as lines and, on a terminal, partials in the last line.
type liveText struct {
	out      io.Writer
	width    int // of the terminal; zero when there is none
	speakers bool
	partial  bool // the last line has one
}

func (l *liveText) show(r speech.LiveResult) error {
	if r.Partial && l.width == 0 {
		return nil
	}
	var b strings.Builder
	if l.partial {
		b.WriteString("\r\x1b[K")
	}
	line := lineOf(r.Segment)
	if l.speakers && !r.Partial {
		line = "spk_" + strconv.Itoa(max(0, r.Segment.Speaker-1)) + ": " + line
	}
	if r.Partial {
		// The end of what is being said, as far as the line has room.
		for utf8.RuneCountInString(line) > l.width-1 {
			_, size := utf8.DecodeRuneInString(line)
			line = line[size:]
		}
		b.WriteString(line)
	} else {
		b.WriteString(line + "\n")
	}
	l.partial = r.Partial
	_, err := io.WriteString(l.out, b.String())
	return err
}

// lineOf is the text of a segment.
func lineOf(s speech.Segment) string {
	var b strings.Builder
	for i, item := range s.Items {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		b.WriteString(item.Text)
	}
	return b.String()
}

func terminalWidth(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 10 {
		return 80
	}
	return width
}
