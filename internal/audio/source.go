package audio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
)

// Bounds on what a header may claim, so that a hostile one cannot make us reserve memory. They
// are far beyond what the service accepts.
const (
	maxSampleRate = 768_000
	maxChannels   = 64
)

// blockSamples is how many samples, over all channels, are decoded at a time.
const blockSamples = 8192

// readBuffer is the size, in bytes, of the reads made on the source.
const readBuffer = 128 << 10

// decoder yields the audio of one file at its own rate, its channels interleaved.
type decoder interface {
	// info states the facts; they hold for the whole file.
	info() Info
	// decode fills dst, whose length is a multiple of the channels, with whole frames and returns
	// the number of samples over all channels. It returns io.EOF alone, after the last samples.
	decode(dst []float32) (int, error)
	close() error
}

// source is a decoder whose first block has been read, guarded against what foreign decoders
// do on hostile input: they may panic, loop, or yield no numbers.
type source struct {
	ctx   context.Context
	dec   decoder
	info  Info
	block []float32
	ready int // samples of block not handed out yet
}

func openSource(ctx context.Context, src io.ReadSeeker, opts Options) (s *source, err error) {
	defer recoverInvalid("open media", &err)
	in := &contextReader{ctx: ctx, src: src}
	if in.size, err = in.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("find the size of the media: %w", err)
	}
	kind, err := detect(in)
	if err != nil {
		return nil, err
	}
	dec, err := kind.open(ctx, in, opts)
	if err != nil {
		if in.err != nil && !errors.Is(err, in.err) {
			err = fmt.Errorf("read media: %w", in.err)
		}
		return nil, err
	}
	s = &source{ctx: ctx, dec: dec, info: dec.info()}
	defer func() {
		if err != nil {
			_ = dec.close()
		}
	}()
	if r := s.info.SampleRate; r < 1 || r > maxSampleRate {
		return nil, fmt.Errorf("%s with a sample rate of %d Hz: %w", s.info.Format, r, ErrInvalid)
	}
	if c := s.info.Channels; c < 1 || c > maxChannels {
		return nil, fmt.Errorf("%s with %d channels: %w", s.info.Format, c, ErrInvalid)
	}
	s.block = make([]float32, max(1, blockSamples/s.info.Channels)*s.info.Channels)
	if err := s.fill(); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s holds no audio: %w", s.info.Format, ErrInvalid)
	} else if err != nil {
		return nil, err
	}
	return s, nil
}

// next returns the next frames, interleaved; they are good until the next call.
func (s *source) next() ([]float32, error) {
	if s.ready == 0 {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	frames := s.block[:s.ready]
	s.ready = 0
	return frames, nil
}

func (s *source) fill() (err error) {
	defer recoverInvalid("decode media", &err)
	if err := s.ctx.Err(); err != nil {
		return fmt.Errorf("decode %s: %w", s.info.Format, err)
	}
	if s.ready, err = s.dec.decode(s.block); err != nil {
		return err
	}
	sanitize(s.block[:s.ready])
	return nil
}

func (s *source) close() error { return s.dec.close() }

// sanitize makes silence of what is no number and cuts what is far beyond full scale, so that
// one bad sample of a float file cannot poison a filter or a model.
func sanitize(samples []float32) {
	const limit = 8 // 18 dB over full scale
	for i, v := range samples {
		if v > -limit && v < limit {
			continue
		}
		switch {
		case v != v:
			samples[i] = 0
		case v > 0:
			samples[i] = limit
		default:
			samples[i] = -limit
		}
	}
}

// recoverInvalid turns a panic into ErrInvalid: third-party decoders are not all proof against
// every input, and no file may take the process down.
func recoverInvalid(doing string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: decoder failed (%v): %w", doing, p, ErrInvalid)
	}
}

// contextReader is the source with reads that end with the context and remember what failed,
// so that an error of the storage is not taken for bad media.
type contextReader struct {
	ctx  context.Context
	src  io.ReadSeeker
	size int64
	err  error
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		r.err = err
		return 0, err
	}
	n, err := r.src.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // the end is io.EOF itself (io.Reader); wrapped, it is a failure
		err = noEOF(err)
		r.err = err
	}
	return n, err
}

func (r *contextReader) Seek(offset int64, whence int) (int64, error) {
	n, err := r.src.Seek(offset, whence)
	if err != nil {
		r.err = err
	}
	return n, err
}

// bufferedAt returns a buffered reader over the source from offset on.
func (r *contextReader) bufferedAt(offset int64) (*bufio.Reader, error) {
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("seek media: %w", err)
	}
	return bufio.NewReaderSize(r, readBuffer), nil
}

// invalid words a decoding error: that of the storage or the context where there was one,
// else ErrInvalid. It is never io.EOF.
func (r *contextReader) invalid(doing string, err error) error {
	if r.err != nil {
		return fmt.Errorf("%s: %w", doing, r.err)
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrInvalid, noEOF(err))
}

// noEOF words the end of the input where there should be more as an error of its own, so that
// nobody takes it for the end of the audio.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ahead is what a decoder has decoded and not yet handed out.
type ahead struct {
	ready []float32
	at    int // samples of ready handed out
}

// read fills dst from ready, and where that is used up from what more puts there.
func (a *ahead) read(dst []float32, more func() error) (int, error) {
	n := 0
	for n < len(dst) {
		if a.at == len(a.ready) {
			a.ready, a.at = a.ready[:0], 0
			if err := more(); errors.Is(err, io.EOF) && n > 0 {
				break
			} else if err != nil {
				return 0, err
			}
			continue
		}
		count := copy(dst[n:], a.ready[a.at:])
		a.at += count
		n += count
	}
	return n, nil
}

// seconds is a length in samples as time, without overflow for hostile counts.
func seconds(samples int64, rate int) float64 {
	if rate <= 0 || samples <= 0 {
		return 0
	}
	return math.Min(float64(samples)/float64(rate), 1e9)
}
