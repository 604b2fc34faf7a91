package stream

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// TranscriptEvent is an event of a stream, as it is written in JSON.
type TranscriptEvent struct {
	Transcript Transcript
}

// Transcript is its content.
type Transcript struct{ Results []Result }

// Result is one segment, so far or finally. Times are seconds from the start of the audio.
type Result struct {
	ResultID               string                 `json:"ResultId"`
	StartTime              float64                `json:"StartTime"`
	EndTime                float64                `json:"EndTime"`
	IsPartial              bool                   `json:"IsPartial"`
	ChannelID              string                 `json:"ChannelId,omitempty"`
	LanguageCode           string                 `json:"LanguageCode,omitempty"`
	LanguageIdentification []LanguageWithScore    `json:"LanguageIdentification,omitempty"`
	Alternatives           []ResultingAlternative `json:"Alternatives"`
}

// LanguageWithScore is a language and the probability that it is spoken.
type LanguageWithScore struct {
	LanguageCode string
	Score        float64
}

// ResultingAlternative is the text of a result.
type ResultingAlternative struct {
	Transcript string
	Items      []Item
}

// Item is a word or a mark.
type Item struct {
	StartTime             float64  `json:"StartTime"`
	EndTime               float64  `json:"EndTime"`
	Type                  string   `json:"Type"`
	Content               string   `json:"Content"`
	VocabularyFilterMatch bool     `json:"VocabularyFilterMatch"`
	Speaker               string   `json:"Speaker,omitempty"`
	Confidence            *float64 `json:"Confidence,omitempty"`
	Stable                *bool    `json:"Stable,omitempty"`
}

// event is what a result of a channel looks like.
func (s *Session) event(channel int, r speech.LiveResult) TranscriptEvent {
	p := &s.parameters
	out := Result{
		ResultID: s.resultID(channel, r.Number), StartTime: seconds(r.Segment.Start), EndTime: seconds(r.Segment.End), IsPartial: r.Partial,
		LanguageCode: p.LanguageCode,
	}
	if p.Channels > 1 {
		out.ChannelID = "ch_" + strconv.Itoa(channel)
	}
	if p.LanguageCode == "" {
		out.LanguageCode = language.Code(r.Segment.Language, p.LanguageOptions)
		for _, l := range r.Languages {
			if code := language.Code(l.Language, p.LanguageOptions); code != "" {
				out.LanguageIdentification = append(out.LanguageIdentification, LanguageWithScore{code, round(l.Score, 2)})
			}
		}
	}
	alternative := ResultingAlternative{Items: make([]Item, 0, len(r.Segment.Items))}
	var text strings.Builder
	end := out.StartTime
	for i, item := range r.Segment.Items {
		if i > 0 && !item.NoSpaceBefore {
			text.WriteByte(' ')
		}
		text.WriteString(item.Text)
		it := Item{StartTime: seconds(item.Start), EndTime: seconds(item.End), Type: "pronunciation", Content: item.Text, VocabularyFilterMatch: item.FilterMatch}
		if item.Kind == speech.Punctuation {
			it.Type, it.StartTime, it.EndTime = "punctuation", end, end
		} else {
			end = it.EndTime
			if !r.Partial {
				c := round(item.Confidence, 4)
				it.Confidence = &c
			}
			if p.ShowSpeakerLabel && i < len(r.Speakers) {
				it.Speaker = strconv.Itoa(r.Speakers[i] - 1)
			}
		}
		if p.Stabilized {
			stable := i < r.Stable
			it.Stable = &stable
		}
		alternative.Items = append(alternative.Items, it)
	}
	alternative.Transcript = text.String()
	out.Alternatives = []ResultingAlternative{alternative}
	return TranscriptEvent{Transcript{Results: []Result{out}}}
}

// resultID is the same for all results of a segment.
func (s *Session) resultID(channel, number int) string {
	name := binary.BigEndian.AppendUint64([]byte{byte(channel)}, uint64(number))
	return uuid.NewSHA1(s.namespace, name).String()
}

func seconds(d time.Duration) float64 { return round(d.Seconds(), 3) }

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
