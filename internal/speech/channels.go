package speech

import (
	"cmp"
	"slices"
)

// MergeChannels puts the transcripts of the channels of one recording together, the first being channel 1. Its
// language is that of the channel with most speech.
func MergeChannels(channels ...Transcript) Transcript {
	out := Transcript{Channels: len(channels)}
	most := -1
	for i, t := range channels {
		if most < 0 || t.Speech > channels[most].Speech {
			most = i
		}
		out.Duration = max(out.Duration, t.Duration)
		out.Speech += t.Speech
		for _, s := range t.Segments {
			s.Channel = i + 1
			out.Segments = append(out.Segments, s)
		}
	}
	if most >= 0 {
		out.Language, out.Languages = channels[most].Language, channels[most].Languages
	}
	// Stable: of two that begin together, that of the lower channel is first.
	slices.SortStableFunc(out.Segments, func(a, b Segment) int { return cmp.Compare(a.Start, b.Start) })
	return out
}
