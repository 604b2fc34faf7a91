package engine

import "time"

// Refining is what is known of Whisper's finals of English.
type Refining struct{ r refining }

func (r *Refining) Worth() bool { return r.r.worth() }

// Begin starts one.
func (r *Refining) Begin() (done func(came bool), ok bool) { return r.r.begin() }

// Takes has one taken so long.
func (r *Refining) Takes(d time.Duration) { r.r.expected.Store(int64(d)) }
