// Package subtitle turns recognised speech into WebVTT and SubRip files: cues that follow pauses and
// sentences, two short lines at most, never overlapping. Start at Write.
package subtitle

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"

	"github.com/dictum/dictum/internal/speech"
)

// Format is a kind of subtitle file; its value is also the file's extension.
type Format string

// The formats.
const (
	VTT Format = "vtt" // WebVTT, https://www.w3.org/TR/webvtt1/
	SRT Format = "srt" // SubRip
)

// ContentType is the media type of a file of the format.
func (f Format) ContentType() string {
	if f == SRT {
		return "application/x-subrip"
	}
	return "text/vtt"
}

// The bounds of a cue. They are those of common subtitling guides (42 columns, two lines, seven seconds).
const (
	// LineWidth is the widest line in columns; wide East Asian characters take two. Only a single longer word exceeds it.
	LineWidth = 42
	// LinesPerCue is how many lines a cue has at most.
	LinesPerCue = 2
	// LongestCue is how long a cue of several words may stand.
	LongestCue = 7 * time.Second
	// LongestPause ends a cue: a silence between two words longer than this.
	LongestPause = 800 * time.Millisecond
)

// Cue is one subtitle.
type Cue struct {
	Start, End time.Duration
	Lines      []string
}

// Write writes the segments as a file of the format. The first cue's number is first.
func Write(w io.Writer, format Format, segments []speech.Segment, first int) error {
	b := bufio.NewWriter(w)
	separator := byte('.')
	if format == SRT {
		separator = ','
	} else {
		b.WriteString("WEBVTT\n\n")
	}
	for i, c := range Cues(segments) {
		fmt.Fprintf(b, "%d\n%s --> %s\n", first+i, clock(c.Start, separator), clock(c.End, separator))
		for _, line := range c.Lines {
			if format == VTT {
				line = escape.Replace(line)
			}
			b.WriteString(line)
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write %s subtitles: %w", format, err)
	}
	return nil
}

// escape covers what a WebVTT parser would take for markup (WebVTT §4.2.2).
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Cues cuts segments into cues, in order of time. Every item's text is in exactly one of them. Where people talk at
// once in different channels, a cue stands until the next one begins.
func Cues(segments []speech.Segment) []Cue {
	byChannel := make(map[int][]speech.Segment)
	for _, s := range segments {
		byChannel[s.Channel] = append(byChannel[s.Channel], s)
	}
	var cues []Cue
	for _, channel := range slices.Sorted(maps.Keys(byChannel)) {
		cues = append(cues, channelCues(byChannel[channel])...)
	}
	if len(byChannel) > 1 {
		slices.SortStableFunc(cues, func(a, b Cue) int { return cmp.Compare(a.Start, b.Start) })
		for i := range cues[1:] {
			cues[i].End = min(cues[i].End, cues[i+1].Start)
		}
	}
	return separate(cues)
}

// channelCues cuts segments that follow one another.
func channelCues(segments []speech.Segment) []Cue {
	var l layout
	for _, s := range segments {
		for _, group := range groups(s.Items) {
			l.add(group)
		}
		l.flush()
	}
	return l.cues
}

// group is a word with the punctuation around it: what no line break may part.
type group struct {
	text       string
	tight      bool // joined to what stands before without a space
	start, end time.Duration
	timed      bool
	endsClause bool
}

func groups(items []speech.Item) []group {
	var out []group
	for _, item := range items {
		text := clean(item.Text)
		if text == "" {
			continue
		}
		last := len(out) - 1
		// A mark belongs to the word before it, or, like an opening quote, to the one after.
		joins := last >= 0 && (item.Kind == speech.Punctuation && item.NoSpaceBefore || item.NoSpaceBefore && !out[last].timed)
		if !joins {
			out = append(out, group{tight: item.NoSpaceBefore})
			last++
		}
		g := &out[last]
		g.text += text
		if item.Kind == speech.Punctuation {
			g.endsClause = strings.ContainsAny(text, ".?!。?!؟।…")
			continue
		}
		if !g.timed {
			g.timed, g.start = true, item.Start
		}
		g.end = max(item.End, g.start)
	}
	return out
}

// clean keeps control characters and line ends out of the file's frame.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.TrimSpace(s)
}

// layout fills cues line by line.
type layout struct {
	cues []Cue
	// open is the cue being filled, when it has lines; column is the width of its last line.
	open   Cue
	column int
	// ended is set after a sentence's end, timed once the open cue has a word with times.
	ended, timed bool
}

func (l *layout) add(g group) {
	if len(l.open.Lines) > 0 && l.breaksBefore(g) {
		l.flush()
	}
	n := columns(g.text)
	last := len(l.open.Lines) - 1
	space := 1
	if g.tight {
		space = 0
	}
	switch {
	case last < 0:
		l.open.Lines = []string{g.text}
		l.column = n
	case l.column+space+n <= LineWidth:
		l.open.Lines[last] += strings.Repeat(" ", space) + g.text
		l.column += space + n
	default:
		l.open.Lines = append(l.open.Lines, g.text)
		l.column = n
	}
	if g.timed {
		if !l.timed {
			l.timed, l.open.Start = true, g.start
		}
		l.open.End = max(l.open.End, g.end)
	}
	l.ended = g.endsClause
}

// breaksBefore tells whether a new cue has to begin with g.
func (l *layout) breaksBefore(g group) bool {
	space := 1
	if g.tight {
		space = 0
	}
	full := len(l.open.Lines) >= LinesPerCue && l.column+space+columns(g.text) > LineWidth
	if full || !g.timed || !l.timed {
		return full
	}
	pause := g.start - l.open.End
	return pause > LongestPause || g.end-l.open.Start > LongestCue || l.ended && len(l.open.Lines) >= LinesPerCue
}

func (l *layout) flush() {
	if len(l.open.Lines) == 0 {
		return
	}
	if !l.timed && len(l.cues) > 0 { // marks alone: they stand where the cue before them ended
		l.open.Start = l.cues[len(l.cues)-1].End
	}
	l.cues = append(l.cues, l.open)
	*l = layout{cues: l.cues}
}

// separate makes times whole milliseconds and each cue end after it begins and before the next begins.
func separate(cues []Cue) []Cue {
	floor := time.Duration(0)
	for i := range cues {
		c := &cues[i]
		c.Start = max(c.Start.Round(time.Millisecond), floor)
		c.End = max(c.End.Round(time.Millisecond), c.Start+time.Millisecond)
		floor = c.End
	}
	return cues
}

// columns is how wide a text is on screen.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// clock prints HH:MM:SS.mmm.
func clock(d time.Duration, separator byte) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d%c%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, separator, ms%1000)
}
