package live

import (
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// Settled is the text of an open utterance.
type Settled struct{ s settled }

func NewSettled(stability speech.Stability) *Settled { return &Settled{settled{stability: stability}} }

// Hear takes a guess and returns the text and how much of it is settled.
func (s *Settled) Hear(guess []speech.Item) ([]speech.Item, int) {
	s.s.hear(guess, time.Hour)
	return s.s.items, s.s.stable
}

func (s *Settled) Last(guess []speech.Item) []speech.Item { return s.s.last(guess) }

// Waiting is how many wait for a place.
func (l *Lane) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting[0]) + len(l.waiting[1])
}

// Distance is the least number of words changed, added or left out.
func Distance(a, b []string) int { return distances(a, b)[len(b)] }
