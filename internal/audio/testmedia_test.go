package audio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/dictum/dictum/internal/audio"
)

// voice is a test signal with the marks of speech: harmonics of a gliding pitch under a syllable
// rhythm, with pauses, all below 3.4 kHz. Channel c differs in pitch and rhythm. Full scale is 1.
func voice(rate, frames, c int) []float32 {
	out := make([]float32, frames)
	phase := 0.0
	for i := range out {
		t := float64(i) / float64(rate)
		pitch := 140 + 40*float64(c) + 25*math.Sin(2*math.Pi*0.7*t)
		phase += pitch / float64(rate)
		rhythm := math.Max(0, math.Sin(2*math.Pi*(2.1+0.6*float64(c))*t))
		var v float64
		for h := 1.0; h*pitch < 3000; h++ {
			v += math.Sin(2*math.Pi*h*phase+h*h) / (h + 2)
		}
		out[i] = float32(0.25 * v * rhythm)
	}
	return out
}

// interleave joins channels.
func interleave(channels ...[]float32) []float32 {
	out := make([]float32, 0, len(channels)*len(channels[0]))
	for i := range channels[0] {
		for _, c := range channels {
			out = append(out, c[i])
		}
	}
	return out
}

// voices is voice in as many channels, interleaved.
func voices(rate, frames, channels int) []float32 {
	parts := make([][]float32, channels)
	for c := range parts {
		parts[c] = voice(rate, frames, c)
	}
	return interleave(parts...)
}

type chunk struct {
	id   string
	body []byte
}

// riff puts chunks together as a WAV file; sizes are right and odd chunks are padded.
func riff(chunks ...chunk) []byte {
	body := []byte("WAVE")
	for _, c := range chunks {
		body = append(body, c.id...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(c.body)))
		body = append(body, c.body...)
		if len(c.body)%2 == 1 {
			body = append(body, 0)
		}
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// format is a fmt chunk.
func format(tag, channels, rate, bits int) chunk {
	return formatAligned(tag, channels, rate, channels*((bits+7)/8), bits)
}

func formatAligned(tag, channels, rate, align, bits int) chunk {
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*align))
	b = binary.LittleEndian.AppendUint16(b, uint16(align))
	return chunk{"fmt ", binary.LittleEndian.AppendUint16(b, uint16(bits))}
}

// extensible turns a fmt chunk into WAVE_EXTENSIBLE.
func extensible(c chunk) chunk {
	b := bytes.Clone(c.body)
	tag := binary.LittleEndian.Uint16(b)
	binary.LittleEndian.PutUint16(b, 0xFFFE)
	b = append(b, 22, 0, b[14], b[15], 3, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, tag)
	return chunk{"fmt ", append(b, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71)}
}

// pcm16 is samples as 16-bit PCM.
func pcm16(samples []float32) []byte {
	out := make([]byte, 0, 2*len(samples))
	for _, v := range samples {
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(math.Round(float64(v)*32767))))
	}
	return out
}

// wav16 is a plain WAV file.
func wav16(rate, channels int, samples []float32) []byte {
	return riff(format(1, channels, rate, 16), chunk{"data", pcm16(samples)})
}

// ffmpeg encodes a WAV file with the arguments given, which end before the output, and returns the
// bytes. These tests do not pass where ffmpeg is missing: the product needs it.
func ffmpeg(t testing.TB, wav []byte, ext string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("these tests need ffmpeg, which `make setup` installs: ", err)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.wav"), filepath.Join(dir, "out."+ext)
	if err := os.WriteFile(in, wav, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append(append([]string{"-v", "error", "-i", in}, args...), out)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("encode by ffmpeg %v: %v: %s", args, err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reference is what ffmpeg decodes, as floats at the file's rate and channels.
func reference(t testing.TB, media []byte, ext string, args ...string) []float32 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in."+ext)
	if err := os.WriteFile(path, media, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ffmpeg", append(append([]string{"-v", "error"}, args...), "-i", path, "-f", "f32le", "-")...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("decode by ffmpeg: %v", err)
	}
	samples := make([]float32, len(out)/4)
	for i := range samples {
		samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
	}
	return samples
}

// decode reads all of media as one channel at 16 kHz.
func decode(t testing.TB, media []byte, opts audio.Options) ([]float32, audio.Info) {
	t.Helper()
	s, err := audio.Open(context.Background(), bytes.NewReader(media), opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close()
	samples, err := readAll(s)
	if err != nil {
		t.Fatalf("ReadSamples: %v", err)
	}
	return samples, s.Info()
}

func readAll(s *audio.Stream) ([]float32, error) {
	var out []float32
	buf := make([]float32, 1000)
	for {
		n, err := s.ReadSamples(buf)
		out = append(out, buf[:n]...)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// snr is how far got is from want in dB, at the best of the shifts allowed, in samples; edges are
// left out, where filters swing in.
func snr(got, want []float32, shifts int) (db float64, shift int) {
	db = math.Inf(-1)
	const edge = 400
	step := 1
	if shifts > 8 { // a sample in seven tells as much
		step = 7
	}
	for s := -shifts; s <= shifts; s++ {
		signal, noise := 1e-20, 1e-20
		for i := edge; i < len(want)-edge; i += step {
			if j := i + s; j >= 0 && j < len(got) {
				d := float64(got[j]) - float64(want[i])
				signal += float64(want[i]) * float64(want[i])
				noise += d * d
			}
		}
		if v := 10 * math.Log10(signal/noise); v > db {
			db, shift = v, s
		}
	}
	return db, shift
}

// mean is the mean of channels.
func mean(channels ...[]float32) []float32 {
	out := make([]float32, len(channels[0]))
	for _, c := range channels {
		for i, v := range c {
			out[i] += v / float32(len(channels))
		}
	}
	return out
}

func itoa(n int) string { return strconv.Itoa(n) }
