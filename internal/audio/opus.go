package audio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/pion/opus"
)

// opusRate is the rate that granule positions count in, and the one Opus is decoded at.
const opusRate = 48000

// maxOpusFrames is the longest Opus packet, 120 ms (RFC 6716 §3.1), in samples of a channel.
const maxOpusFrames = opusRate * 120 / 1000

// opusDecoder reads Opus in Ogg (RFC 7845).
type opusDecoder struct {
	facts  Info
	in     *contextReader
	pages  *oggReader
	serial uint32
	parts  oggPackets
	dec    opus.Decoder
	scale  float32

	headers int   // header packets still to come
	skip    int   // samples of a channel still to drop before the first one
	decoded int64 // samples of a channel decoded since the start of the link, dropped ones too
	origin  int64 // granule position of the first sample decoded
	placed  bool  // origin is known
	ahead
	buf   [2 * maxOpusFrames]float32
	good  bool // some packet could be decoded
	ended bool
}

func newOpusDecoder(in *contextReader, pages *oggReader, serial uint32, head opusHead) (decoder, error) {
	d, err := beginOpus(in, pages, serial, head)
	if err != nil {
		return nil, err
	}
	// The last page's position tells the length (RFC 7845 §4); reading goes on where it was.
	here, err := in.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("seek Ogg: %w", err)
	}
	last, err := lastGranule(in, serial)
	if err != nil {
		return nil, fmt.Errorf("find the last Ogg page: %w", err)
	}
	if _, err := in.Seek(here, io.SeekStart); err != nil {
		return nil, fmt.Errorf("seek Ogg: %w", err)
	}
	length := seconds(last-int64(head.preSkip), opusRate)
	d.facts.Duration = time.Duration(length * float64(time.Second))
	return d, nil
}

// beginOpus makes a decoder that does not know how long the audio is.
func beginOpus(in *contextReader, pages *oggReader, serial uint32, head opusHead) (*opusDecoder, error) {
	d := &opusDecoder{in: in, pages: pages}
	if err := d.begin(serial, head); err != nil {
		return nil, err
	}
	d.facts = Info{
		Format:           Ogg,
		Codec:            "opus",
		SampleRate:       opusRate,
		SourceSampleRate: head.inputRate,
		Channels:         head.channels,
	}
	return d, nil
}

// begin starts a link: a file may be a chain of recordings (RFC 3533 §4).
func (d *opusDecoder) begin(serial uint32, head opusHead) error {
	dec, err := opus.NewDecoderWithOutput(opusRate, head.channels)
	if err != nil {
		return d.in.invalid("start Opus decoder", err)
	}
	d.dec, d.serial, d.skip = dec, serial, head.preSkip
	d.scale = float32(math.Pow(10, float64(head.gain)/(20*256)))
	d.headers, d.decoded, d.origin, d.placed = 1, 0, 0, false // OpusTags is to come
	d.parts = oggPackets{}
	return nil
}

func (d *opusDecoder) info() Info   { return d.facts }
func (d *opusDecoder) close() error { return nil }

func (d *opusDecoder) decode(dst []float32) (int, error) { return d.ahead.read(dst, d.nextPage) }

// nextPage decodes the packets of the next page into d.ready.
func (d *opusDecoder) nextPage() error {
	if d.ended {
		return io.EOF
	}
	page, err := d.pages.next()
	if err != nil {
		if d.in.err != nil {
			return fmt.Errorf("read Ogg: %w", d.in.err)
		}
		if !d.good {
			return d.in.invalid("decode Opus", errors.New("no packet could be decoded"))
		}
		d.ended = true
		return io.EOF
	}
	if page.flags&oggFirst != 0 && bytes.HasPrefix(page.body, []byte("OpusHead")) && page.serial != d.serial {
		return d.nextLink(page)
	}
	if page.serial != d.serial {
		return nil
	}
	before := d.decoded
	if err := d.parts.split(page, d.packet); err != nil {
		return d.in.invalid("decode Opus", err)
	}
	d.trim(page, before)
	return nil
}

// nextLink goes on with the next recording of a chain. One with other channels ends the audio:
// what has been promised for the file no longer holds.
func (d *opusDecoder) nextLink(page oggPage) error {
	head, err := parseOpusHead(page.body)
	if err != nil {
		return d.in.invalid("parse Opus header", err)
	}
	if head.channels != d.facts.Channels || head.family != 0 {
		return fmt.Errorf("change to %d channels within Ogg: %w", head.channels, ErrInvalid)
	}
	return d.begin(page.serial, head)
}

// packet decodes one packet. Silence stands in for one that cannot be decoded, so that the
// times of what follows stay right.
func (d *opusDecoder) packet(packet []byte) error {
	if d.headers > 0 {
		d.headers--
		return nil
	}
	frames := opusPacketFrames(packet)
	if frames == 0 {
		return nil
	}
	channels := d.facts.Channels
	n, err := d.decodePacket(packet)
	if err != nil || n > maxOpusFrames {
		n = frames
		clear(d.buf[:n*channels])
	} else {
		d.good = true
	}
	out := d.buf[:n*channels]
	d.decoded += int64(n)
	if d.skip > 0 {
		drop := min(d.skip, n)
		d.skip -= drop
		out = out[drop*channels:]
	}
	if d.scale != 1 {
		for i := range out {
			out[i] *= d.scale
		}
	}
	d.ready = append(d.ready, out...)
	return nil
}

func (d *opusDecoder) decodePacket(packet []byte) (n int, err error) {
	defer recoverInvalid("decode Opus packet", &err)
	return d.dec.DecodeToFloat32(packet, d.buf[:maxOpusFrames*d.facts.Channels])
}

// trim cuts the end to the position of the last page (RFC 7845 §4.4). The first position tells
// where the stream begins, which is not at 0 when it was cut out of a longer one (§4.3).
func (d *opusDecoder) trim(page oggPage, before int64) {
	if page.granule == noGranule || d.decoded == before {
		return
	}
	if !d.placed {
		d.placed = true
		if page.flags&oggLast == 0 {
			d.origin = page.granule - d.decoded
		}
	}
	if page.flags&oggLast == 0 {
		return
	}
	excess := d.decoded - (page.granule - d.origin)
	if excess <= 0 {
		return
	}
	cut := min(excess, d.decoded-before) * int64(d.facts.Channels)
	d.ready = d.ready[:max(0, int64(len(d.ready))-cut)]
}

// opusPacketFrames is the length of a packet in samples of a channel at 48 kHz, 0 for one that
// is malformed (RFC 6716 §3.1, §3.2).
func opusPacketFrames(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	config := packet[0] >> 3
	var size int
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		size = []int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		size = []int{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		size = 120 << (config & 3)
	}
	count := 1
	switch packet[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		count = int(packet[1] & 0x3f)
	}
	if size*count > maxOpusFrames {
		return 0
	}
	return size * count
}

// lastGranule is the position of the last page of a stream that is found near the end of the
// file, 0 when there is none.
func lastGranule(in *contextReader, serial uint32) (int64, error) {
	const tail = 128 << 10
	b, err := readAt(in, max(0, in.size-tail), tail)
	if err != nil {
		return 0, err
	}
	for end := len(b); ; {
		at := bytes.LastIndex(b[:end], []byte("OggS"))
		if at < 0 {
			return 0, nil
		}
		end = at
		if len(b)-at < oggHeaderSize || le.Uint32(b[at+14:]) != serial {
			continue
		}
		if granule := int64(le.Uint64(b[at+6:])); granule > 0 {
			return granule, nil
		}
	}
}
