package audio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/dictum/dictum/internal/audio"
)

// fuzzOpen holds Open and reading to their contract on any bytes. ffmpeg is out of reach, so that
// it is our own code that is tried.
func fuzzOpen(t *testing.T, media []byte) {
	s, err := audio.Open(context.Background(), bytes.NewReader(media), audio.Options{FFmpeg: "/nowhere/ffmpeg"})
	if err != nil {
		if !errors.Is(err, audio.ErrInvalid) && !errors.Is(err, audio.ErrUnsupported) && !errors.Is(err, audio.ErrNoFFmpeg) {
			t.Fatalf("error of no kind: %v", err)
		}
		return
	}
	defer s.Close()
	info := s.Info()
	if info.SampleRate < 1 || info.Channels < 1 || info.Duration < 0 || info.Format == "" || info.Codec == "" {
		t.Fatalf("Info = %+v", info)
	}
	buf := make([]float32, 4096)
	total := 0
	for total < 1<<16 {
		n, err := s.ReadSamples(buf)
		for _, v := range buf[:n] {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("sample %v", v)
			}
		}
		total += n
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, audio.ErrInvalid) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if n == 0 {
			t.Fatal("neither samples nor an error")
		}
	}
}

func FuzzWAV(f *testing.F) {
	samples := voice(8000, 300, 0)
	f.Add(wav16(8000, 1, samples))
	f.Add(riff(extensible(format(3, 2, 44100, 32)), chunk{"data", make([]byte, 64)}))
	f.Add(riff(chunk{"JUNK", make([]byte, 3)}, format(7, 1, 8000, 8), chunk{"data", make([]byte, 33)}))
	f.Add(riff(format(1, 6, 48000, 24), chunk{"data", make([]byte, 90)}))
	f.Fuzz(func(t *testing.T, media []byte) {
		if len(media) >= 12 {
			copy(media, "RIFF")
			copy(media[8:], "WAVE")
		}
		fuzzOpen(t, media)
	})
}

// oggPage builds a page with a right checksum out of what the fuzzer gives, which could not guess it.
func oggPage(flags byte, granule uint64, packets ...[]byte) []byte {
	b := []byte{'O', 'g', 'g', 'S', 0, flags}
	for i := range 8 {
		b = append(b, byte(granule>>(8*i)))
	}
	b = append(b, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	var body []byte
	for _, p := range packets {
		body = append(body, p...)
		for n := len(p); ; n -= 255 {
			b = append(b, byte(min(n, 255)))
			b[26]++
			if n < 255 {
				break
			}
		}
	}
	b = append(b, body...)
	var crc uint32
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	for i := range 4 {
		b[22+i] = byte(crc >> (8 * i))
	}
	return b
}

var opusHead = []byte("OpusHead\x01\x01\x38\x01\x80\x3e\x00\x00\x00\x00\x00")

func FuzzOgg(f *testing.F) {
	f.Add(opusHead, []byte{0x48, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{0xfc, 9, 9, 9, 9}, uint64(2000), byte(4))
	f.Add(opusHead, []byte{0x0b, 0x83, 1, 1, 5, 6, 7, 8}, []byte{0x7b, 0x41, 0}, uint64(1<<63), byte(1))
	f.Add([]byte("OpusHead\x01\x02\xff\xff\x00\x00\x00\x00\x00\x80\x00"), []byte{0x08}, bytes.Repeat([]byte{0x5c, 3}, 100), uint64(0), byte(0))
	f.Fuzz(func(t *testing.T, head, one, two []byte, granule uint64, flags byte) {
		if len(head) > 254 || len(one) > 9000 || len(two) > 9000 {
			return
		}
		media := oggPage(2, 0, head)
		media = append(media, oggPage(0, 0, []byte("OpusTags"))...)
		media = append(media, oggPage(flags, granule, one, two, one)...)
		media = append(media, oggPage(flags|4, granule+960, two)...)
		fuzzOpen(t, media)
		fuzzOpen(t, append([]byte("OggS"), head...))
	})
}

func FuzzOpen(f *testing.F) {
	for _, seed := range []string{
		"", "RIFF\x00\x00\x00\x00WAVE", "fLaC\x00\x00\x00\x22", "OggS\x00\x02", "#!AMR\n\x3c", "#!AMR-WB\n\x7c", "\x1a\x45\xdf\xa3\x87\x42\x82\x84webm",
		"\x00\x00\x00\x18ftypM4A ", "ID3\x04\x00\x00\x00\x00\x00\x02zz\xff\xfb\x90\x64", "PK\x03\x04", "\xff\xd8\xff\xe0",
	} {
		f.Add([]byte(seed))
	}
	f.Add(amrFrames("sdn"))
	f.Add(bytes.Repeat(append([]byte{0xff, 0xe3, 0x18, 0xc4}, make([]byte, 68)...), 4)) // MPEG-2.5, 8 kbit/s at 8 kHz
	f.Fuzz(fuzzOpen)
}
