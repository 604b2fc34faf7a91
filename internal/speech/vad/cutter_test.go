package vad_test

import (
	"testing"

	"github.com/dictum/dictum/internal/speech/vad"
)

const (
	second = 16000
	frame  = vad.FrameSamples
)

// talk is so many milliseconds of speech (p = 1) or of silence (p = 0).
type talk struct {
	milliseconds int
	p            float32
}

// cut feeds a cutter; each sample is its own number, so that windows tell where their
// samples come from.
func cut(t *testing.T, talks ...talk) []vad.Window {
	t.Helper()
	var windows []vad.Window
	c := vad.NewCutter(func(w vad.Window) { windows = append(windows, w) })
	at := 0
	for _, talk := range talks {
		for n := talk.milliseconds * second / 1000 / frame; n > 0; n-- {
			samples := make([]float32, frame)
			for i := range samples {
				samples[i] = float32(at + i)
			}
			at += frame
			c.Add(samples, []float32{talk.p})
		}
	}
	c.End()
	return windows
}

// check verifies what holds for all windows: their samples are those of their pieces, no
// sample is in two, none is longer than 28 s, and speech lies within.
func check(t *testing.T, windows []vad.Window) {
	t.Helper()
	last := 0
	for _, w := range windows {
		if len(w.Samples) > 28*second+frame {
			t.Errorf("a window is %.2f s long", float64(len(w.Samples))/second)
		}
		place := 0
		for _, p := range w.Pieces {
			if p.Start < last || p.End <= p.Start {
				t.Errorf("piece %v begins before %d", p, last)
			}
			for i := p.Start; i < p.End; i++ {
				if w.Samples[place] != float32(i) {
					t.Fatalf("sample %d of the window is %v, want %d", place, w.Samples[place], i)
				}
				if got := w.Source(place, false); got != i {
					t.Fatalf("place %d comes from %d, want %d", place, got, i)
				}
				place++
			}
			last = p.End
		}
		if place != len(w.Samples) {
			t.Errorf("pieces hold %d samples, the window %d", place, len(w.Samples))
		}
		end := 0
		for _, s := range w.Speech {
			if s.Start < end || s.End <= s.Start || s.End > len(w.Samples) {
				t.Errorf("speech %v in a window of %d", s, len(w.Samples))
			}
			end = s.End
		}
	}
}

func TestSilenceGivesNoWindow(t *testing.T) {
	if windows := cut(t, talk{60000, 0}); len(windows) != 0 {
		t.Errorf("got %d windows", len(windows))
	}
	if windows := cut(t); len(windows) != 0 {
		t.Errorf("nothing at all gave %d windows", len(windows))
	}
}

func TestShortUtterancesShareAWindow(t *testing.T) {
	windows := cut(t, talk{3000, 0}, talk{2000, 1}, talk{500, 0}, talk{2000, 1}, talk{1500, 0}, talk{3000, 1}, talk{4000, 0})
	check(t, windows)
	if len(windows) != 1 || len(windows[0].Speech) != 3 || len(windows[0].Pieces) != 1 {
		t.Fatalf("got %d windows, want one of one piece with three utterances", len(windows))
	}
	if start := windows[0].Pieces[0].Start; start < 2*second || start > 3*second {
		t.Errorf("the window begins at sample %d, want shortly before the speech", start)
	}
}

func TestLongPausesAreLeftOut(t *testing.T) {
	windows := cut(t, talk{5000, 1}, talk{600000, 0}, talk{5000, 1})
	check(t, windows)
	if len(windows) != 1 || len(windows[0].Pieces) != 2 {
		t.Fatalf("got %d windows, want one of two pieces", len(windows))
	}
	if n := len(windows[0].Samples); n < 10*second || n > 12*second {
		t.Errorf("the window is %.1f s long, want little more than the speech", float64(n)/second)
	}
}

func TestWindowsAreCutInSilence(t *testing.T) {
	// Sentences of 4 s with pauses of 0.2 s, and one of 0.8 s after 20 s.
	var talks []talk
	for i := range 12 {
		pause := 200
		if i == 4 {
			pause = 800
		}
		talks = append(talks, talk{4000, 1}, talk{pause, 0})
	}
	windows := cut(t, talks...)
	check(t, windows)
	total := 0
	for _, w := range windows {
		for _, s := range w.Speech {
			if n := s.Len(); n < 3900*second/1000 || n > 4200*second/1000 {
				t.Errorf("a sentence of 4 s was cut to %.2f s", float64(n)/second)
			}
			total++
		}
	}
	if total != 12 {
		t.Errorf("got %d sentences, want 12", total)
	}
	if first := windows[0]; len(first.Speech) != 5 {
		t.Errorf("the first window has %d sentences, want the 5 before the longest pause", len(first.Speech))
	}
}

func TestSpeechWithoutPauseIsCutAnyway(t *testing.T) {
	windows := cut(t, talk{100000, 1})
	check(t, windows)
	total := 0
	for _, w := range windows {
		total += len(w.Samples)
	}
	if total < 99*second {
		t.Errorf("windows hold %.1f s of 100 s", float64(total)/second)
	}
}

func TestClicksAreNoSpeech(t *testing.T) {
	if windows := cut(t, talk{1000, 0}, talk{40, 1}, talk{2000, 0}); len(windows) != 0 {
		t.Errorf("a click gave %d windows", len(windows))
	}
}

func FuzzCutter(f *testing.F) {
	f.Add([]byte{200, 200, 0, 0, 255, 3, 80, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		var talks []talk
		for i := 0; i+1 < len(data) && i < 40; i += 2 {
			talks = append(talks, talk{int(data[i]) * 40, float32(data[i+1]) / 255})
		}
		check(t, cut(t, talks...))
	})
}
