package audio

import (
	"fmt"

	"github.com/dictum/dictum/internal/speech"
)

// Encoding is how samples are written where no container says so.
type Encoding string

// The encodings of raw audio.
const (
	PCM16LE Encoding = "pcm" // signed, 16 bits, little-endian
	MuLaw   Encoding = "g711-ulaw"
	ALaw    Encoding = "g711-alaw"
)

// Raw decodes audio without a container as it comes, cut anywhere, into channels at speech.SampleRate. It belongs to one
// goroutine.
type Raw struct {
	encoding Encoding
	width    int
	rest     []byte // less than a sample of each channel
	out      []*resampler
	samples  []float32
	channel  []float32
}

// NewRaw makes a decoder. Rate is in Hz; the samples of channels are interleaved.
func NewRaw(encoding Encoding, rate, channels int) (*Raw, error) {
	r := &Raw{encoding: encoding, width: 1, out: make([]*resampler, channels)}
	switch encoding {
	case PCM16LE:
		r.width = 2
	case MuLaw, ALaw:
	default:
		return nil, fmt.Errorf("decode raw audio as %q: %w", encoding, ErrUnsupported)
	}
	if rate < 1000 || rate > 384_000 || channels < 1 || channels > 8 {
		return nil, fmt.Errorf("decode raw audio of %d Hz and %d channels: %w", rate, channels, ErrUnsupported)
	}
	for i := range r.out {
		r.out[i] = newResampler(rate, speech.SampleRate)
	}
	return r, nil
}

// Decode takes the next bytes and gives what they make of each channel.
func (r *Raw) Decode(octets []byte) [][]float32 {
	r.rest = append(r.rest, octets...)
	n := len(r.rest) / (r.width * len(r.out)) * len(r.out) // whole samples of all channels
	if cap(r.samples) < n {
		r.samples = make([]float32, n)
	}
	samples := r.samples[:n]
	switch r.encoding {
	case MuLaw:
		convertMuLaw(samples, r.rest)
	case ALaw:
		convertALaw(samples, r.rest)
	default:
		convertS16(samples, r.rest)
	}
	r.rest = append(r.rest[:0], r.rest[n*r.width:]...)
	out := make([][]float32, len(r.out))
	for c := range r.out {
		r.channel = r.channel[:0]
		for i := c; i < n; i += len(r.out) {
			r.channel = append(r.channel, samples[i])
		}
		r.out[c].write(r.channel)
		out[c] = drain(r.out[c])
	}
	return out
}

// Finish gives what is left of each channel when the audio has ended.
func (r *Raw) Finish() [][]float32 {
	out := make([][]float32, len(r.out))
	for c := range r.out {
		r.out[c].finish()
		out[c] = drain(r.out[c])
	}
	return out
}

func drain(from *resampler) []float32 {
	var out []float32
	buffer := make([]float32, 4096)
	for {
		n := from.read(buffer)
		if n == 0 {
			return out
		}
		out = append(out, buffer[:n]...)
	}
}
