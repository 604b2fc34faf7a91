package engine

import (
	"sync/atomic"
	"time"

	"github.com/dictum/dictum/internal/speech/live"
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
	// LivePartials and LiveFinals are results of live sessions, and LiveRefined the finals of which Whisper had the text
	// after the low-latency recogniser. LiveSpeechSeconds is the length of the utterances: LiveSpeechSeconds /
	// LivePartials is the cadence of partials, which load stretches first.
	LivePartials, LiveFinals, LiveRefined int64
	LiveSpeechSeconds                     float64
	// LiveFinalSeconds is the sum, over finals, of their delay: the time from when the end of the speech came to the
	// result. LiveFinalsWithin counts finals by it: those of at most LiveDelays[i] seconds.
	LiveFinalSeconds float64
	LiveFinalsWithin []int64
	// QueuedLive, QueuedInteractive and QueuedBatch are windows that wait.
	QueuedLive, QueuedInteractive, QueuedBatch int
	// Loaded is set when the models are in memory.
	Loaded bool
}

// LiveDelays are the delays of finals, in seconds, by which Stats counts them.
var LiveDelays = [...]float64{0.35, 0.5, 0.7, 0.9, 1.1, 1.5, 2.5, 5, 10}

// counters are the figures behind Stats. Durations are in nanoseconds.
type counters struct {
	audio, encode, decode  atomic.Int64
	windows, tokens, steps atomic.Int64
	retries, dropped       atomic.Int64
	searches               atomic.Int64
	jobs, active, streams  atomic.Int64
	partials, finals       atomic.Int64
	refined                atomic.Int64
	spoken, delay          atomic.Int64
	within                 [len(LiveDelays)]atomic.Int64
	loaded                 atomic.Bool
}

// told counts a result of a live session.
func (c *counters) told(r live.Report) {
	if r.Partial {
		c.partials.Add(1)
		return
	}
	c.finals.Add(1)
	c.spoken.Add(int64(r.Speech))
	c.delay.Add(int64(r.Delay))
	for i, within := range LiveDelays {
		if r.Delay.Seconds() <= within {
			c.within[i].Add(1)
		}
	}
	if r.Refined {
		c.refined.Add(1)
	}
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
	s.LivePartials, s.LiveFinals, s.LiveRefined = c.partials.Load(), c.finals.Load(), c.refined.Load()
	s.LiveSpeechSeconds, s.LiveFinalSeconds = seconds(&c.spoken), seconds(&c.delay)
	for i := range c.within {
		s.LiveFinalsWithin = append(s.LiveFinalsWithin, c.within[i].Load())
	}
	queued := e.queue.lengths()
	s.QueuedLive = queued[classFinal] + queued[classPartial]
	s.QueuedInteractive, s.QueuedBatch = queued[classInteractive], queued[classBatch]
	return s
}
