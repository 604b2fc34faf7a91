package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Reading is what the reader of two_cities.wav says: the opening of "A Tale of Two Cities".
const Reading = `It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of
Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before us,
we were all going direct to Heaven, we were all going direct the other way. In short, the period was so far like the present
period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the superlative
degree of comparison only.`

// ReadingFile is two_cities.wav in the models folder: 44 s, one reader, 48 kHz.
func ReadingFile(t testing.TB) string {
	t.Helper()
	binary, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "models", "path", "speech-samples").Output()
	if err != nil {
		t.Fatalf("dictum models path speech-samples: %v (run make setup)", err)
	}
	file := filepath.Join(strings.TrimSpace(string(out)), "two_cities.wav")
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("the reading is missing (run make setup): %v", err)
	}
	return file
}

// FFmpeg runs ffmpeg quietly.
func FFmpeg(t testing.TB, args ...string) {
	t.Helper()
	Tool(t, "ffmpeg", append([]string{"-nostdin", "-v", "error", "-y"}, args...)...)
}

// Tool runs a program that must succeed.
func Tool(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(context.Background(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// Excerpt cuts seconds from the start of the reading into a file whose name says its format.
func Excerpt(t testing.TB, seconds float64, name string, options ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	args := append([]string{"-i", ReadingFile(t), "-t", fmt.Sprint(seconds), "-ac", "1"}, options...)
	FFmpeg(t, append(args, out)...)
	return out
}

// Words are a text's words in lower case, without punctuation.
func Words(text string) []string {
	return regexp.MustCompile(`[\pL\pN']+`).FindAllString(strings.ToLower(text), -1)
}

// WordErrorRate is the least number of words put in, left out or replaced that turns the
// reference into the hypothesis, over the number of words in the reference.
func WordErrorRate(reference, hypothesis string) float64 {
	return wordErrors(Words(reference), Words(hypothesis), false)
}

// OpeningErrorRate is WordErrorRate against that opening of the reading which fits best: the
// recording may end anywhere in it.
func OpeningErrorRate(hypothesis string) float64 {
	return wordErrors(Words(Reading), Words(hypothesis), true)
}

// wordErrors is Levenshtein's distance over the words of the reference, or, for any opening of
// it, over those of the hypothesis.
func wordErrors(reference, hypothesis []string, opening bool) float64 {
	row := make([]int, len(hypothesis)+1)
	for j := range row {
		row[j] = j
	}
	least := len(hypothesis)
	for i, word := range reference {
		diagonal := row[0]
		row[0] = i + 1
		for j, heard := range hypothesis {
			cost := diagonal
			if word != heard {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
		least = min(least, row[len(hypothesis)])
	}
	if !opening {
		return float64(row[len(hypothesis)]) / float64(max(1, len(reference)))
	}
	return float64(least) / float64(max(1, len(hypothesis)))
}
