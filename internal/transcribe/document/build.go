package document

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// Job is what the file says of the job, and which of its parts were asked for.
type Job struct {
	Name, AccountID string
	// Identified is set when the language was to be identified: the scores, best first.
	Identified []language.Score
	// MultipleLanguages tells that several were; LanguageOptions are then the codes to choose from.
	MultipleLanguages bool
	LanguageOptions   []string
	// Speakers tells that speakers were told apart, Alternatives that alternatives are shown.
	Speakers, Alternatives bool
	// Tagged tells that a vocabulary filter tagged the items.
	Tagged bool
	// Redacted is set when redaction was asked for: whether this is the redacted file.
	Redacted *bool
}

// As returns the job for one of the two files of a redaction.
func (j Job) As(redacted bool) Job {
	j.Redacted = &redacted
	return j
}

// Build makes the document of a finished recognition. The same input gives the same document.
func Build(job Job, t speech.Transcript) Transcript {
	b := builder{job: job, channels: t.Channels}
	r := &b.results
	r.Items, r.AudioSegments = []Item{}, []AudioSegment{}
	if len(job.Identified) > 0 {
		r.LanguageCode = job.Identified[0].Code
		for _, s := range job.Identified {
			r.LanguageIdentification = append(r.LanguageIdentification, LanguageScore{Score: decimal(s.Score, 4), Code: s.Code})
		}
	}
	if job.MultipleLanguages {
		r.LanguageCodes = []LanguageTime{}
		for _, s := range language.Spoken(t.Segments, job.LanguageOptions) {
			r.LanguageCodes = append(r.LanguageCodes, LanguageTime{Code: s.Code, Duration: json.Number(Seconds(s.Duration))})
		}
	}
	spoken := slices.DeleteFunc(slices.Clone(t.Segments), func(s speech.Segment) bool { return len(s.Items) == 0 })
	b.items(spoken)
	var whole strings.Builder
	for i, s := range spoken {
		text := Join(s.Items)
		r.AudioSegments = append(r.AudioSegments, AudioSegment{
			ID: i, Transcript: text, StartTime: Seconds(s.Start), EndTime: Seconds(s.End), Labels: b.labels(s), Items: b.ids[i],
		})
		if whole.Len() > 0 && !s.Items[0].NoSpaceBefore {
			whole.WriteByte(' ')
		}
		whole.WriteString(text)
	}
	r.Transcripts = []Text{{Transcript: whole.String()}}
	if job.Speakers {
		b.speakers(spoken, t.Speakers)
	}
	if t.Channels > 0 {
		b.channelLabels(spoken)
	}
	if job.Alternatives {
		b.alternatives(spoken)
	}
	return Transcript{JobName: job.Name, AccountID: job.AccountID, IsRedacted: job.Redacted, Status: "COMPLETED", Results: b.results}
}

// builder makes the parts of a document.
type builder struct {
	job      Job
	channels int
	results  Results
	// ids are the ids of the items of each segment.
	ids [][]int
}

// items numbers and appends all items. Those of several channels are merged by time, each mark after its word.
func (b *builder) items(segments []speech.Segment) {
	type place struct {
		at            time.Duration
		segment, item int
	}
	var order []place
	b.ids = make([][]int, len(segments))
	for i, s := range segments {
		b.ids[i] = make([]int, len(s.Items))
		at := s.Start
		for n, item := range s.Items {
			if item.Kind == speech.Word {
				at = item.Start
			}
			order = append(order, place{at, i, n})
		}
	}
	if b.channels > 1 {
		// Segments are in order of their beginnings, which for one channel is the order of all items.
		slices.SortStableFunc(order, func(x, y place) int { return cmp.Compare(x.at, y.at) })
	}
	for id, p := range order {
		s := segments[p.segment]
		b.ids[p.segment][p.item] = id
		b.results.Items = append(b.results.Items, b.item(id, s, s.Items[p.item]))
	}
}

func (b *builder) item(id int, s speech.Segment, item speech.Item) Item {
	kind, start, end := timed(item)
	return Item{
		ID: id, Type: kind, Alternatives: []Content{content(item)}, StartTime: start, EndTime: end,
		Labels: b.labels(s), VocabularyFilterMatch: b.match(item),
	}
}

