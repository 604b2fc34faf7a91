package job

import (
	"context"

	"github.com/dictum/dictum/internal/speech"
)

// NewMeter is the reader that holds audio to the limits of duration.
func NewMeter(ctx context.Context, src speech.SampleReader) speech.SampleReader {
	return &meter{ctx: ctx, src: src, touch: func() {}}
}

// StartRules are the names of the semantic rules, so that a test can hold each to have a case.
func StartRules() []string {
	var out []string
	for _, r := range startRules {
		out = append(out, r.name)
	}
	return out
}

// Unavailable are the names of the settings that are refused.
func Unavailable() []string {
	var out []string
	for _, u := range unavailable {
		out = append(out, u.name)
	}
	return out
}

// First and Promotes are the decisions of quotas.
func (q Quotas) First(l Load, mayWait bool) (Status, error) { return q.first(l, mayWait) }

// Promotes decides whether the next job may leave the queue.
func (q Quotas) Promotes(l Load) bool { return q.promotes(l) }
