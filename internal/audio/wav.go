package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Format tags of a WAVE fmt chunk (Microsoft mmreg.h; RFC 2361).
const (
	wavePCM        = 0x0001
	waveFloat      = 0x0003
	waveALaw       = 0x0006
	waveMuLaw      = 0x0007
	waveExtensible = 0xFFFE
)

// waveGUIDTail is what all sub-format GUIDs of WAVE_EXTENSIBLE share behind the format tag.
var waveGUIDTail = []byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71}

// WAVE header sizes that mean "not known yet", as programs write them that stream.
const unknownSize = 0xFFFFFFFF

// wavHeader is what the chunks before the samples say.
type wavHeader struct {
	tag        uint16
	channels   int
	rate       int
	blockAlign int
	bits       int
	dataSize   int64 // bytes of samples; -1 means up to the end of the file
	dataStart  int64
}

// parseWAVHeader reads the chunks up to and including the header of the data chunk. size is
// that of the whole file. It understands RIFF, RF64 and BW64 (EBU Tech 3306; ITU-R BS.2088).
func parseWAVHeader(r *bufio.Reader, size int64) (wavHeader, error) {
	var h wavHeader
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return h, fmt.Errorf("read RIFF header: %w", noEOF(err))
	}
	if id := string(riff[:4]); id != "RIFF" && id != "RF64" && id != "BW64" || string(riff[8:]) != "WAVE" {
		return h, errors.New("no RIFF/WAVE header")
	}
	riffSize := int64(le.Uint32(riff[4:]))
	at := int64(len(riff))
	longData := int64(-1) // size of the data chunk from ds64
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return h, fmt.Errorf("read chunk header: %w", noEOF(err))
		}
		at += int64(len(chunk))
		length := int64(le.Uint32(chunk[4:]))
		id := string(chunk[:4])
		if id == "data" {
			if h.tag == 0 {
				return h, errors.New("data chunk before fmt chunk")
			}
			h.dataStart = at
			h.dataSize = dataSize(length, longData, riffSize, at, size)
			return h, nil
		}
		read := int64(0)
		if id == "fmt " || id == "ds64" {
			body := make([]byte, min(length, 64))
			if _, err := io.ReadFull(r, body); err != nil {
				return h, fmt.Errorf("read %s chunk: %w", id, noEOF(err))
			}
			read = int64(len(body))
			if id == "fmt " {
				if err := h.parseFormat(body); err != nil {
					return h, err
				}
			} else if len(body) >= 16 && le.Uint64(body[8:]) < math.MaxInt64 {
				longData = int64(le.Uint64(body[8:]))
			}
		}
		// Chunks are padded to an even length; the pad is not counted in it.
		skip := length - read + length&1
		if _, err := io.CopyN(io.Discard, r, skip); err != nil {
			return h, fmt.Errorf("skip %q chunk: %w", id, noEOF(err))
		}
		at += length + length&1
	}
}

// dataSize decides how many bytes of samples there are. Programs that cannot go back write 0,
// 2³²-1 or another huge length, and a recording may have been cut: what the file holds counts.
func dataSize(length, long, riffSize, start, fileSize int64) int64 {
	if length == unknownSize && long >= 0 {
		length = long
	}
	// A length of 0 is the truth only where RIFF counts more chunks behind.
	streamed := length == 0 && (riffSize == unknownSize || riffSize+8 <= start)
	if length == unknownSize || streamed || length > fileSize-start {
		return -1
	}
	return length
}

// parseFormat reads the fmt chunk and checks that its numbers fit each other.
func (h *wavHeader) parseFormat(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("fmt chunk of %d bytes", len(b))
	}
	h.tag = le.Uint16(b)
	h.channels = int(le.Uint16(b[2:]))
	h.rate = int(le.Uint32(b[4:]))
	h.blockAlign = int(le.Uint16(b[12:]))
	h.bits = int(le.Uint16(b[14:]))
	if h.tag == waveExtensible {
		if len(b) < 40 || !bytes.Equal(b[26:40], waveGUIDTail) {
			return errors.New("WAVE_EXTENSIBLE without a known sub-format")
		}
		h.tag = le.Uint16(b[24:])
	}
	switch {
	case h.tag == 0:
		return errors.New("format tag 0")
	case h.channels == 0:
		return errors.New("no channels")
	case h.channels > maxChannels:
		return fmt.Errorf("%d channels", h.channels)
	case h.rate == 0 || h.rate > maxSampleRate:
		return fmt.Errorf("sample rate of %d Hz", uint32(h.rate))
	case h.blockAlign == 0:
		return errors.New("block align of 0")
	}
	return nil
}

