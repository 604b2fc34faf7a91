package audio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Ogg pages (RFC 3533 §6).
const (
	oggHeaderSize = 27
	oggContinued  = 1 << 0
	oggFirst      = 1 << 1
	oggLast       = 1 << 2
	// noGranule marks a page on which no packet ends.
	noGranule = -1
	// maxOggPacket bounds a packet. Opus packets are below 62 kB; header packets carry cover pictures.
	maxOggPacket = 16 << 20
)

// oggPage is one page; body is good until the next page is read.
type oggPage struct {
	flags   byte
	granule int64
	serial  uint32
	lacing  []byte
	body    []byte
}

// oggReader reads pages. Bytes between pages, and pages whose checksum is wrong, are passed over.
type oggReader struct {
	r     *bufio.Reader
	table [255]byte
	buf   [255 * 255]byte
}

// next returns the next sound page, or io.EOF.
func (o *oggReader) next() (oggPage, error) {
	for {
		head, err := o.r.Peek(oggHeaderSize)
		if err != nil {
			if len(head) > 0 && err == io.EOF {
				return oggPage{}, io.EOF // a page cut short
			}
			return oggPage{}, err
		}
		if string(head[:4]) != "OggS" || head[4] != 0 {
			skip := 1
			if i := bytes.IndexByte(head[1:], 'O'); i >= 0 {
				skip += i
			} else {
				skip = len(head)
			}
			if _, err := o.r.Discard(skip); err != nil {
				return oggPage{}, err
			}
			continue
		}
		segments := int(head[26])
		// The largest page, 65,307 bytes, fits the buffer of the reader (readBuffer).
		head, err = o.r.Peek(oggHeaderSize + segments)
		if err != nil {
			return oggPage{}, err
		}
		page := oggPage{flags: head[5], granule: int64(le.Uint64(head[6:])), serial: le.Uint32(head[14:])}
		page.lacing = append(o.table[:0], head[oggHeaderSize:]...)
		size := 0
		for _, l := range page.lacing {
			size += int(l)
		}
		want := le.Uint32(head[22:])
		crc := oggCRC(0, head[:22])
		crc = oggCRC(crc, []byte{0, 0, 0, 0})
		crc = oggCRC(crc, head[26:])
		whole, err := o.r.Peek(len(head) + size)
		if err != nil {
			return oggPage{}, err
		}
		page.body = append(o.buf[:0], whole[len(head):]...)
		if oggCRC(crc, page.body) != want {
			if _, err := o.r.Discard(4); err != nil {
				return oggPage{}, err
			}
			continue
		}
		if _, err := o.r.Discard(len(whole)); err != nil {
			return oggPage{}, err
		}
		return page, nil
	}
}

// oggCRCTable is of the polynomial 0x04c11db7, not reflected (RFC 3533 §6, field 7).
var oggCRCTable = func() (table [256]uint32) {
	for i := range table {
		c := uint32(i) << 24
		for range 8 {
			if c&0x80000000 != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		table[i] = c
	}
	return table
}()

func oggCRC(crc uint32, b []byte) uint32 {
	for _, c := range b {
		crc = crc<<8 ^ oggCRCTable[byte(crc>>24)^c]
	}
	return crc
}

// oggPackets joins the packets of one logical stream.
type oggPackets struct {
	partial []byte
	broken  bool // the packet under way lost its beginning
}

// split calls each with every packet that ends on the page. A packet is good during the call.
func (p *oggPackets) split(page oggPage, each func(packet []byte) error) error {
	if page.flags&oggContinued == 0 {
		p.partial, p.broken = p.partial[:0], false
	} else if len(p.partial) == 0 {
		p.broken = true
	}
	body := page.body
	for _, l := range page.lacing {
		if !p.broken {
			if len(p.partial)+int(l) > maxOggPacket {
				return fmt.Errorf("packet of more than %d bytes", maxOggPacket)
			}
			p.partial = append(p.partial, body[:l]...)
		}
		body = body[l:]
		if l == 255 {
			continue
		}
		if !p.broken {
			if err := each(p.partial); err != nil {
				return err
			}
		}
		p.partial, p.broken = p.partial[:0], false
	}
	return nil
}

// openOgg finds the audio stream in an Ogg file. Opus is decoded here; Vorbis, FLAC and Speex by ffmpeg.
func openOgg(ctx context.Context, in *contextReader, opts Options) (decoder, error) {
	r, err := in.bufferedAt(0)
	if err != nil {
		return nil, err
	}
	pages := &oggReader{r: r}
	for {
		page, err := pages.next()
		if err != nil {
			return nil, in.invalid("read Ogg", err)
		}
		if page.flags&oggFirst == 0 {
			return nil, fmt.Errorf("no audio stream in Ogg: %w", ErrUnsupported)
		}
		switch {
		case bytes.HasPrefix(page.body, []byte("OpusHead")):
			head, err := parseOpusHead(page.body)
			if err != nil {
				return nil, in.invalid("parse Opus header", err)
			}
			if head.family != 0 { // more than two channels: several Opus streams in one
				return openFFmpeg(Ogg, "ogg")(ctx, in, opts)
			}
			return newOpusDecoder(in, pages, page.serial, head)
		case bytes.HasPrefix(page.body, []byte("\x01vorbis")),
			bytes.HasPrefix(page.body, []byte("\x7fFLAC")),
			bytes.HasPrefix(page.body, []byte("Speex   ")):
			return openFFmpeg(Ogg, "ogg")(ctx, in, opts)
		}
	}
}

// opusHead is the identification header of Opus in Ogg (RFC 7845 §5.1).
type opusHead struct {
	channels  int
	preSkip   int // samples at 48 kHz
	inputRate int // Hz, of what was encoded; 0 when unknown
	gain      int // in 1/256 dB
	family    int
}

func parseOpusHead(b []byte) (opusHead, error) {
	if len(b) < 19 || string(b[:8]) != "OpusHead" {
		return opusHead{}, errors.New("header is too short")
	}
	if b[8]&0xf0 != 0 {
		return opusHead{}, fmt.Errorf("version %d", b[8])
	}
	h := opusHead{
		channels:  int(b[9]),
		preSkip:   int(le.Uint16(b[10:])),
		inputRate: int(le.Uint32(b[12:])),
		gain:      int(int16(le.Uint16(b[16:]))),
		family:    int(b[18]),
	}
	if h.inputRate > maxSampleRate {
		h.inputRate = 0
	}
	if h.channels == 0 || h.family == 0 && h.channels > 2 {
		return opusHead{}, fmt.Errorf("%d channels", h.channels)
	}
	return h, nil
}
