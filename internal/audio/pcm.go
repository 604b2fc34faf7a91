package audio

import "math"

// The converters turn len(dst) samples of src into floats of full scale 1. They are plain loops
// with the bounds known up front: a call centre's files are mostly these.

func convertU8(dst []float32, src []byte) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = float32(int(src[i])-128) / 128
	}
}

func convertS16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = float32(int16(le.Uint16(src[2*i:]))) / 32768
	}
}

func convertS24(dst []float32, src []byte) {
	src = src[:3*len(dst)]
	for i := range dst {
		b := src[3*i : 3*i+3]
		dst[i] = float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
	}
}

func convertS32(dst []float32, src []byte) {
	src = src[:4*len(dst)]
	for i := range dst {
		dst[i] = float32(int32(le.Uint32(src[4*i:]))) / (1 << 31)
	}
}

func convertF32(dst []float32, src []byte) {
	src = src[:4*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
	}
}

func convertF64(dst []float32, src []byte) {
	src = src[:8*len(dst)]
	for i := range dst {
		dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
	}
}

func convertMuLaw(dst []float32, src []byte) {
	for i, b := range src[:len(dst)] {
		dst[i] = muLaw[b]
	}
}

func convertALaw(dst []float32, src []byte) {
	for i, b := range src[:len(dst)] {
		dst[i] = aLaw[b]
	}
}

// muLaw and aLaw expand ITU-T G.711 octets to samples of full scale 1.
var muLaw, aLaw = expandMuLaw(), expandALaw()

func expandMuLaw() (table [256]float32) {
	for i := range table {
		u := ^byte(i)
		v := ((int(u&0x0f)<<3)+0x84)<<(u>>4&7) - 0x84
		if u&0x80 != 0 {
			v = -v
		}
		table[i] = float32(v) / 32768
	}
	return table
}

func expandALaw() (table [256]float32) {
	for i := range table {
		a := byte(i) ^ 0x55
		v := int(a&0x0f)<<4 + 8
		if exponent := a >> 4 & 7; exponent > 0 {
			v = (v + 0x100) << (exponent - 1)
		}
		if a&0x80 == 0 {
			v = -v
		}
		table[i] = float32(v) / 32768
	}
	return table
}

// DecodeMuLaw appends the samples that G.711 mu-law octets stand for.
func DecodeMuLaw(dst []float32, octets []byte) []float32 {
	for _, b := range octets {
		dst = append(dst, muLaw[b])
	}
	return dst
}

// DecodeALaw appends the samples that G.711 A-law octets stand for.
func DecodeALaw(dst []float32, octets []byte) []float32 {
	for _, b := range octets {
		dst = append(dst, aLaw[b])
	}
	return dst
}
