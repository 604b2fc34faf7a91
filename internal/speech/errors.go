package speech

import "errors"

// ErrTooLittleSpeech means that a language was to be identified and the audio holds too little speech for it.
var ErrTooLittleSpeech = errors.New("too little speech to identify a language")
