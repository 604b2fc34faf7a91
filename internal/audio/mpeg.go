package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dictum/dictum/internal/audio/mp3"
)

// mp3Decoder finds the frames in an MP3 file, has them decoded and cuts what encoders add at
// both ends.
type mp3Decoder struct {
	facts Info
	in    *contextReader
	r     *bufio.Reader
	first mp3.Header
	dec   mp3.Decoder
	tag   mp3Tag

	frames int64 // decoded so far
	good   bool  // one of them could be decoded
	ahead
	buf [mp3.MaxSamples]float32
}

// mp3Tag is what a Xing or Info frame, and LAME's extension of it, tell.
type mp3Tag struct {
	present bool
	frames  int64 // 0 when not told
	// delay and padding are samples of a channel that are no audio, at the start and at the end.
	delay, padding int
}

// decoderDelay is how much later than its input a Layer III decoder speaks, which LAME's delay
// leaves out, in samples.
const decoderDelay = 529

func openMP3(ctx context.Context, in *contextReader, opts Options) (decoder, error) {
	head, err := readAt(in, 0, headSize)
	if err != nil {
		return nil, fmt.Errorf("read MP3: %w", err)
	}
	r, err := in.bufferedAt(id3Size(head))
	if err != nil {
		return nil, err
	}
	d := &mp3Decoder{in: in, r: r}
	frame, h, err := d.nextFrame()
	if err != nil {
		return nil, in.invalid("find an MP3 frame", err)
	}
	if h.Layer != 3 {
		return openFFmpeg(MP3, "mp3")(ctx, in, opts)
	}
	d.first = h
	d.facts = Info{Format: MP3, Codec: "mp3", SampleRate: h.Rate, Channels: h.Channels()}
	d.tag = parseMP3Tag(h, frame)
	if d.tag.present {
		if _, err := r.Discard(len(frame)); err != nil {
			return nil, in.invalid("read MP3", err)
		}
		samples := d.tag.frames*int64(h.Samples) - int64(d.tag.delay+d.tag.padding)
		d.facts.Duration = time.Duration(seconds(samples, h.Rate) * float64(time.Second))
	}
	return d, nil
}

// parseMP3Tag reads the tag that encoders put in place of the audio of the first frame (Xing's VBR
// header; "Mp3 info tag" revision 1 of the LAME project; VBRI by Fraunhofer).
func parseMP3Tag(h mp3.Header, frame []byte) (t mp3Tag) {
	side, b := h.SideInfo(frame)
	if side == nil {
		return t
	}
	const vbriAt = 32
	if at := frame[mp3.HeaderSize:]; len(at) > vbriAt+4 && string(at[vbriAt:vbriAt+4]) == "VBRI" {
		t.present = true
		if len(at) >= vbriAt+18 {
			t.frames = int64(be.Uint32(at[vbriAt+14:]))
		}
		return t
	}
	if len(b) < 8 || string(b[:4]) != "Xing" && string(b[:4]) != "Info" {
		return t
	}
	t.present = true
	flags := be.Uint32(b[4:])
	b = b[8:]
	for i, size := range []int{4, 4, 100, 4} { // frames, bytes, table of contents, quality
		if flags>>i&1 == 0 {
			continue
		}
		if len(b) < size {
			return t
		}
		if i == 0 {
			t.frames = int64(be.Uint32(b))
		}
		b = b[size:]
	}
	if len(b) < 24 || !bytes.HasPrefix(b, []byte("LAME")) && !bytes.HasPrefix(b, []byte("Lav")) {
		return t
	}
	both := int(b[21])<<16 | int(b[22])<<8 | int(b[23])
	t.delay = both>>12 + decoderDelay
	t.padding = max(0, both&0xfff-decoderDelay)
	return t
}

func (d *mp3Decoder) info() Info   { return d.facts }
func (d *mp3Decoder) close() error { return nil }