// timed is an item's type and times.
func timed(item speech.Item) (kind, start, end string) {
	if item.Kind == speech.Punctuation {
		return "punctuation", "", ""
	}
	return "pronunciation", Seconds(item.Start), Seconds(item.End)
}

func content(item speech.Item) Content {
	switch {
	case item.Redaction != nil:
		r := Redaction{Confidence: decimal(item.Redaction.Confidence, 4), Type: item.Redaction.Type, Category: "PII"}
		return Content{Content: item.Text, Redactions: []Redaction{r}}
	case item.Kind == speech.Punctuation:
		return Content{Confidence: "0.0", Content: item.Text}
	}
	return Content{Confidence: decimal(item.Confidence, 3), Content: item.Text}
}

func (b *builder) match(item speech.Item) *bool {
	if !b.job.Tagged {
		return nil
	}
	return &item.FilterMatch
}

// labels are what is said of a segment and of its items.
func (b *builder) labels(s speech.Segment) Labels {
	l := Labels{Speaker: b.speaker(s), Channel: b.channel(s)}
	if b.job.MultipleLanguages {
		l.Language = language.Code(s.Language, b.job.LanguageOptions)
	}
	return l
}

func (b *builder) speaker(s speech.Segment) string {
	if !b.job.Speakers || s.Speaker == 0 {
		return ""
	}
	return fmt.Sprintf("spk_%d", s.Speaker-1)
}

func (b *builder) channel(s speech.Segment) string {
	if b.channels == 0 || s.Channel == 0 {
		return ""
	}
	return channelLabel(s.Channel)
}

// channelLabel is AWS's name of a channel, which we count from 1.
func channelLabel(channel int) string { return fmt.Sprintf("ch_%d", channel-1) }

// speakers lists each segment as a turn.
func (b *builder) speakers(segments []speech.Segment, number int) {
	l := &SpeakerLabels{Channel: channelLabel(1), Speakers: number, Segments: []SpeakerSegment{}}
	for _, s := range segments {
		turn := SpeakerSegment{StartTime: Seconds(s.Start), EndTime: Seconds(s.End), Speaker: b.speaker(s), Items: []SpeakerItem{}}
		for _, item := range s.Items {
			if item.Kind == speech.Word {
				turn.Items = append(turn.Items, SpeakerItem{Speaker: turn.Speaker, StartTime: Seconds(item.Start), EndTime: Seconds(item.End)})
			}
		}
		l.Segments = append(l.Segments, turn)
	}
	b.results.SpeakerLabels = l
}

// channelLabels lists the items of each channel, in which nobody may have spoken.
func (b *builder) channelLabels(segments []speech.Segment) {
	l := &ChannelLabels{Number: b.channels}
	for c := 1; c <= b.channels; c++ {
		channel := Channel{Label: channelLabel(c), Items: []Item{}}
		for i, s := range segments {
			if s.Channel != c {
				continue
			}
			for _, id := range b.ids[i] {
				channel.Items = append(channel.Items, b.results.Items[id])
			}
		}
		l.Channels = append(l.Channels, channel)
	}
	b.results.ChannelLabels = l
}

// alternatives lists the texts of each segment. One for which nothing else was thought of has its own text alone.
func (b *builder) alternatives(segments []speech.Segment) {
	out := []Segment{}
	for _, s := range segments {
		texts := s.Alternatives
		if len(texts) == 0 {
			texts = []speech.Alternative{{Items: s.Items}}
		}
		segment := Segment{StartTime: Seconds(s.Start), EndTime: Seconds(s.End), Channel: b.channel(s)}
		for _, t := range texts {
			a := Alternative{Transcript: Join(t.Items), Items: []AlternativeItem{}}
			for _, item := range t.Items {
				kind, start, end := timed(item)
				a.Items = append(a.Items, AlternativeItem{
					StartTime: start, EndTime: end, Type: kind, Content: content(item), VocabularyFilterMatch: b.match(item),
				})
			}
			segment.Alternatives = append(segment.Alternatives, a)
		}
		out = append(out, segment)
	}
	b.results.Segments = &out
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
