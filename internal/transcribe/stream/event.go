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
	Entities   []ResultingEntity `json:"Entities,omitempty"`
}

// ResultingEntity is personal information in a final.
type ResultingEntity struct {
	StartTime  float64
	EndTime    float64
	Category   string
	Type       string `json:"Type,omitempty"` // Medical has none
	Content    string
	Confidence float64
}

// MedicalTranscriptEvent is an event of a medical stream, as it is written in JSON.
type MedicalTranscriptEvent struct {
	Transcript MedicalTranscript
}

// MedicalTranscript is its content.
type MedicalTranscript struct{ Results []MedicalResult }

// MedicalResult is Result without languages.
type MedicalResult struct {
	ResultID     string               `json:"ResultId"`
	StartTime    float64              `json:"StartTime"`
	EndTime      float64              `json:"EndTime"`
	IsPartial    bool                 `json:"IsPartial"`
	ChannelID    string               `json:"ChannelId,omitempty"`
	Alternatives []MedicalAlternative `json:"Alternatives"`
}

// MedicalAlternative is the text of a medical result.
type MedicalAlternative struct {
	Transcript string
	Items      []MedicalItem
	Entities   []ResultingEntity `json:"Entities,omitempty"`
}

// MedicalItem is Item without filters and stabilisation.
type MedicalItem struct {
	StartTime  float64  `json:"StartTime"`
	EndTime    float64  `json:"EndTime"`
	Type       string   `json:"Type"`
	Content    string   `json:"Content"`
	Confidence *float64 `json:"Confidence,omitempty"`
	Speaker    string   `json:"Speaker,omitempty"`
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
func (s *Session) event(channel int, r speech.LiveResult, entities []Entity) TranscriptEvent {
	p := &s.parameters
	out := Result{ResultID: s.resultID(channel, r.Number), StartTime: seconds(r.Segment.Start), EndTime: seconds(r.Segment.End), IsPartial: r.Partial}
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
			if p.ShowSpeakerLabel {
				it.Speaker = speaker(r, i)
			}
		}
		if p.Stabilized {
			stable := i < r.Stable
			it.Stable = &stable
		}
		alternative.Items = append(alternative.Items, it)
	}
	alternative.Transcript = text.String()
	if !r.Partial {
		for _, e := range entities {
			alternative.Entities = append(alternative.Entities, ResultingEntity{
				seconds(e.Start), seconds(e.End), e.Category, e.Type, e.Content, round(e.Confidence, 4),
			})
		}
	}
	out.Alternatives = []ResultingAlternative{alternative}
	return TranscriptEvent{Transcript{Results: []Result{out}}}
}

// medicalEvent is what a result of a channel of a medical stream looks like.
func (s *Session) medicalEvent(channel int, r speech.LiveResult, entities []Entity) MedicalTranscriptEvent {
	plain := s.event(channel, r, entities).Transcript.Results[0]
	alternative := MedicalAlternative{
		Transcript: plain.Alternatives[0].Transcript, Entities: plain.Alternatives[0].Entities,
		Items: make([]MedicalItem, len(plain.Alternatives[0].Items)),
	}
	for i := range alternative.Entities {
		alternative.Entities[i].Type = ""
	}
	for i, item := range plain.Alternatives[0].Items {
		alternative.Items[i] = MedicalItem{item.StartTime, item.EndTime, item.Type, item.Content, item.Confidence, item.Speaker}
	}
	return MedicalTranscriptEvent{MedicalTranscript{Results: []MedicalResult{{
		plain.ResultID, plain.StartTime, plain.EndTime, plain.IsPartial, plain.ChannelID, []MedicalAlternative{alternative},
	}}}}
}

// speaker is who says an item: "0" for the first that was heard.
func speaker(r speech.LiveResult, item int) string {
	who := r.Segment.Speaker
	if item < len(r.Speakers) {
		who = r.Speakers[item]
	}
	if who < 1 {
		return ""
	}
	return strconv.Itoa(who - 1)
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
