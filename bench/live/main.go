// Command live measures recognition while people speak: some recordings are played at the pace of speech into as many
// sessions of one engine, and it prints how long after the end of a word its first partial comes, and how long after
// the end of speech its final, as JSON.
//
// Where words end in a recording is taken from recognising it whole, by Whisper, before.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/engine"
)

// step is how much audio is sent at once.
const step = 100 * time.Millisecond

func main() {
	streams := flag.Int("streams", 1, "sessions at once; recordings take turns")
	language := flag.String("language", "en", "language spoken")
	limit := flag.Duration("length", time.Minute, "how much of each recording is played")
	verbose := flag.Bool("v", false, "print results as they come")
	out := flag.String("references", "", "file for the words of the recordings, with their times")
	flag.Parse()
	if err := run(context.Background(), *streams, *language, *limit, *verbose, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

// word is a word with the time at which it has been said.
type word struct {
	text       string
	start, end time.Duration
}

// MarshalJSON implements json.Marshaler, with times in seconds.
func (w word) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"text": w.text, "start": w.start.Seconds(), "end": w.end.Seconds()})
}

// session is what one session measured.
type session struct {
	partial, final []time.Duration
	words, found   int
	text           []string
	said           []word // of finals
	times          []time.Duration
	err            error
}

func run(ctx context.Context, streams int, language string, limit time.Duration, verbose bool, out string, files []string) error {
	dir, err := models.Dir()
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Models: dir})
	if err != nil {
		return err
	}
	defer e.Close()
	var recordings [][]float32
	var references [][]word
	for _, file := range files {
		samples, err := read(ctx, file, limit)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		t, err := e.Recognize(ctx, &reader{samples}, speech.Settings{Language: language}, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		recordings, references = append(recordings, samples), append(references, words(t.Segments))
	}
	if out != "" {
		b, err := json.Marshal(references)
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, b, 0o600); err != nil {
			return err
		}
	}
	results := make([]session, streams)
	var wait sync.WaitGroup
	for i := range results {
		wait.Go(func() {
			time.Sleep(time.Duration(i) * 37 * time.Millisecond)
			results[i] = listen(ctx, e, language, recordings[i%len(recordings)], references[i%len(recordings)], verbose && i == 0)
		})
	}
	wait.Wait()
	var all session
	wrong, total := 0, 0
	for i, r := range results {
		if r.err != nil {
			return r.err
		}
		all.partial, all.final = append(all.partial, r.partial...), append(all.final, r.final...)
		all.times = append(all.times, r.times...)
		all.words, all.found = all.words+r.words, all.found+r.found
		reference := references[i%len(references)]
		var texts []string
		for _, w := range reference {
			texts = append(texts, w.text)
		}
		wrong, total = wrong+distance(texts, r.text), total+len(texts)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"streams": streams, "words": all.words, "found": all.found, "differs_from_whole": float64(wrong) / float64(max(1, total)),
		"times_ms": summary(all.times), "partial_ms": summary(all.partial), "final_ms": summary(all.final), "finals": len(all.final),
	})
}

func summary(d []time.Duration) map[string]int64 {
	if len(d) == 0 {
		return nil
	}
	slices.Sort(d)
	at := func(q float64) int64 { return d[min(len(d)-1, int(q*float64(len(d))))].Milliseconds() }
	return map[string]int64{"median": at(.5), "p95": at(.95), "p99": at(.99)}
}

// listen plays a recording into a session.
func listen(ctx context.Context, e *engine.Engine, language string, samples []float32, reference []word, verbose bool) session {
	s := session{words: len(reference)}
	l, err := e.Listen(ctx, speech.LiveSettings{Language: language, Stability: speech.StabilityHigh})
	if err != nil {
		return session{err: err}
	}
	defer l.Close()
	began := time.Now()
	go func() {
		n := int(step.Seconds() * speech.SampleRate)
		for at := 0; at < len(samples); at += n {
			end := min(at+n, len(samples))
			time.Sleep(time.Until(began.Add(time.Duration(end) * time.Second / speech.SampleRate)))
			if l.Write(ctx, samples[at:end]) != nil {
				return
			}
		}
		_ = l.Finish()
	}()
	seen := make([]bool, len(reference))
	for {
		r, err := l.Next(ctx)
		now := time.Since(began)
		if errors.Is(err, io.EOF) {
			for i, j := range matches(reference, s.text) {
				if j >= 0 {
					s.times = append(s.times, (s.said[j].start - reference[i].start).Abs())
				}
			}
			return s
		}
		if err != nil {
			return session{err: err}
		}
		if verbose {
			fmt.Fprintf(os.Stderr, "%6.2f %d %v %d %s\n", now.Seconds(), r.Number, r.Partial, r.Stable, text(r.Segment))
		}
		heard := words([]speech.Segment{r.Segment})
		var all []string
		all = append(all, s.text...)
		for _, w := range heard {
			all = append(all, w.text)
		}
		if !r.Partial {
			s.text, s.said = all, append(s.said, heard...)
		}
		last := -1
		for i, j := range matches(reference, all) {
			if j < 0 || reference[i].end > now {
				continue
			}
			if !seen[i] {
				seen[i] = true
				s.found++
				s.partial = append(s.partial, now-reference[i].end)
			}
			if j == len(all)-1 {
				last = i
			}
		}
		if !r.Partial && last >= 0 {
			s.final = append(s.final, now-reference[last].end)
		}
	}
}

// matches gives for each reference word the place of the same word in a text, by the longest common subsequence, or -1.
func matches(reference []word, text []string) []int {
	n, m := len(reference), len(text)
	table := make([][]int, n+1)
	for i := range table {
		table[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if reference[i].text == text[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	out := make([]int, n)
	i, j := 0, 0
	for i < n {
		out[i] = -1
		switch {
		case j < m && reference[i].text == text[j]:
			out[i] = j
			i, j = i+1, j+1
		case j < m && table[i][j+1] > table[i+1][j]:
			j++
		default:
			i++
		}
	}
	return out
}

// distance is the least number of words changed, added or left out.
func distance(a, b []string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func text(s speech.Segment) string {
	var b strings.Builder
	for i, item := range s.Items {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		b.WriteString(item.Text)
	}
	return b.String()
}

func words(segments []speech.Segment) []word {
	var out []word
	for _, s := range segments {
		for _, i := range s.Items {
			if i.Kind == speech.Word {
				out = append(out, word{strings.ToLower(i.Text), i.Start, i.End})
			}
		}
	}
	return out
}

func read(ctx context.Context, path string, limit time.Duration) ([]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := audio.Open(ctx, f, audio.Options{})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	samples := make([]float32, int(limit.Seconds()*speech.SampleRate))
	n := 0
	for n < len(samples) {
		k, err := in.ReadSamples(samples[n:])
		n += k
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return samples[:n], nil
}

// reader reads samples from memory.
type reader struct{ samples []float32 }

func (r *reader) ReadSamples(dst []float32) (int, error) {
	n := copy(dst, r.samples)
	if r.samples = r.samples[n:]; len(r.samples) == 0 {
		return n, io.EOF
	}
	return n, nil
}
