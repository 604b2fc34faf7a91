package live

import (
	"context"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/speech/speakers"
	"github.com/dictum/dictum/internal/speech/vad"
)

// NewLabeler tells speakers apart utterance by utterance. What an utterance was given stays given, also when later ones
// show that it was another's.
func NewLabeler(d *speakers.Diarizer) Labeler { return &labeler{diarizer: d} }

type labeler struct{ diarizer *speakers.Diarizer }

// Label implements Labeler.
func (l *labeler) Label(ctx context.Context, at int, u Utterance, items []speech.Item) ([]int, error) {
	w := vad.Window{Samples: u.Samples, Speech: u.Speech, Pieces: []vad.Span{{Start: at, End: at + len(u.Samples)}}}
	if err := l.diarizer.Add(ctx, w); err != nil {
		return nil, err
	}
	labels := speakers.Label(items, l.diarizer.Turns())
	for i := range labels {
		labels[i]++
	}
	return labels, nil
}
