package audio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
)

// At 16 kHz nothing is resampled, so that what is read can be compared sample for sample.
func TestWAVCodings(t *testing.T) {
	const frames = 16000
	left, right := voice(16000, frames, 0), voice(16000, frames, 1)
	stereo, want := interleave(left, right), mean(left, right)
	encode := func(one func(b []byte, v float64) []byte) []byte {
		var out []byte
		for _, v := range stereo {
			out = one(out, float64(v))
		}
		return out
	}
	le := binary.LittleEndian
	tests := []struct {
		name, codec string
		format      chunk
		data        []byte
		minSNR      float64
	}{
		{"PCM 8", "pcm_u8", format(1, 2, 16000, 8), encode(func(b []byte, v float64) []byte { return append(b, byte(math.Round(v*127)+128)) }), 25},
		{"PCM 16", "pcm_s16le", format(1, 2, 16000, 16), pcm16(stereo), 75},
		{"PCM 24", "pcm_s24le", format(1, 2, 16000, 24), encode(func(b []byte, v float64) []byte {
			n := int32(v * 8388607)
			return append(b, byte(n), byte(n>>8), byte(n>>16))
		}), 115},
		{"PCM 32", "pcm_s32le", format(1, 2, 16000, 32), encode(func(b []byte, v float64) []byte { return le.AppendUint32(b, uint32(int32(v*2147483647))) }), 130},
		{"PCM 20 in 24, extensible", "pcm_s24le", extensible(formatAligned(1, 2, 16000, 6, 20)), encode(func(b []byte, v float64) []byte {
			n := int32(v*524287) << 4
			return append(b, byte(n), byte(n>>8), byte(n>>16))
		}), 90},
		{"float 32", "pcm_f32le", format(3, 2, 16000, 32), encode(func(b []byte, v float64) []byte { return le.AppendUint32(b, math.Float32bits(float32(v))) }), 140},
		{"float 64", "pcm_f64le", format(3, 2, 16000, 64), encode(func(b []byte, v float64) []byte { return le.AppendUint64(b, math.Float64bits(v)) }), 140},
		{"float 32, extensible", "pcm_f32le", extensible(format(3, 2, 16000, 32)), encode(func(b []byte, v float64) []byte { return le.AppendUint32(b, math.Float32bits(float32(v))) }), 140},
		{"PCM 16, extensible", "pcm_s16le", extensible(format(1, 2, 16000, 16)), pcm16(stereo), 75},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, info := decode(t, riff(test.format, chunk{"data", test.data}), audio.Options{})
			if want := (audio.Info{Format: audio.WAV, Codec: test.codec, SampleRate: 16000, Channels: 2, Duration: time.Second}); info != want {
				t.Errorf("Info = %+v, want %+v", info, want)
			}
			if len(got) != frames {
				t.Fatalf("got %d samples, want %d", len(got), frames)
			}
			if db, _ := snr(got, want, 0); db < test.minSNR {
				t.Errorf("signal to noise %.1f dB, want at least %.0f", db, test.minSNR)
			}
		})
	}
}

// All 256 octets against the values ffmpeg gives them.
func TestG711EveryOctet(t *testing.T) {
	octets := make([]byte, 16*256)
	for i := range octets {
		octets[i] = byte(i)
	}
	for _, test := range []struct {
		name   string
		tag    int
		decode func([]float32, []byte) []float32
	}{{"mu-law", 7, audio.DecodeMuLaw}, {"A-law", 6, audio.DecodeALaw}} {
		t.Run(test.name, func(t *testing.T) {
			media := riff(format(test.tag, 1, 16000, 8), chunk{"data", octets})
			want := reference(t, media, "wav")
			got, _ := decode(t, media, audio.Options{})
			direct := test.decode(nil, octets)
			for i := range want {
				if got[i] != want[i] || direct[i] != want[i] {
					t.Fatalf("octet %#x = %v and %v, want %v", byte(i), got[i], direct[i], want[i])
				}
			}
		})
	}
}

