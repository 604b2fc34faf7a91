package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dictum/dictum/internal/speech"
)

// LiveEncoding is how audio that comes live is coded, by the name that Amazon Transcribe's streaming has for it.
type LiveEncoding string

// The encodings of live audio.
const (
	// LivePCM is signed 16-bit little-endian, without a header.
	LivePCM LiveEncoding = "pcm"
	// LiveFLAC is a native FLAC stream.
	LiveFLAC LiveEncoding = "flac"
	// LiveOpus is Opus in Ogg.
	LiveOpus LiveEncoding = "ogg-opus"
	// LiveALaw and LiveMuLaw are G.711 octets.
	LiveALaw  LiveEncoding = "g711-alaw"
	LiveMuLaw LiveEncoding = "g711-ulaw"
)

// LiveOptions say what is known of live audio before it comes.
type LiveOptions struct {
	Encoding LiveEncoding
	// SampleRate, in Hz, and Channels, interleaved, are those of the encodings without a header. Of the others the
	// header has the word, except that with Apart there must be as many channels as Channels says.
	SampleRate int
	Channels   int
	// Apart keeps the channels apart; else they are mixed to one.
	Apart bool
}

// LiveStream decodes audio while it comes, to speech.SampleRate. Bytes may be cut anywhere. What is decoded is handed
// out at once, except that FLAC comes in its frames and Opus in its pages. It is not safe for concurrent use.
type LiveStream struct {
	ctx     context.Context
	src     *contextReader
	options LiveOptions
	in      *source // nil until the header was read
	out     []*resampler
	mono    []float32
}

var _ speech.SampleReader = (*LiveStream)(nil)

// liveBlock is how much is decoded at a time: the 50th part of a second.
const liveBlock = 50

// OpenLive prepares to decode r. It reads nothing yet: the first Read does, and finds out what the header says.
func OpenLive(ctx context.Context, r io.Reader, options LiveOptions) *LiveStream {
	return &LiveStream{ctx: ctx, src: &contextReader{ctx: ctx, src: onceThrough{r}}, options: options}
}

// Read fills one slice for each channel, or the one that all are mixed to, with the same stretch of time. It waits
// until there are samples, and returns how many it wrote into each. It returns io.EOF at the end of the audio, errors
// that wrap ErrInvalid or ErrUnsupported for audio that can't be decoded, and those of the source and the context.
func (s *LiveStream) Read(dst [][]float32) (int, error) {
	if s.in == nil {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	if len(dst) != len(s.out) {
		return 0, fmt.Errorf("read live audio: %d slices for %d channels", len(dst), len(s.out))
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
			channel := 0 // the mean of all
			if s.options.Apart {
				channel = i + 1
			}
			s.mono = mix(s.mono[:0], frames, s.in.info.Channels, channel)
			out.write(s.mono)
		}
	}
}

// ReadSamples implements speech.SampleReader for a stream that is not apart.
func (s *LiveStream) ReadSamples(dst []float32) (int, error) { return s.Read([][]float32{dst}) }

// open reads the header.
func (s *LiveStream) open() (err error) {
	defer recoverInvalid("open live audio", &err)
	dec, err := s.decoder()
	if err != nil {
		return err
	}
	info := dec.info()
	if info.SampleRate < 1 || info.SampleRate > maxSampleRate || info.Channels < 1 || info.Channels > maxChannels {
		return fmt.Errorf("%s with %d channels at %d Hz: %w", s.options.Encoding, info.Channels, info.SampleRate, ErrInvalid)
	}
	if s.options.Apart && info.Channels != s.options.Channels {
		return fmt.Errorf("%s with %d channels instead of %d: %w", s.options.Encoding, info.Channels, s.options.Channels, ErrInvalid)
	}
	s.in = &source{ctx: s.ctx, dec: dec, info: info, block: make([]float32, max(1, info.SampleRate/liveBlock)*info.Channels)}
	s.out = make([]*resampler, 1)
	if s.options.Apart {
		s.out = make([]*resampler, info.Channels)
	}
	for i := range s.out {
		s.out[i] = newResampler(info.SampleRate, speech.SampleRate)
	}
	return nil
}

func (s *LiveStream) decoder() (decoder, error) {
	facts := Info{Codec: string(s.options.Encoding), SampleRate: s.options.SampleRate, Channels: s.options.Channels}
	switch s.options.Encoding {
	case LivePCM:
		return &rawDecoder{in: s.src, facts: facts, size: 2, convert: convertS16}, nil
	case LiveALaw:
		return &rawDecoder{in: s.src, facts: facts, size: 1, convert: convertALaw}, nil
	case LiveMuLaw:
		return &rawDecoder{in: s.src, facts: facts, size: 1, convert: convertMuLaw}, nil
	case LiveFLAC:
		return newFLACDecoder(s.src, bufio.NewReaderSize(s.src, readBuffer))
	case LiveOpus:
		return openLiveOpus(s.src)
	}
	return nil, fmt.Errorf("encoding %q: %w", s.options.Encoding, ErrUnsupported)
}

// openLiveOpus finds the Opus stream at the start of Ogg, and does not look for the end.
func openLiveOpus(in *contextReader) (decoder, error) {
	pages := &oggReader{r: bufio.NewReaderSize(in, readBuffer)}
	page, err := pages.next()
	if err != nil {
		return nil, in.invalid("read Ogg", err)
	}
	if page.flags&oggFirst == 0 || !bytes.HasPrefix(page.body, []byte("OpusHead")) {
		return nil, fmt.Errorf("no Opus stream in Ogg: %w", ErrUnsupported)
	}
	head, err := parseOpusHead(page.body)
	if err != nil {
		return nil, in.invalid("parse Opus header", err)
	}
	if head.family != 0 {
		return nil, fmt.Errorf("decode Opus of %d channels: %w", head.channels, ErrUnsupported)
	}
	return beginOpus(in, pages, page.serial, head)
}

// rawDecoder reads samples without a header, as many as there are.
type rawDecoder struct {
	in      *contextReader
	facts   Info
	size    int // bytes of a sample
	convert func(dst []float32, src []byte)
	buf     []byte
	kept    int // bytes at the start of buf that are the beginning of a frame
}

func (d *rawDecoder) info() Info   { return d.facts }
func (d *rawDecoder) close() error { return nil }

// decode returns what one read of the source gives. A frame that is cut off by the end is dropped.
func (d *rawDecoder) decode(dst []float32) (int, error) {
	if d.buf == nil {
		d.buf = make([]byte, len(dst)*d.size)
	}
	frame := d.size * d.facts.Channels
	for {
		n, err := d.in.Read(d.buf[d.kept:min(len(d.buf), len(dst)*d.size)])
		have := d.kept + n
		whole := have / frame * frame
		if whole > 0 {
			samples := whole / d.size
			d.convert(dst[:samples], d.buf[:whole])
			d.kept = copy(d.buf, d.buf[whole:have])
			return samples, nil // an error comes again with the next read
		}
		d.kept = have
		if err == io.EOF { //nolint:errorlint // the end is io.EOF itself (io.Reader); wrapped, it is a failure
			return 0, io.EOF
		}
		if err != nil {
			return 0, fmt.Errorf("read live audio: %w", err)
		}
	}
}

// onceThrough is a source that is read from its start to its end.
type onceThrough struct{ io.Reader }

// Seek implements io.Seeker: it can't.
func (onceThrough) Seek(int64, int) (int64, error) {
	return 0, errors.New("live audio has no other place than the present one")
}
