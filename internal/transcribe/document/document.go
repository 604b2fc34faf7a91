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
)

// Transcript is the top of the file. Members are in the order AWS writes them.
type Transcript struct {
	JobName   string `json:"jobName"`
	AccountID string `json:"accountId"`
	// IsRedacted is there when redaction was asked for; it tells the redacted file from the other.
	IsRedacted *bool   `json:"isRedacted,omitempty"`
	Status     string  `json:"status"`
	Results    Results `json:"results"`
}

// Results holds what was recognised.
type Results struct {
	// LanguageCode and LanguageIdentification are there when the language was identified.
	LanguageCode           string          `json:"language_code,omitempty"`
	LanguageIdentification []LanguageScore `json:"language_identification,omitempty"`
	// LanguageCodes are there when several languages were.
	LanguageCodes []LanguageTime `json:"language_codes,omitempty"`
	ChannelLabels *ChannelLabels `json:"channel_labels,omitempty"`
	SpeakerLabels *SpeakerLabels `json:"speaker_labels,omitempty"`
	Transcripts   []Text         `json:"transcripts"`
	Items         []Item         `json:"items"`
	// Segments are there when alternatives were asked for.
	Segments      *[]Segment     `json:"segments,omitempty"`
	AudioSegments []AudioSegment `json:"audio_segments"`
}

// LanguageScore is one candidate language; Score is a decimal in a string.
type LanguageScore struct {
	Score string `json:"score"`
	Code  string `json:"code"`
}

// LanguageTime is how long a language was spoken; Duration is a number.
type LanguageTime struct {
	Code     string      `json:"language_code"`
	Duration json.Number `json:"duration_in_seconds"`
}

// Text is the running text.
type Text struct {
	Transcript string `json:"transcript"`
}

// Labels say of an item or a segment who said it, where and in which language, as far as that was asked.
type Labels struct {
	Speaker  string `json:"speaker_label,omitempty"`
	Channel  string `json:"channel_label,omitempty"`
	Language string `json:"language_code,omitempty"`
}

// Item is a word or a punctuation mark, which has no times.
type Item struct {
	ID           int       `json:"id"`
	Type         string    `json:"type"`
	Alternatives []Content `json:"alternatives"`
	// StartTime and EndTime are seconds from the start of the media, as strings.
	StartTime string `json:"start_time,omitempty"`
	EndTime   string `json:"end_time,omitempty"`
	Labels
	// VocabularyFilterMatch is there, true or false, when a vocabulary filter tags.
	VocabularyFilterMatch *bool `json:"vocabularyFilterMatch,omitempty"`
}

// Content is what an item says. Batch items have one. What is redacted has no confidence but that of its redaction.
type Content struct {
	Confidence string      `json:"confidence,omitempty"`
	Content    string      `json:"content"`
	Redactions []Redaction `json:"redactions,omitempty"`
}

// Redaction says what was taken out of the text.
type Redaction struct {
	Confidence string `json:"confidence"`
	Type       string `json:"type"`
	Category   string `json:"category"`
}

// AudioSegment is a stretch of speech; Items are the ids of its items.
type AudioSegment struct {
	ID         int    `json:"id"`
	Transcript string `json:"transcript"`
	StartTime  string `json:"start_time"`
	EndTime    string `json:"end_time"`
	Labels
	Items []int `json:"items"`
}

// ChannelLabels are the items again, each channel's together.
type ChannelLabels struct {
	Channels []Channel `json:"channels"`
	Number   int       `json:"number_of_channels"`
}

// Channel is one channel's items, which are those of Results.Items.
type Channel struct {
	Label string `json:"channel_label"`
	Items []Item `json:"items"`
}

// SpeakerLabels are the turns of the speakers.
type SpeakerLabels struct {
	// Channel is always the first: speakers are told apart in mixed channels only.
	Channel  string           `json:"channel_label"`
	Speakers int              `json:"speakers"`
	Segments []SpeakerSegment `json:"segments"`
}

// SpeakerSegment is a turn, with the times of its words.
type SpeakerSegment struct {
	StartTime string        `json:"start_time"`
	EndTime   string        `json:"end_time"`
	Speaker   string        `json:"speaker_label"`
	Items     []SpeakerItem `json:"items"`
}

// SpeakerItem is a word in a turn, without its text.
type SpeakerItem struct {
	Speaker   string `json:"speaker_label"`
	StartTime string `json:"start_time"`
	EndTime   string `json:"end_time"`
}

// Segment is a stretch of speech with its most probable texts, the best first.
type Segment struct {
	StartTime    string        `json:"start_time"`
	EndTime      string        `json:"end_time"`
	Channel      string        `json:"channel_label,omitempty"`
	Alternatives []Alternative `json:"alternatives"`
}

// Alternative is one text of a segment.
type Alternative struct {
	Transcript string            `json:"transcript"`
	Items      []AlternativeItem `json:"items"`
}

// AlternativeItem is an item of an alternative: flat, where Item has its content one level down.
type AlternativeItem struct {
	StartTime string `json:"start_time,omitempty"`
	EndTime   string `json:"end_time,omitempty"`
	Type      string `json:"type"`
	Content
	VocabularyFilterMatch *bool `json:"vocabularyFilterMatch,omitempty"`
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
