package speech

import "errors"

var (
	// ErrTooLittleSpeech means that a language was to be identified and the audio holds too little speech for it.
	ErrTooLittleSpeech = errors.New("too little speech to identify a language")
	// ErrInterrupted means that the recogniser went away (its process died or is stopping) before it had a
	// result; the same audio may be given again.
	ErrInterrupted = errors.New("recognition was interrupted")
)
