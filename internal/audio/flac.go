package audio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
)

// flacDecoder reads native FLAC (RFC 9639).
type flacDecoder struct {
	facts  Info
	in     *contextReader
	stream *flac.Stream
	frame  *frame.Frame
	at     int // samples of a channel of frame handed out so far
	begun  bool
	scale  float32
}

// openFLACAt opens a stream that begins at an offset, behind an ID3 tag.
func openFLACAt(offset int64) func(context.Context, *contextReader, Options) (decoder, error) {
	return func(_ context.Context, in *contextReader, _ Options) (decoder, error) {
		r, err := in.bufferedAt(offset)
		if err != nil {
			return nil, err
		}
		return newFLACDecoder(in, r)
	}
}

// newFLACDecoder reads the header of a stream whose bytes come from r, which reads from in.
func newFLACDecoder(in *contextReader, r *bufio.Reader) (decoder, error) {
	stream, err := flac.New(r)
	if err != nil {
		return nil, in.invalid("parse FLAC header", err)
	}
	facts := stream.Info
	if facts.BitsPerSample < 4 || facts.BitsPerSample > 32 {
		return nil, fmt.Errorf("FLAC with %d bits a sample: %w", facts.BitsPerSample, ErrInvalid)
	}
	rate := int(facts.SampleRate)
	return &flacDecoder{
		in:     in,
		stream: stream,
		scale:  1 / float32(uint64(1)<<(facts.BitsPerSample-1)),
		facts: Info{
			Format:     FLAC,
			Codec:      "flac",
			SampleRate: rate,
			Channels:   int(facts.NChannels),
			Duration:   time.Duration(seconds(int64(facts.NSamples), rate) * float64(time.Second)),
		},
	}, nil
}

func (d *flacDecoder) info() Info   { return d.facts }
func (d *flacDecoder) close() error { return nil }

func (d *flacDecoder) decode(dst []float32) (int, error) {
	channels := d.facts.Channels
	n := 0
	for n < len(dst) {
		if d.frame == nil || d.at == len(d.frame.Subframes[0].Samples) {
			if err := d.nextFrame(); errors.Is(err, io.EOF) && n > 0 {
				return n, nil
			} else if err != nil {
				return 0, err
			}
		}
		count := min((len(dst)-n)/channels, len(d.frame.Subframes[0].Samples)-d.at)
		for c, sub := range d.frame.Subframes {
			out := dst[n+c:]
			for i, v := range sub.Samples[d.at : d.at+count] {
				out[i*channels] = float32(v) * d.scale
			}
		}
		d.at += count
		n += count * channels
	}
	return n, nil
}

// nextFrame decodes the next frame. A file cut in the middle of one ends before it.
func (d *flacDecoder) nextFrame() error {
	f, err := d.stream.ParseNext()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if d.in.err != nil {
			return fmt.Errorf("read FLAC: %w", d.in.err)
		}
		if !d.begun {
			return d.in.invalid("read FLAC", errors.New("no whole frame"))
		}
		return io.EOF
	}
	if err != nil {
		return d.in.invalid("decode FLAC frame", err)
	}
	if len(f.Subframes) != d.facts.Channels || f.SampleRate != 0 && int(f.SampleRate) != d.facts.SampleRate {
		return fmt.Errorf("FLAC changes to %d channels at %d Hz: %w", len(f.Subframes), f.SampleRate, ErrInvalid)
	}
	for _, sub := range f.Subframes {
		if len(sub.Samples) == 0 || len(sub.Samples) != len(f.Subframes[0].Samples) {
			return fmt.Errorf("FLAC frame with %d samples: %w", len(sub.Samples), ErrInvalid)
		}
	}
	d.frame, d.at, d.begun = f, 0, true
	return nil
}
