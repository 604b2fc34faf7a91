package stream

import (
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// Skip has a session believe that so much audio has come already.
func (s *Session) Skip(d time.Duration) { s.samples.Add(int64(d.Seconds() * speech.SampleRate)) }
