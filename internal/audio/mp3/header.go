// Package mp3 decodes MPEG audio Layer III frames: MPEG-1, MPEG-2 and the low rates of MPEG-2.5.
// It finds no frames in a file and knows no tags: package audio does. Start at Decoder.
package mp3

// Header is the header of an MPEG audio frame (ISO/IEC 11172-3 §2.4.1.3; 13818-3 §2.4.1.3;
// MPEG-2.5 is Fraunhofer's extension to low rates).
type Header struct {
	lsf      bool // MPEG-2 or 2.5: half the granules, low rates
	mpeg25   bool
	Layer    int // 1, 2 or 3
	crc      bool
	Rate     int // Hz
	mode     int // 0 stereo, 1 joint stereo, 2 dual channel, 3 mono
	modeExt  int // joint stereo: bit 0 intensity, bit 1 mid/side
	rateCode int
	Size     int // bytes of the frame, header included
	Samples  int // of a channel
}

// Bit rates in kbit/s by their code; code 0 is the free format, 15 is forbidden.
var (
	mpeg1BitRates = [4][16]int{
		1: {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		2: {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		3: {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	}
	mpeg2BitRates = [4][16]int{
		1: {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		2: {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
		3: {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
	mpegRates = [3]int{44100, 48000, 32000}
)

// HeaderSize is the size of a frame header in bytes.
const HeaderSize = 4

// ParseHeader reads the header at the start of b. Free-format frames are not recognised:
// their length is told nowhere.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) < HeaderSize || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return h, false
	}
	version, layer := b[1]>>3&3, b[1]>>1&3
	bitRate, rate := b[2]>>4, b[2]>>2&3
	const reservedVersion, reservedLayer, reservedEmphasis = 1, 0, 2
	if version == reservedVersion || layer == reservedLayer || rate == 3 || bitRate == 0 || bitRate == 15 || b[3]&3 == reservedEmphasis {
		return h, false
	}
	h = Header{
		lsf:      version != 3,
		mpeg25:   version == 0,
		Layer:    4 - int(layer),
		crc:      b[1]&1 == 0,
		Rate:     mpegRates[rate],
		rateCode: int(rate),
		mode:     int(b[3] >> 6),
		modeExt:  int(b[3] >> 4 & 3),
	}
	kbps := mpeg1BitRates[h.Layer][bitRate]
	if h.lsf {
		kbps = mpeg2BitRates[h.Layer][bitRate]
		h.Rate /= 2
	}
	if h.mpeg25 {
		h.Rate /= 2
	}
	padding := int(b[2] >> 1 & 1)
	switch {
	case h.Layer == 1:
		h.Samples = 384
		h.Size = (12*kbps*1000/h.Rate + padding) * 4
	case h.Layer == 3 && h.lsf:
		h.Samples = 576
		h.Size = 72*kbps*1000/h.Rate + padding
	default:
		h.Samples = 1152
		h.Size = 144*kbps*1000/h.Rate + padding
	}
	return h, h.Size > HeaderSize
}

// Channels is 1 for mono, else 2.
func (h Header) Channels() int {
	if h.mode == 3 {
		return 1
	}
	return 2
}

// Follows tells whether a frame can belong to the same stream as another one.
func (h Header) Follows(other Header) bool {
	return h.lsf == other.lsf && h.mpeg25 == other.mpeg25 && h.Layer == other.Layer && h.Rate == other.Rate
}

// sideInfoSize is the length of a Layer III frame's side information in bytes.
func (h Header) sideInfoSize() int {
	switch {
	case h.lsf && h.mode == 3:
		return 9
	case h.lsf, h.mode == 3:
		return 17
	default:
		return 32
	}
}

// SideInfo returns the side information of a Layer III frame, which encoders leave zero in a frame
// that carries a Xing or Info tag, and what follows it. It is nil when the frame is too short.
func (h Header) SideInfo(frame []byte) (side, main []byte) {
	start := HeaderSize
	if h.crc {
		start += 2
	}
	end := start + h.sideInfoSize()
	if len(frame) < end {
		return nil, nil
	}
	return frame[start:end], frame[end:]
}
