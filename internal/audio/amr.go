package audio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// AMR storage format (RFC 4867 §5): a magic line, then frames of 20 ms, each behind an octet that
// tells its type. Frames of silence, which an encoder with discontinuous transmission makes, are
// dropped by ffmpeg: what follows would be early by their length, seconds in a minute of talk. So
// frames are told apart here, ffmpeg is given those with speech, and silence is put in for the rest.

// Octets of the speech frames by type, behind the first octet; what is beyond is silence or no data.
var (
	amrNBSizes = [16]int{12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5}
	amrWBSizes = [16]int{17, 23, 32, 36, 40, 46, 50, 58, 60, 5}
)

const (
	amrNBSpeech = 8 // types below are speech, MR475 to MR122
	amrWBSpeech = 9
	amrFrame    = 20 * time.Millisecond
	// maxAMRFrames bounds what is kept for each frame, since one of silence takes a single octet: a day.
	maxAMRFrames = int(24 * time.Hour / amrFrame)
)

// amrDecoder reads AMR with its silence.
type amrDecoder struct {
	facts   Info
	decoder decoder // of the speech; nil where there is none
	frames  []bool  // of 20 ms each: speech or not. Four hours are 720,000
	samples int     // of a frame
	frame   int     // index of the frame under way
	left    int     // samples of it still to come
}

func openAMR(ctx context.Context, in *contextReader, opts Options) (decoder, error) {
	r, err := in.bufferedAt(0)
	if err != nil {
		return nil, err
	}
	split, err := newAMRSplitter(r)
	if err != nil {
		return nil, in.invalid("read AMR", err)
	}
	// The frames are known once they have been handed over.
	dec, err := startFFmpeg(ctx, AMR, "amr", split, opts)
	if err != nil && (len(split.frames) == 0 || slices.Contains(split.frames, true)) {
		return nil, err
	}
	d := &amrDecoder{decoder: dec, frames: split.frames}
	d.facts = Info{Format: AMR, Codec: "amr_nb", SampleRate: 8000, Channels: 1}
	if split.sizes == &amrWBSizes {
		d.facts.Codec, d.facts.SampleRate = "amr_wb", 16000
	}
	d.facts.Duration = time.Duration(len(d.frames)) * amrFrame
	d.samples = d.facts.SampleRate / 50
	d.left = d.samples
	return d, nil
}

func (d *amrDecoder) info() Info { return d.facts }

func (d *amrDecoder) close() error {
	if d.decoder == nil {
		return nil
	}
	return d.decoder.close()
}

func (d *amrDecoder) decode(dst []float32) (int, error) {
	n := 0
	for n < len(dst) && d.frame < len(d.frames) {
		// As many samples as there are in frames of the same kind.
		count := d.left
		next := d.frame + 1
		for ; next < len(d.frames) && d.frames[next] == d.frames[d.frame] && count < len(dst)-n; next++ {
			count += d.samples
		}
		part := dst[n:min(len(dst), n+count)]
		if d.frames[d.frame] {
			got, err := d.decoder.decode(part)
			if errors.Is(err, io.EOF) && n > 0 {
				break
			}
			if err != nil {
				return 0, err
			}
			part = part[:got]
		} else {
			clear(part)
		}
		n += len(part)
		d.advance(len(part))
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// advance moves on by n samples.
func (d *amrDecoder) advance(n int) {
	for n >= d.left {
		n -= d.left
		d.frame++
		d.left = d.samples
	}
	d.left -= n
}

// amrSplitter reads an AMR file without its frames of silence, and notes what they were.
type amrSplitter struct {
	r       *bufio.Reader
	sizes   *[16]int
	speech  int
	frames  []bool
	pending []byte
	buf     [64]byte
}

func newAMRSplitter(r *bufio.Reader) (*amrSplitter, error) {
	magic, err := r.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("read magic: %w", noEOF(err))
	}
	s := &amrSplitter{r: r}
	s.pending = append(s.buf[:0], magic...)
	switch string(magic) {
	case "#!AMR\n":
		s.sizes, s.speech = &amrNBSizes, amrNBSpeech
	case "#!AMR-WB\n":
		s.sizes, s.speech = &amrWBSizes, amrWBSpeech
	default:
		return nil, errors.New("unknown magic")
	}
	if _, err := r.Peek(1); err != nil {
		return nil, fmt.Errorf("read the first frame: %w", noEOF(err))
	}
	return s, nil
}

// Read implements io.Reader. A frame cut short at the end is left out.
func (s *amrSplitter) Read(p []byte) (int, error) {
	for len(s.pending) == 0 {
		toc, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		kind := int(toc >> 3 & 15)
		s.buf[0] = toc
		size := s.sizes[kind]
		if _, err := io.ReadFull(s.r, s.buf[1:1+size]); errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, io.EOF
		} else if err != nil {
			return 0, err
		}
		if len(s.frames) == maxAMRFrames {
			return 0, fmt.Errorf("AMR of more than %v: %w", 24*time.Hour, ErrInvalid)
		}
		speech := kind < s.speech
		s.frames = append(s.frames, speech)
		if speech {
			s.pending = s.buf[:1+size]
		}
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}