// nextFrame returns the next frame of the stream, which is good until the next read; the caller
// discards it. A header is believed when another one follows, or the end of the file.
func (d *mp3Decoder) nextFrame() ([]byte, mp3.Header, error) {
	for {
		b, err := d.r.Peek(mp3.HeaderSize)
		if err != nil {
			return nil, mp3.Header{}, err
		}
		h, ok := mp3.ParseHeader(b)
		if ok && (d.first.Size == 0 || h.Follows(d.first)) {
			b, err = d.r.Peek(h.Size + mp3.HeaderSize)
			if err != nil && err != io.EOF {
				return nil, h, err
			}
			if len(b) >= h.Size {
				next, ok := mp3.ParseHeader(b[h.Size:])
				if len(b) < h.Size+mp3.HeaderSize || ok && next.Follows(h) || isTag(b[h.Size:]) {
					return b[:h.Size], h, nil
				}
			}
		}
		// Not here: go on to what may be the next sync word.
		b, _ = d.r.Peek(max(mp3.HeaderSize, d.r.Buffered()))
		skip := len(b)
		if i := bytes.IndexByte(b[1:], 0xff); i >= 0 {
			skip = i + 1
		}
		if _, err := d.r.Discard(skip); err != nil {
			return nil, h, err
		}
	}
}

// isTag tells whether one of the tags begins that end an MP3 file.
func isTag(b []byte) bool {
	return bytes.HasPrefix(b, []byte("TAG")) || bytes.HasPrefix(b, []byte("APE")) || bytes.HasPrefix(b, []byte("ID3"))
}

func (d *mp3Decoder) decode(dst []float32) (int, error) { return d.ahead.read(dst, d.decodeFrame) }

// decodeFrame puts the audio of the next frame into d.ready. A frame that cannot be decoded
// sounds as silence, so that times stay right.
func (d *mp3Decoder) decodeFrame() error {
	frame, h, err := d.nextFrame()
	if err != nil {
		if d.in.err != nil {
			return fmt.Errorf("read MP3: %w", d.in.err)
		}
		if d.frames > 0 && !d.good {
			return d.in.invalid("decode MP3", errors.New("no frame could be decoded"))
		}
		return io.EOF
	}
	n, err := d.dec.Decode(frame, d.buf[:])
	if err == nil {
		d.good = true
	}
	if n == 0 {
		n = h.Samples * h.Channels()
		clear(d.buf[:n])
	}
	if _, err := d.r.Discard(len(frame)); err != nil {
		return fmt.Errorf("read MP3: %w", err)
	}
	out := matchChannels(d.buf[:], n, h.Channels(), d.facts.Channels)
	d.ready, d.at = d.trim(out, int64(h.Samples)), 0
	d.frames++
	return nil
}

// matchChannels makes a frame that is mono fit a stereo stream, and the other way round. buf has
// room for both.
func matchChannels(buf []float32, n, from, to int) []float32 {
	switch {
	case from == to:
		return buf[:n]
	case to == 1:
		for i := range n / 2 {
			buf[i] = (buf[2*i] + buf[2*i+1]) * 0.5
		}
		return buf[:n/2]
	default:
		for i := n - 1; i >= 0; i-- {
			buf[2*i], buf[2*i+1] = buf[i], buf[i]
		}
		return buf[:2*n]
	}
}

// trim leaves out what of a frame is the encoder's delay or padding. What follows after as many
// frames as the tag told, in files put together from several, is left whole.
func (d *mp3Decoder) trim(out []float32, samples int64) []float32 {
	start := d.frames * samples
	from := min(samples, max(0, int64(d.tag.delay)-start))
	to := samples
	if d.tag.frames > 0 && d.frames < d.tag.frames {
		to = min(samples, d.tag.frames*samples-int64(d.tag.padding)-start)
	}
	if to <= from {
		return out[:0]
	}
	channels := int64(d.facts.Channels)
	return out[from*channels : to*channels]
}