func TestWAVHeaders(t *testing.T) {
	const frames = 8000
	samples := voice(16000, frames, 0)
	plain := wav16(16000, 1, samples)
	fmt16, data := format(1, 1, 16000, 16), chunk{"data", pcm16(samples)}
	at := bytes.Index(plain, []byte("data")) + 4
	with := func(edit func(b []byte)) []byte {
		b := bytes.Clone(plain)
		edit(b)
		return b
	}
	size := func(n uint32) func([]byte) { return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], n) } }
	rf64 := func() []byte {
		ds64 := make([]byte, 28)
		binary.LittleEndian.PutUint64(ds64[8:], uint64(len(data.body)))
		b := riff(chunk{"ds64", ds64}, fmt16, data)
		copy(b, "RF64")
		binary.LittleEndian.PutUint32(b[4:], 0xFFFFFFFF)
		binary.LittleEndian.PutUint32(b[bytes.Index(b, []byte("data"))+4:], 0xFFFFFFFF)
		return b
	}
	tests := []struct {
		name   string
		media  []byte
		frames int
	}{
		{"LIST and JUNK before the samples, odd lengths padded", riff(chunk{"JUNK", make([]byte, 27)}, fmt16, chunk{"LIST", []byte("INFOx")}, chunk{"fact", make([]byte, 4)}, data), frames},
		{"chunks behind the samples are no audio", riff(fmt16, data, chunk{"LIST", make([]byte, 1000)}), frames},
		{"streamed, length all ones", with(size(0xFFFFFFFF)), frames},
		{"streamed, length 0 and RIFF length 0", with(func(b []byte) { size(0)(b); binary.LittleEndian.PutUint32(b[4:], 0) }), frames},
		{"streamed, length of an empty file", with(func(b []byte) { size(0)(b); binary.LittleEndian.PutUint32(b[4:], 36) }), frames},
		{"streamed by sox, length 0x7FFFFFFF", with(size(0x7FFFFFFF - 36)), frames},
		{"cut: the file ends before the samples promised", plain[:44+5000], 2500},
		{"cut in the middle of a sample", plain[:44+5001], 2500},
		{"length not of whole samples", with(size(5001)), 2500},
		{"RF64", rf64(), frames},
		{"first fmt chunk with 18 bytes", riff(chunk{"fmt ", append(fmt16.body, 0, 0)}, data), frames},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, info := decode(t, test.media, audio.Options{})
			if len(got) != test.frames {
				t.Fatalf("got %d samples, want %d", len(got), test.frames)
			}
			if want := time.Duration(test.frames) * time.Second / 16000; info.Duration != want {
				t.Errorf("Duration = %v, want %v", info.Duration, want)
			}
			if db, _ := snr(got, samples[:test.frames], 0); db < 70 {
				t.Errorf("signal to noise %.1f dB", db)
			}
		})
	}
}

func TestChannels(t *testing.T) {
	const frames = 16000
	left, right := voice(8000, frames, 0), voice(8000, frames, 1)
	media := wav16(8000, 2, interleave(left, right))
	only := func(c int) []float32 { s, _ := decode(t, media, audio.Options{Channel: c}); return s }
	mono := func(v []float32) []float32 { s, _ := decode(t, wav16(8000, 1, v), audio.Options{}); return s }

	t.Run("one channel by number is that channel alone", func(t *testing.T) {
		for c, v := range [][]float32{left, right} {
			if db, _ := snr(only(c+1), mono(v), 0); db < 120 {
				t.Errorf("channel %d: %.1f dB", c+1, db)
			}
		}
	})
	t.Run("one that is not there is refused", func(t *testing.T) {
		if _, err := audio.Open(context.Background(), bytes.NewReader(media), audio.Options{Channel: 3}); !errors.Is(err, audio.ErrInvalid) {
			t.Errorf("error = %v, want ErrInvalid", err)
		}
	})
	t.Run("all channels in step", func(t *testing.T) {
		s, err := audio.OpenChannels(context.Background(), bytes.NewReader(media), audio.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var got [2][]float32
		for {
			a, b := make([]float32, 777), make([]float32, 900)
			n, err := s.ReadChannels([][]float32{a, b})
			got[0], got[1] = append(got[0], a[:n]...), append(got[1], b[:n]...)
			if err != nil {
				break
			}
		}
		for c := range got {
			if want := only(c + 1); len(got[c]) != len(want) {
				t.Errorf("channel %d has %d samples, want %d", c+1, len(got[c]), len(want))
			} else if db, _ := snr(got[c], want, 0); db < 200 {
				t.Errorf("channel %d: %.1f dB", c+1, db)
			}
		}
	})
	for _, n := range []int{3, 6} {
		t.Run("the mean of "+itoa(n), func(t *testing.T) {
			got, info := decode(t, wav16(16000, n, voices(16000, frames, n)), audio.Options{})
			parts := make([][]float32, n)
			for c := range parts {
				parts[c] = voice(16000, frames, c)
			}
			if info.Channels != n {
				t.Errorf("Channels = %d, want %d", info.Channels, n)
			}
			if db, _ := snr(got, mean(parts...), 0); db < 70 {
				t.Errorf("signal to noise %.1f dB", db)
			}
		})
	}
}
