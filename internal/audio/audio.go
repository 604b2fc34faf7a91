package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dictum/dictum/internal/speech"
)

var (
	// ErrUnsupported means that the bytes are no media of a container or codec that is read here.
	ErrUnsupported = errors.New("unsupported media")
	// ErrInvalid means that the container is a known one, but what is in it is corrupt or holds no audio.
	ErrInvalid = errors.New("invalid media")
	// ErrNoFFmpeg means that the media needs ffmpeg, and that it is not installed. The error that
	// wraps it names the format and tells how to install it.
	ErrNoFFmpeg = errors.New("ffmpeg is needed")
)

// Options adjusts how media is opened. The zero value is ready for use.
type Options struct {
	// FFmpeg is the path of the ffmpeg program; ffprobe is expected beside it. Empty means to
	// look for both in PATH.
	FFmpeg string
	// Channel chooses what a Stream yields: 0, the default, the mean of all channels; n ≥ 1 the
	// n-th channel alone. OpenChannels ignores it.
	Channel int
}

// Info states what is known of media without decoding it.
type Info struct {
	// Format is the container, as found in the content.
	Format Format
	// Codec names the coding as ffmpeg does: "pcm_s16le", "pcm_mulaw", "flac", "mp3", "opus", "aac", "amr_nb".
	Codec string
	// SampleRate is that of the decoded audio before resampling, in Hz.
	SampleRate int
	// SourceSampleRate is the rate, in Hz, of what an encoder was given, where the format records
	// it apart from SampleRate (Opus decodes to 48 kHz whatever it was fed, RFC 7845 §5.1); else 0.
	SourceSampleRate int
	// Channels is the number of channels in the file.
	Channels int
	// Duration is the length that the container states, cut to what the file can hold; 0 when it does not say.
	Duration time.Duration
}

// Open detects the container of src by its content and prepares to decode its audio as one
// channel. It decodes the first samples, so a file without any is found out here. src must
// not be used until the Stream is closed, and is not closed with it.
//
// Errors wrap ErrUnsupported, ErrInvalid, ErrNoFFmpeg, the context's error or that of src.
// The context governs reading too.
func Open(ctx context.Context, src io.ReadSeeker, opts Options) (*Stream, error) {
	in, err := openSource(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	if opts.Channel < 0 || opts.Channel > in.info.Channels {
		_ = in.close()
		return nil, fmt.Errorf("choose channel %d of %d: %w", opts.Channel, in.info.Channels, ErrInvalid)
	}
	return &Stream{in: in, channel: opts.Channel, out: newResampler(in.info.SampleRate, speech.SampleRate)}, nil
}

// Stream is the audio of a file as one channel at speech.SampleRate. It is not safe for
// concurrent use.
type Stream struct {
	in      *source
	channel int
	out     *resampler
	mono    []float32
}

var _ speech.SampleReader = (*Stream)(nil)

// Info tells what is known of the file.
func (s *Stream) Info() Info { return s.in.info }

// ReadSamples implements speech.SampleReader. Besides io.EOF it returns errors that wrap
// ErrInvalid, where the file turns out to be corrupt, the context's error or that of the source.
func (s *Stream) ReadSamples(dst []float32) (int, error) {
	for {
		if n := s.out.read(dst); n > 0 || len(dst) == 0 {
			return n, nil
		}
		if s.out.finished() {
			return 0, io.EOF
		}
		frames, err := s.in.next()
		if errors.Is(err, io.EOF) {
			s.out.finish()
			continue
		}
		if err != nil {
			return 0, err
		}
		s.mono = mix(s.mono[:0], frames, s.in.info.Channels, s.channel)
		s.out.write(s.mono)
	}
}

// Close frees what decoding holds. It does not close the source.
func (s *Stream) Close() error { return s.in.close() }

// OpenChannels is Open for media whose channels are to be told apart. One decoding feeds them
// all, in step, so it needs no more memory for a long file than for a short one. Where the
// channels are to be read one after the other, Open the source once for each Options.Channel.
func OpenChannels(ctx context.Context, src io.ReadSeeker, opts Options) (*ChannelStream, error) {
	in, err := openSource(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	s := &ChannelStream{in: in, out: make([]*resampler, in.info.Channels)}
	for i := range s.out {
		s.out[i] = newResampler(in.info.SampleRate, speech.SampleRate)
	}
	return s, nil
}

// ChannelStream is the audio of a file, each channel apart, at speech.SampleRate. It is not
// safe for concurrent use.
type ChannelStream struct {
	in   *source
	out  []*resampler
	mono []float32
}

// Info tells what is known of the file; Info().Channels is the number of slices ReadChannels fills.
func (s *ChannelStream) Info() Info { return s.in.info }

// ReadChannels fills one slice for each channel with the same stretch of time and returns how
// many samples it wrote into each, which is limited by the shortest. Its errors are those of
// Stream.ReadSamples.
func (s *ChannelStream) ReadChannels(dst [][]float32) (int, error) {
	if len(dst) != len(s.out) {
		return 0, fmt.Errorf("read channels: %d slices for %d channels", len(dst), len(s.out))
	}
	size := len(dst[0])
	for _, d := range dst {
		size = min(size, len(d))
	}
	for {
		n := 0
		for i, out := range s.out {
			n = out.read(dst[i][:size])
		}
		if n > 0 || size == 0 {
			return n, nil
		}
		if s.out[0].finished() {
			return 0, io.EOF
		}
		frames, err := s.in.next()
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return 0, err
		}
		for i, out := range s.out {
			if ended {
				out.finish()
				continue
			}
			s.mono = mix(s.mono[:0], frames, len(s.out), i+1)
			out.write(s.mono)
		}
	}
}

// Close frees what decoding holds. It does not close the source.
func (s *ChannelStream) Close() error { return s.in.close() }

// mix appends to dst the mean of the channels of interleaved frames, or the one channel
// (1-based) that is asked for.
func mix(dst, frames []float32, channels, channel int) []float32 {
	switch {
	case channels == 1:
		return append(dst, frames...)
	case channel > 0:
		for i := channel - 1; i < len(frames); i += channels {
			dst = append(dst, frames[i])
		}
	case channels == 2:
		for i := 1; i < len(frames); i += 2 {
			dst = append(dst, (frames[i-1]+frames[i])*0.5)
		}
	default:
		scale := 1 / float32(channels)
		for ; len(frames) >= channels; frames = frames[channels:] {
			var sum float32
			for _, v := range frames[:channels] {
				sum += v
			}
			dst = append(dst, sum*scale)
		}
	}
	return dst
}
