package audio_test

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/dictum/dictum/internal/audio"
)

// tone is a sine of amplitude 0.5 as a float WAV would hold it; 16 bits would hide what is tested.
func tone(rate, frames int, hz float64) []byte {
	var data []byte
	for i := range frames {
		bits := math.Float32bits(float32(0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
		data = append(data, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return riff(format(3, 1, rate, 32), chunk{"data", data})
}

// level is the power of samples in dB relative to the tone's.
func level(samples []float32) float64 {
	power := 1e-30
	mid := samples[len(samples)/4 : len(samples)*3/4]
	for _, v := range mid {
		power += float64(v) * float64(v)
	}
	return 10 * math.Log10(power/float64(len(mid))/0.125)
}

var rates = []int{8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000, 44056, 47999, 96000}

func TestResampledTonesKeepLevelTimeAndShape(t *testing.T) {
	for _, rate := range rates {
		for _, share := range []float64{0.01, 0.25, 0.6, 0.85} { // of the lower Nyquist frequency
			hz := share * float64(min(rate, 16000)) / 2
			got, _ := decode(t, tone(rate, rate, hz), audio.Options{})
			if len(got) != 16000 {
				t.Errorf("%d Hz: a second has %d samples", rate, len(got))
			}
			want := make([]float32, len(got))
			for i := range want {
				want[i] = float32(0.5 * math.Sin(2*math.Pi*hz*float64(i)/16000))
			}
			if db, _ := snr(got, want, 0); db < 70 {
				t.Errorf("%d Hz, tone of %.0f Hz: %.1f dB of the true one, want 70", rate, hz, db)
			}
		}
	}
}

func TestResamplingLeavesNoAliases(t *testing.T) {
	for _, rate := range rates {
		if rate <= 16000 {
			continue
		}
		for _, hz := range []float64{8400, 9000, 10000, 0.499 * float64(rate)} {
			got, _ := decode(t, tone(rate, rate, hz), audio.Options{})
			if db := level(got); db > -72 && hz < float64(rate)/2 {
				t.Errorf("%d Hz: a tone of %.0f Hz is left at %.1f dB, want below -72", rate, hz, db)
			}
		}
	}
}

func TestUpsamplingLeavesNoImages(t *testing.T) {
	// A tone of 3 kHz at 8 kHz has an image at 5 kHz.
	got, _ := decode(t, tone(8000, 8000, 3000), audio.Options{})
	var re, im float64
	for i, v := range got[4000:12000] {
		re += float64(v) * math.Cos(2*math.Pi*5000*float64(i)/16000)
		im += float64(v) * math.Sin(2*math.Pi*5000*float64(i)/16000)
	}
	if db := 20 * math.Log10(math.Hypot(re, im)/8000*2/0.5); db > -75 {
		t.Errorf("image at %.1f dB, want below -75", db)
	}
}

func TestReadSizesDoNotChangeSamples(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 47999} {
		media := wav16(rate, 1, voice(rate, rate, 0))
		want, _ := decode(t, media, audio.Options{})
		for _, size := range []int{1, 7, 160, 16001} {
			s, err := audio.Open(context.Background(), bytes.NewReader(media), audio.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			buf := make([]float32, size)
			for err == nil {
				var n int
				n, err = s.ReadSamples(buf)
				got = append(got, buf[:n]...)
			}
			if db, _ := snr(got, want, 0); len(got) != len(want) || db < 200 {
				t.Errorf("%d Hz read by %d: %d samples, %.0f dB", rate, size, len(got), db)
			}
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100} {
		s, err := audio.Open(context.Background(), bytes.NewReader(wav16(rate, 2, voices(rate, 20*rate, 2))), audio.Options{})
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]float32, 1600)
		for range 20 {
			_, _ = s.ReadSamples(buf)
		}
		if allocs := testing.AllocsPerRun(100, func() { _, _ = s.ReadSamples(buf) }); allocs > 0 {
			t.Errorf("%d Hz: %.1f allocations a read", rate, allocs)
		}
	}
}
