package audio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/dictum/dictum/internal/audio"
)

// twoTones has ffmpeg code two seconds of a tone, another in the other channel if there are two.
func twoTones(t *testing.T, channels int, options ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	out := filepath.Join(t.TempDir(), "out")
	source := "aevalsrc=0.4*sin(2*PI*300*t):s=48000:d=2"
	if channels == 2 {
		source = "aevalsrc=0.4*sin(2*PI*300*t)|0.2*sin(2*PI*700*t):s=48000:d=2"
	}
	args := append([]string{"-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source}, options...)
	if b, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, out)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readLive reads all channels to the end.
func readLive(t *testing.T, r io.Reader, o audio.LiveOptions) ([][]float32, error) {
	t.Helper()
	s := audio.OpenLive(t.Context(), r, o)
	n := 1
	if o.Apart {
		n = o.Channels
	}
	out, dst := make([][]float32, n), make([][]float32, n)
	for i := range dst {
		dst[i] = make([]float32, 512)
	}
	for {
		k, err := s.Read(dst)
		for i := range out {
			out[i] = append(out[i], dst[i][:k]...)
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// strength is how much of a tone there is, as its amplitude.
func strength(samples []float32, hz float64) float64 {
	var re, im float64
	for i, v := range samples {
		w := 2 * math.Pi * hz * float64(i) / 16000
		re += float64(v) * math.Cos(w)
		im += float64(v) * math.Sin(w)
	}
	return 2 * math.Hypot(re, im) / float64(len(samples))
}

func TestLiveEncodings(t *testing.T) {
	tests := []struct {
		encoding audio.LiveEncoding
		rate     int
		options  []string
	}{
		{audio.LivePCM, 8000, []string{"-f", "s16le", "-ar", "8000"}},
		{audio.LivePCM, 16000, []string{"-f", "s16le", "-ar", "16000"}},
		{audio.LivePCM, 48000, []string{"-f", "s16le", "-ar", "48000"}},
		{audio.LiveALaw, 8000, []string{"-f", "alaw", "-ar", "8000"}},
		{audio.LiveMuLaw, 8000, []string{"-f", "mulaw", "-ar", "8000"}},
		{audio.LiveFLAC, 16000, []string{"-f", "flac", "-ar", "16000"}},
		{audio.LiveFLAC, 44100, []string{"-f", "flac", "-ar", "44100"}},
		{audio.LiveOpus, 48000, []string{"-f", "ogg", "-c:a", "libopus", "-ar", "48000"}},
		{audio.LiveOpus, 16000, []string{"-f", "ogg", "-c:a", "libopus", "-ar", "16000"}},
	}
	for _, tt := range tests {
		for channels := 1; channels <= 2; channels++ {
			t.Run(string(tt.encoding)+time.Duration(tt.rate).String()+[]string{"", " mono", " two channels"}[channels], func(t *testing.T) {
				b := twoTones(t, channels, tt.options...)
				o := audio.LiveOptions{Encoding: tt.encoding, SampleRate: tt.rate, Channels: channels, Apart: channels == 2}
				out, err := readLive(t, bytes.NewReader(b), o)
				if err != nil {
					t.Fatal(err)
				}
				for i, tone := range []float64{300, 700}[:channels] {
					if n := len(out[i]); n < 31500 || n > 32500 {
						t.Errorf("channel %d has %d samples, want about 32000", i, n)
					}
					want := []float64{0.4, 0.2}[i]
					if got := strength(out[i][8000:24000], tone); math.Abs(got-want) > 0.05*want {
						t.Errorf("channel %d has its tone at %.3f, want %.3f", i, got, want)
					}
					if got := strength(out[i][8000:24000], 1000-tone); channels == 2 && got > 0.01 {
						t.Errorf("channel %d has %.3f of the other's tone", i, got)
					}
				}
				cut, err := readLive(t, iotest.OneByteReader(bytes.NewReader(b)), o)
				if err != nil {
					t.Fatal(err)
				}
				for i := range out {
					if len(cut[i]) != len(out[i]) {
						t.Fatalf("byte by byte there are %d samples, at once %d", len(cut[i]), len(out[i]))
					}
					for k := range out[i] {
						if cut[i][k] != out[i][k] {
							t.Fatalf("sample %d depends on how the bytes are cut", k)
						}
					}
				}
			})
		}
	}
}

func TestLiveAudioIsDecodedAsItComes(t *testing.T) {
	for _, tt := range []struct {
		encoding audio.LiveEncoding
		options  []string
		// delay is what the encoding holds back at most, in samples at 16 kHz.
		delay int
	}{
		{audio.LivePCM, []string{"-f", "s16le", "-ar", "16000"}, 320},
		{audio.LiveFLAC, []string{"-f", "flac", "-ar", "16000"}, 2 * 4608},
		{audio.LiveOpus, []string{"-f", "ogg", "-c:a", "libopus", "-page_duration", "100000", "-ar", "48000"}, 2 * 1600},
	} {
		t.Run(string(tt.encoding), func(t *testing.T) {
			b := twoTones(t, 1, tt.options...)
			in, out := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := audio.OpenLive(ctx, in, audio.LiveOptions{Encoding: tt.encoding, SampleRate: 16000, Channels: 1})
			half := len(b) / 2
			// The sender stops in the middle and waits.
			go func() { _, _ = out.Write(b[:half]) }()
			due := 16000 - tt.delay
			if tt.encoding != audio.LivePCM {
				due -= 4000 // the bytes of these do not run evenly with time
			}
			dst := [][]float32{make([]float32, 512)}
			for got := 0; got < due; {
				n, err := s.Read(dst)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
			broken := errors.New("the sender is gone")
			out.CloseWithError(broken)
			for {
				if _, err := s.Read(dst); err != nil {
					if !errors.Is(err, broken) {
						t.Errorf("the end of the sender shows as %v", err)
					}
					return
				}
			}
		})
	}
}

func TestLiveAudioRefused(t *testing.T) {
	flac := twoTones(t, 1, "-f", "flac", "-ar", "16000")
	opus := twoTones(t, 1, "-f", "ogg", "-c:a", "libopus")
	vorbis := twoTones(t, 2, "-f", "ogg", "-c:a", "vorbis", "-strict", "-2")
	tests := []struct {
		name string
		in   []byte
		o    audio.LiveOptions
		want error
	}{
		{"flac that is something else", []byte("RIFF and so on, and a little more of it"), audio.LiveOptions{Encoding: audio.LiveFLAC}, audio.ErrInvalid},
		{"flac without audio", nil, audio.LiveOptions{Encoding: audio.LiveFLAC}, audio.ErrInvalid},
		{"opus that is flac", flac, audio.LiveOptions{Encoding: audio.LiveOpus}, audio.ErrInvalid},
		{"opus that is vorbis", vorbis, audio.LiveOptions{Encoding: audio.LiveOpus}, audio.ErrUnsupported},
		{"one channel instead of two", opus, audio.LiveOptions{Encoding: audio.LiveOpus, Channels: 2, Apart: true}, audio.ErrInvalid},
		{"an encoding that is none", flac, audio.LiveOptions{Encoding: "g729", SampleRate: 8000, Channels: 1}, audio.ErrUnsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := readLive(t, bytes.NewReader(tt.in), tt.o); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("half a sample at the end is dropped", func(t *testing.T) {
		out, err := readLive(t, bytes.NewReader(make([]byte, 641)), audio.LiveOptions{Encoding: audio.LivePCM, SampleRate: 16000, Channels: 1})
		if err != nil || len(out[0]) != 320 {
			t.Errorf("%d samples, %v", len(out[0]), err)
		}
	})
}

func FuzzLive(f *testing.F) {
	f.Add("pcm", []byte("some bytes that are samples"))
	f.Add("flac", []byte("fLaC\x00\x00\x00\x22"))
	f.Add("ogg-opus", []byte("OggS\x00\x02"))
	f.Add("g711-ulaw", []byte{0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, encoding string, b []byte) {
		s := audio.OpenLive(t.Context(), bytes.NewReader(b), audio.LiveOptions{Encoding: audio.LiveEncoding(encoding), SampleRate: 8000, Channels: 1})
		dst := [][]float32{make([]float32, 4096)}
		for range 10_000 {
			if _, err := s.Read(dst); err != nil {
				return
			}
		}
		t.Fatal("there is no end")
	})
}