// pcmKind is a coding of single samples.
type pcmKind struct {
	codec   string
	bytes   int
	convert func(dst []float32, src []byte)
}

// kind finds the sample coding; ok is false for codings that are not read here. Samples of 20
// bits, say, sit in the upper bits of 24, so it is the size of their container that matters.
func (h *wavHeader) kind() (k pcmKind, ok bool, err error) {
	if h.tag != wavePCM && h.tag != waveFloat && h.tag != waveALaw && h.tag != waveMuLaw {
		return k, false, nil
	}
	if h.blockAlign%h.channels != 0 {
		return k, false, fmt.Errorf("block align of %d for %d channels", h.blockAlign, h.channels)
	}
	width := h.blockAlign / h.channels
	if h.bits > 8*width {
		return k, false, fmt.Errorf("%d bits in samples of %d bytes", h.bits, width)
	}
	switch {
	case h.tag == wavePCM && width == 1:
		k = pcmKind{"pcm_u8", 1, convertU8}
	case h.tag == wavePCM && width == 2:
		k = pcmKind{"pcm_s16le", 2, convertS16}
	case h.tag == wavePCM && width == 3:
		k = pcmKind{"pcm_s24le", 3, convertS24}
	case h.tag == wavePCM && width == 4:
		k = pcmKind{"pcm_s32le", 4, convertS32}
	case h.tag == waveFloat && width == 4:
		k = pcmKind{"pcm_f32le", 4, convertF32}
	case h.tag == waveFloat && width == 8:
		k = pcmKind{"pcm_f64le", 8, convertF64}
	case h.tag == waveALaw && width == 1:
		k = pcmKind{"pcm_alaw", 1, convertALaw}
	case h.tag == waveMuLaw && width == 1:
		k = pcmKind{"pcm_mulaw", 1, convertMuLaw}
	default:
		return k, false, fmt.Errorf("format 0x%04x with samples of %d bytes", h.tag, width)
	}
	return k, true, nil
}

// wavDecoder reads PCM samples.
type wavDecoder struct {
	facts Info
	in    *contextReader
	r     *bufio.Reader
	kind  pcmKind
	left  int64 // bytes; -1 means up to the end
	raw   []byte
}

func openWAV(ctx context.Context, in *contextReader, opts Options) (decoder, error) {
	r, err := in.bufferedAt(0)
	if err != nil {
		return nil, err
	}
	h, err := parseWAVHeader(r, in.size)
	if err != nil {
		return nil, in.invalid("parse WAV header", err)
	}
	kind, ok, err := h.kind()
	if err != nil {
		return nil, in.invalid("parse WAV header", err)
	}
	if !ok { // ADPCM, GSM 6.10 and the like
		return openFFmpeg(WAV, "wav")(ctx, in, opts)
	}
	held := in.size - h.dataStart
	if h.dataSize >= 0 {
		held = min(held, h.dataSize)
	}
	frames := held / int64(h.blockAlign)
	return &wavDecoder{
		facts: Info{
			Format:     WAV,
			Codec:      kind.codec,
			SampleRate: h.rate,
			Channels:   h.channels,
			Duration:   time.Duration(seconds(frames, h.rate) * float64(time.Second)),
		},
		in: in, r: r, kind: kind, left: h.dataSize,
	}, nil
}

func (d *wavDecoder) info() Info   { return d.facts }
func (d *wavDecoder) close() error { return nil }

func (d *wavDecoder) decode(dst []float32) (int, error) {
	want := len(dst) * d.kind.bytes
	if d.left >= 0 {
		want = int(min(int64(want), d.left))
	}
	if cap(d.raw) < want {
		d.raw = make([]byte, want)
	}
	got, err := io.ReadFull(d.r, d.raw[:want])
	if d.in.err != nil { // the storage's, which may look like the end of a cut file
		return 0, fmt.Errorf("read WAV samples: %w", d.in.err)
	}
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("read WAV samples: %w", err)
	}
	if d.left >= 0 {
		d.left -= int64(got)
	}
	// A frame that is cut short at the end is left out.
	n := got / d.kind.bytes
	n -= n % d.facts.Channels
	if n == 0 {
		return 0, io.EOF
	}
	d.kind.convert(dst[:n], d.raw)
	return n, nil
}
