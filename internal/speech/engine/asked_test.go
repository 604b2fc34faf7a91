package engine_test

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// all is everything that can be asked for at once.
var all = speech.Settings{MultipleLanguages: true, LanguageCandidates: []string{"en", "fr"}, MaxSpeakers: 4, MaxAlternatives: 4}

// words are the words of items, without letter case.
func words(items []speech.Item) string {
	var out []string
	for _, item := range items {
		if item.Kind == speech.Word {
			out = append(out, strings.ToLower(item.Text))
		}
	}
	return strings.Join(out, " ")
}

func TestAlternatives(t *testing.T) {
	loaded(t)
	settings := english
	settings.MaxAlternatives = 4
	several := 0
	for _, samples := range mixture(t)[:3] {
		for _, s := range recognise(t, inNoise(samples), settings).Segments {
			if len(s.Alternatives) == 0 || len(s.Alternatives) > 4 || !reflect.DeepEqual(s.Alternatives[0].Items, s.Items) {
				t.Fatalf("%d alternatives of %q, or the first is another text", len(s.Alternatives), words(s.Items))
			}
			var texts []string
			for _, a := range s.Alternatives {
				texts = append(texts, words(a.Items))
				at := s.Start
				for _, item := range a.Items {
					if item.Kind != speech.Word {
						continue
					}
					if item.Start < at || item.End <= item.Start || item.End > s.End || item.Confidence <= 0 || item.Confidence > 1 {
						t.Errorf("%q of %q: from %v to %v with confidence %v, the segment ends at %v", item.Text, words(a.Items), item.Start, item.End, item.Confidence, s.End)
					}
					at = max(at, item.Start)
				}
			}
			if len(texts) > 1 {
				several++
			}
			slices.Sort(texts)
			if n := len(texts); n != len(slices.Compact(texts)) {
				t.Errorf("texts repeat: %q", texts)
			}
		}
	}
	if several == 0 {
		t.Error("nothing has more than one text: the test no longer covers alternatives")
	}
}

func TestAllAtOnceIsTheSameBesideOthers(t *testing.T) {
	e := loaded(t)
	recordings := mixture(t)[:2]
	alone := make([]speech.Transcript, len(recordings))
	for i, samples := range recordings {
		alone[i] = recognise(t, samples, all)
		for k, s := range alone[i].Segments {
			if s.Speaker < 1 || s.Speaker > alone[i].Speakers || s.Language == "" || len(s.Alternatives) == 0 {
				t.Errorf("segment %d of recording %d: %+v of %d speakers", k, i, s, alone[i].Speakers)
			}
			if k > 0 && s.Start < alone[i].Segments[k-1].End-time.Millisecond {
				t.Errorf("segment %d of recording %d begins before the one before it ends", k, i)
			}
		}
	}
	var wait sync.WaitGroup
	for i := range recordings {
		wait.Go(func() {
			got, err := e.Recognize(t.Context(), &memory{recordings[i]}, all, nil)
			if err != nil {
				t.Error(err)
			} else if !reflect.DeepEqual(got, alone[i]) {
				t.Errorf("recording %d beside others: %q, alone: %q", i, text(got), text(alone[i]))
			}
		})
	}
	wait.Wait()
}
