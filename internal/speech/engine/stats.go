package engine

import (
	"sync/atomic"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

// Stats is what the engine has done since it was made, and what waits.
type Stats struct {
	// AudioSeconds is the length of the audio recognised, pauses included, in jobs that
	// have ended.
	AudioSeconds float64
	// BusySeconds is how long the runner has worked, and EncodeSeconds and DecodeSeconds
	// its two parts. AudioSeconds / BusySeconds is the speed.
	BusySeconds, EncodeSeconds, DecodeSeconds float64
	// Windows, Tokens and Steps count windows recognised, tokens of text and decoding
	// steps: Tokens / Steps is how full the batch was.
	Windows, Tokens, Steps int64
	// Retries counts windows that were decoded again because the text was not credible;
	// Dropped those whose text was thrown away, as invented where nobody spoke.
	Retries, Dropped int64
	// Searches are windows that were searched with several hypotheses, because the greedy text
	// was not sure.
	Searches int64
	// Jobs is the number of jobs under way, Active that of windows being decoded.
	Jobs, Active int64
	// Streams is the number of live sessions.
	Streams int64
	// QueuedLive, QueuedInteractive and QueuedBatch are windows that wait.
	QueuedLive, QueuedInteractive, QueuedBatch int
	// Loaded is set when the models are in memory.
	Loaded bool
}

// counters are the figures behind Stats. Durations are in nanoseconds.
type counters struct {
	audio, encode, decode  atomic.Int64
	windows, tokens, steps atomic.Int64
	retries, dropped       atomic.Int64
	searches               atomic.Int64
	jobs, active, streams  atomic.Int64
	loaded                 atomic.Bool
}

// Stats returns the engine's figures at this moment.
func (e *Engine) Stats() Stats {
	c := &e.stats
	seconds := func(n *atomic.Int64) float64 { return time.Duration(n.Load()).Seconds() }
	s := Stats{
		AudioSeconds: seconds(&c.audio), EncodeSeconds: seconds(&c.encode), DecodeSeconds: seconds(&c.decode),
		Windows: c.windows.Load(), Tokens: c.tokens.Load(), Steps: c.steps.Load(),
		Retries: c.retries.Load(), Searches: c.searches.Load(), Dropped: c.dropped.Load(),
		Jobs: c.jobs.Load(), Active: c.active.Load(), Streams: c.streams.Load(), Loaded: c.loaded.Load(),
	}
	s.BusySeconds = s.EncodeSeconds + s.DecodeSeconds
	queued := e.queue.lengths()
	s.QueuedLive = queued[class(speech.PriorityLive)]
	s.QueuedInteractive = queued[class(speech.PriorityInteractive)]
	s.QueuedBatch = queued[class(speech.PriorityBatch)]
	return s
}
