// Package document builds the transcript file that a job delivers, in the shape Amazon Transcribe
// documents: numbers that are strings, strings that are numbers. It knows no storage. Start at Build.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// Transcript is the top of the file. Members are in the order AWS writes them.
type Transcript struct {
	JobName   string  `json:"jobName"`
	AccountID string  `json:"accountId"`
	Status    string  `json:"status"`
	Results   Results `json:"results"`
}

// Results holds what was recognised.
type Results struct {
	// LanguageCode and LanguageIdentification are there when the language was identified.
	LanguageCode           string          `json:"language_code,omitempty"`
	LanguageIdentification []LanguageScore `json:"language_identification,omitempty"`
	Transcripts            []Text          `json:"transcripts"`
	Items                  []Item          `json:"items"`
	AudioSegments          []AudioSegment  `json:"audio_segments"`
}

// LanguageScore is one candidate language; Score is a decimal in a string.
type LanguageScore struct {
	Score string `json:"score"`
	Code  string `json:"code"`
}

// Text is the running text.
type Text struct {
	Transcript string `json:"transcript"`
}

// Item is a word or a punctuation mark, which has no times.
type Item struct {
	ID           int           `json:"id"`
	Type         string        `json:"type"`
	Alternatives []Alternative `json:"alternatives"`
	// StartTime and EndTime are seconds from the start of the media, as strings.
	StartTime string `json:"start_time,omitempty"`
	EndTime   string `json:"end_time,omitempty"`
	// VocabularyFilterMatch is there, true or false, when a vocabulary filter tags (spec transcript-json.md §2.9).
	VocabularyFilterMatch *bool `json:"vocabularyFilterMatch,omitempty"`
}

// Alternative is what an item says. Batch items have one.
type Alternative struct {
	Confidence string `json:"confidence"`
	Content    string `json:"content"`
}

// AudioSegment is a stretch of speech; Items are the ids of its items.
type AudioSegment struct {
	ID         int    `json:"id"`
	Transcript string `json:"transcript"`
	StartTime  string `json:"start_time"`
	EndTime    string `json:"end_time"`
	Items      []int  `json:"items"`
}

// Job is what the file says of the job.
type Job struct {
	Name, AccountID string
	// Identified is set when the language was to be identified: the scores, best first.
	Identified []language.Score
	// Tagged tells that a vocabulary filter tagged the items.
	Tagged bool
}

// Build makes the document of a finished recognition. The same input gives the same document.
func Build(job Job, t speech.Transcript) Transcript {
	d := Transcript{JobName: job.Name, AccountID: job.AccountID, Status: "COMPLETED", Results: Results{
		Items: []Item{}, AudioSegments: []AudioSegment{},
	}}
	if len(job.Identified) > 0 {
		d.Results.LanguageCode = job.Identified[0].Code
		for _, s := range job.Identified {
			d.Results.LanguageIdentification = append(d.Results.LanguageIdentification, LanguageScore{Score: decimal(s.Score, 4), Code: s.Code})
		}
	}
	var whole strings.Builder
	for _, segment := range t.Segments {
		if len(segment.Items) == 0 {
			continue
		}
		text := Join(segment.Items)
		a := AudioSegment{
			ID: len(d.Results.AudioSegments), Transcript: text,
			StartTime: Seconds(segment.Start), EndTime: Seconds(segment.End),
		}
		for _, item := range segment.Items {
			a.Items = append(a.Items, len(d.Results.Items))
			built := buildItem(len(d.Results.Items), item)
			if job.Tagged {
				built.VocabularyFilterMatch = &item.FilterMatch
			}
			d.Results.Items = append(d.Results.Items, built)
		}
		d.Results.AudioSegments = append(d.Results.AudioSegments, a)
		if whole.Len() > 0 && !segment.Items[0].NoSpaceBefore {
			whole.WriteByte(' ')
		}
		whole.WriteString(text)
	}
	d.Results.Transcripts = []Text{{Transcript: whole.String()}}
	return d
}

func buildItem(id int, item speech.Item) Item {
	if item.Kind == speech.Punctuation {
		return Item{ID: id, Type: "punctuation", Alternatives: []Alternative{{Confidence: "0.0", Content: item.Text}}}
	}
	return Item{
		ID: id, Type: "pronunciation",
		Alternatives: []Alternative{{Confidence: decimal(item.Confidence, 3), Content: item.Text}},
		StartTime:    Seconds(item.Start), EndTime: Seconds(item.End),
	}
}

// Join makes running text of items: single spaces, none where the script or the punctuation has none.
func Join(items []speech.Item) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 && !item.NoSpaceBefore {
			b.WriteByte(' ')
		}
		b.WriteString(item.Text)
	}
	return b.String()
}

// JSON writes the document as one line, as AWS does: no HTML escapes.
func (t Transcript) JSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(t); err != nil {
		return nil, fmt.Errorf("encode transcript: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Seconds prints an offset as AWS does: to the millisecond, no trailing zeros, at least one decimal ("0.0", "2.19").
func Seconds(d time.Duration) string {
	return decimal(float64(d.Round(time.Millisecond))/float64(time.Second), 3)
}

// decimal prints f with at most places decimals and at least one.
func decimal(f float64, places int) string {
	if math.IsNaN(f) || f < 0 {
		f = 0
	}
	s := strings.TrimRight(strconv.FormatFloat(f, 'f', places, 64), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}
