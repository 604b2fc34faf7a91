package audio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
)

// Every format, as ffmpeg encodes it: what Info says, how long the audio is, and that it is the
// audio: Speex keeps little of the wave form, and a synthetic voice is nothing it was made for.
func TestFormats(t *testing.T) {
	tests := []struct {
		name           string
		rate, channels int
		ext            string
		args           []string
		want           audio.Info // Duration is checked apart
		slack          int        // samples at 16 kHz that the length may be off
		minSNR         float64
	}{
		{"FLAC 16 bit stereo", 44100, 2, "flac", nil, audio.Info{Format: audio.FLAC, Codec: "flac"}, 0, 70},
		{"FLAC 24 bit", 48000, 1, "flac", []string{"-sample_fmt", "s32"}, audio.Info{Format: audio.FLAC, Codec: "flac"}, 0, 70},
		{"FLAC 8 kHz", 8000, 1, "flac", []string{"-compression_level", "12"}, audio.Info{Format: audio.FLAC, Codec: "flac"}, 0, 70},
		{"MP3 MPEG-1 joint stereo", 44100, 2, "mp3", []string{"-b:a", "128k"}, audio.Info{Format: audio.MP3, Codec: "mp3"}, 0, 25},
		{"MP3 MPEG-1 mono, VBR", 48000, 1, "mp3", []string{"-q:a", "2"}, audio.Info{Format: audio.MP3, Codec: "mp3"}, 0, 25},
		{"MP3 MPEG-2", 22050, 2, "mp3", []string{"-b:a", "96k"}, audio.Info{Format: audio.MP3, Codec: "mp3"}, 0, 20},
		{"MP3 MPEG-2, 16 kHz", 16000, 1, "mp3", []string{"-b:a", "64k"}, audio.Info{Format: audio.MP3, Codec: "mp3"}, 0, 25},
		{"MP3 MPEG-2.5", 8000, 1, "mp3", []string{"-b:a", "32k"}, audio.Info{Format: audio.MP3, Codec: "mp3"}, 0, 20},
		{"MP3 MPEG-2.5 stereo", 11025, 2, "mp3", []string{"-b:a", "64k"}, audio.Info{Format: audio.MP3, Codec: "mp3"}, 0, 20},
		{"Ogg Opus, mono speech", 16000, 1, "ogg", []string{"-c:a", "libopus", "-b:a", "48k", "-application", "voip"}, audio.Info{Format: audio.Ogg, Codec: "opus", SampleRate: 48000, SourceSampleRate: 16000}, 0, 8},
		{"Ogg Opus, stereo music", 48000, 2, "ogg", []string{"-c:a", "libopus", "-b:a", "160k"}, audio.Info{Format: audio.Ogg, Codec: "opus", SourceSampleRate: 48000}, 0, 20},
		{"Ogg Vorbis", 44100, 2, "ogg", []string{"-c:a", "libvorbis", "-q:a", "8"}, audio.Info{Format: audio.Ogg, Codec: "vorbis"}, 0, 20},
		{"Ogg FLAC", 32000, 1, "ogg", []string{"-c:a", "flac"}, audio.Info{Format: audio.Ogg, Codec: "flac"}, 0, 70},
		{"Ogg Speex", 16000, 1, "ogg", []string{"-c:a", "libspeex", "-q:a", "10"}, audio.Info{Format: audio.Ogg, Codec: "speex"}, 640, 1},
		{"M4A", 44100, 2, "m4a", []string{"-c:a", "aac", "-b:a", "192k"}, audio.Info{Format: audio.M4A, Codec: "aac"}, 1024, 25},
		{"M4A lossless", 44100, 2, "m4a", []string{"-c:a", "alac"}, audio.Info{Format: audio.M4A, Codec: "alac"}, 0, 70},
		{"MP4 with moov at the end", 48000, 2, "mp4", []string{"-c:a", "aac", "-b:a", "192k"}, audio.Info{Format: audio.MP4, Codec: "aac"}, 1024, 25},
		{"MP4 with moov first", 16000, 1, "mp4", []string{"-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart"}, audio.Info{Format: audio.MP4, Codec: "aac"}, 1024, 25},
		{"MP4 in fragments", 16000, 1, "mp4", []string{"-c:a", "aac", "-b:a", "96k", "-movflags", "frag_keyframe+empty_moov"}, audio.Info{Format: audio.MP4, Codec: "aac"}, 2048, 25},
		{"WebM Opus", 48000, 1, "webm", []string{"-c:a", "libopus", "-b:a", "96k"}, audio.Info{Format: audio.WebM, Codec: "opus"}, 400, 15},
		{"WebM Vorbis", 48000, 2, "webm", []string{"-c:a", "libvorbis", "-q:a", "8"}, audio.Info{Format: audio.WebM, Codec: "vorbis"}, 1024, 20},
		{"WAV ADPCM", 8000, 1, "wav", []string{"-c:a", "adpcm_ms"}, audio.Info{Format: audio.WAV, Codec: "adpcm_ms"}, 2048, 15},
		{"WAV mu-law", 8000, 2, "wav", []string{"-c:a", "pcm_mulaw"}, audio.Info{Format: audio.WAV, Codec: "pcm_mulaw"}, 0, 30},
		{"WAV A-law", 8000, 1, "wav", []string{"-c:a", "pcm_alaw"}, audio.Info{Format: audio.WAV, Codec: "pcm_alaw"}, 0, 30},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const length = 2500 * time.Millisecond
			samples := voices(test.rate, test.rate*5/2, test.channels)
			media := ffmpeg(t, wav16(test.rate, test.channels, samples), test.ext, test.args...)
			got, info := decode(t, media, audio.Options{})
			if test.want.SampleRate == 0 {
				test.want.SampleRate = test.rate
			}
			test.want.Channels = test.channels
			if off := info.Duration - length; info.Duration != 0 && (off < -2*time.Millisecond || off > 140*time.Millisecond) {
				t.Errorf("Duration = %v, want %v", info.Duration, length)
			}
			info.Duration = 0
			if info != test.want {
				t.Errorf("Info = %+v, want %+v", info, test.want)
			}
			if off := len(got) - 40000; off < 0 || off > test.slack {
				t.Errorf("got %d samples, want 40000 and at most %d more", len(got), test.slack)
			}
			want, _ := decode(t, wav16(test.rate, test.channels, samples), audio.Options{})
			// Where there is slack the container tells nothing of what the coder puts before the audio.
			db, shift := snr(got, want, max(8, test.slack))
			if db < test.minSNR {
				t.Errorf("signal to noise %.1f dB, want %.0f", db, test.minSNR)
			}
			if test.slack == 0 && shift != 0 && !strings.Contains(test.name, "speech") {
				t.Errorf("the audio is %d samples late", shift)
			}
		})
	}
}

// amrFrames makes AMR-NB frames of 20 ms of 12.2 kbit/s by repeating what an encoder would for a
// steady state: ffmpeg decodes any bits, and loudness is not the point.
func amrFrames(kinds string) []byte {
	out := []byte("#!AMR\n")
	for i, k := range kinds {
		switch k {
		case 's': // speech
			out = append(out, 0x3c)
			for j := range 31 {
				out = append(out, byte(i*37+j*101+i*j))
			}
		case 'd': // silence descriptor
			out = append(out, 0x44, 1, 2, 3, 4, 5)
		case 'n': // no data
			out = append(out, 0x7c)
		}
	}
	return out
}

func TestAMR(t *testing.T) {
	t.Run("silence that was not sent keeps its time", func(t *testing.T) {
		kinds := strings.Repeat("s", 50) + "d" + strings.Repeat("n", 49) + strings.Repeat("s", 50)
		got, info := decode(t, amrFrames(kinds), audio.Options{})
		if want := (audio.Info{Format: audio.AMR, Codec: "amr_nb", SampleRate: 8000, Channels: 1, Duration: 3 * time.Second}); info != want {
			t.Errorf("Info = %+v, want %+v", info, want)
		}
		if len(got) != 48000 {
			t.Fatalf("got %d samples, want 48000", len(got))
		}
		if silent := level(got[17000:31000]); silent > -100 {
			t.Errorf("the pause sounds at %.0f dB", silent)
		}
		if before, after := level(got[:16000]), level(got[32000:]); before < -60 || after < -60 {
			t.Errorf("speech sounds at %.0f and %.0f dB", before, after)
		}
	})
	t.Run("only silence", func(t *testing.T) {
		got, _ := decode(t, amrFrames(strings.Repeat("n", 50)), audio.Options{})
		if len(got) != 16000 {
			t.Errorf("got %d samples, want 16000", len(got))
		}
	})
	t.Run("a last frame cut short is left out", func(t *testing.T) {
		b := amrFrames(strings.Repeat("s", 50))
		got, _ := decode(t, b[:len(b)-5], audio.Options{})
		if len(got) != 49*320 {
			t.Errorf("got %d samples, want %d", len(got), 49*320)
		}
	})
	t.Run("wide band", func(t *testing.T) {
		b := []byte("#!AMR-WB\n")
		for i := range 50 {
			b = append(b, 0x14) // 12.65 kbit/s
			for j := range 32 {
				b = append(b, byte(i*73+j*31+i*j))
			}
		}
		got, info := decode(t, b, audio.Options{})
		if len(got) != 16000 || info.SampleRate != 16000 || info.Codec != "amr_wb" {
			t.Errorf("got %d samples of %+v", len(got), info)
		}
	})
}

func TestMP4WithPictures(t *testing.T) {
	sound := wav16(16000, 1, voice(16000, 32000, 0))
	args := []string{"-f", "lavfi", "-i", "testsrc=duration=2:size=64x48", "-c:v", "mpeg4"}
	got, info := decode(t, ffmpeg(t, sound, "mp4", append(args, "-map", "1:v", "-map", "0:a", "-c:a", "aac")...), audio.Options{})
	if len(got) < 32000 || info.Codec != "aac" {
		t.Errorf("got %d samples of %+v", len(got), info)
	}
	silent := ffmpeg(t, sound, "mp4", append(args, "-map", "1:v")...)
	if _, err := audio.Open(context.Background(), bytes.NewReader(silent), audio.Options{}); !errors.Is(err, audio.ErrUnsupported) {
		t.Errorf("pictures only: error = %v, want ErrUnsupported", err)
	}
}

func TestMP3Streams(t *testing.T) {
	samples := voices(44100, 88200, 2)
	clean := ffmpeg(t, wav16(44100, 2, samples), "mp3", "-b:a", "128k", "-id3v2_version", "0")
	whole, _ := decode(t, clean, audio.Options{})
	tag := append([]byte("ID3\x04\x00\x00\x00\x00\x10\x00"), bytes.Repeat([]byte{0xff, 0xfb, 0x90, 0x64}, 512)...)
	tests := []struct {
		name  string
		media []byte
		slack int // samples that may be missing or more
	}{
		{"behind an ID3 tag full of false headers", append(tag, clean...), 0},
		{"with an ID3v1 tag", append(bytes.Clone(clean), append([]byte("TAG"), make([]byte, 125)...)...), 0},
		{"behind zeros", append(make([]byte, 3000), clean...), 0},
		{"cut out of a broadcast", clean[1000:], 3000},
		{"cut at the end", clean[:len(clean)-700], 1600},
		{"with a hole", append(bytes.Clone(clean[:10000]), clean[11000:]...), 2000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, info := decode(t, test.media, audio.Options{})
			if info.Format != audio.MP3 || info.SampleRate != 44100 {
				t.Errorf("Info = %+v", info)
			}
			if off := math.Abs(float64(len(got) - len(whole))); off > float64(test.slack) {
				t.Errorf("got %d samples, want %d", len(got), len(whole))
			}
			if db, _ := snr(got, whole, 0); test.slack == 0 && db < 200 {
				t.Errorf("differs from the clean stream: %.0f dB", db)
			}
		})
	}
	t.Run("MPEG Layer II goes to ffmpeg", func(t *testing.T) {
		media := ffmpeg(t, wav16(44100, 2, samples), "mp2", "-b:a", "192k")
		got, info := decode(t, media, audio.Options{})
		if info.Codec != "mp2" || len(got) < 32000 {
			t.Errorf("got %d samples of %+v", len(got), info)
		}
	})
}

func TestOpusStreams(t *testing.T) {
	encode := func(c int) []byte {
		return ffmpeg(t, wav16(48000, 1, voice(48000, 96000, c)), "ogg", "-c:a", "libopus", "-b:a", "64k", "-page_duration", "100000")
	}
	one, two := encode(0), encode(1)
	first, _ := decode(t, one, audio.Options{})
	if len(first) != 32000 {
		t.Fatalf("got %d samples, want 32000", len(first))
	}
	t.Run("as libopus decodes it", func(t *testing.T) {
		want, _ := decode(t, riffFloats(48000, reference(t, one, "ogg", "-c:a", "libopus")), audio.Options{})
		if db, shift := snr(first, want, 3); db < 40 || shift != 0 {
			t.Errorf("signal to noise %.1f dB at a shift of %d", db, shift)
		}
	})
	t.Run("a chain of two plays on", func(t *testing.T) {
		got, _ := decode(t, append(bytes.Clone(one), two...), audio.Options{})
		if len(got) != 64000 {
			t.Errorf("got %d samples, want 64000", len(got))
		}
	})
	t.Run("a damaged page is passed over", func(t *testing.T) {
		b := bytes.Clone(one)
		b[len(b)/2] ^= 0x40
		if got, _ := decode(t, b, audio.Options{}); len(got) < 28000 || len(got) > 32000 {
			t.Errorf("got %d samples", len(got))
		}
	})
	t.Run("cut in the middle of a page", func(t *testing.T) {
		if got, _ := decode(t, one[:len(one)*3/4], audio.Options{}); len(got) < 20000 || len(got) > 26000 {
			t.Errorf("got %d samples", len(got))
		}
	})
}

// riffFloats is a mono WAV of floats.
func riffFloats(rate int, samples []float32) []byte {
	var data []byte
	for _, v := range samples {
		bits := math.Float32bits(v)
		data = append(data, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return riff(format(3, 1, rate, 32), chunk{"data", data})
}

func TestWhatIsNoMediaOrBroken(t *testing.T) {
	samples := voice(16000, 16000, 0)
	data := chunk{"data", pcm16(samples)}
	wav := wav16(16000, 1, samples)
	flac, mp3, m4a := ffmpeg(t, wav, "flac"), ffmpeg(t, wav, "mp3"), ffmpeg(t, wav, "m4a")
	opus, webm := ffmpeg(t, wav, "ogg", "-c:a", "libopus"), ffmpeg(t, wav, "webm", "-c:a", "libopus")
	noise := bytes.Repeat([]byte("\x17\x94\x3e\xd0\x61\x8b\x05\xea"), 500)
	tests := []struct {
		name  string
		media []byte
		want  error
	}{
		{"empty", nil, audio.ErrUnsupported},
		{"one byte", []byte{0xff}, audio.ErrUnsupported},
		{"text", []byte("Good morning, how can I help you today?\n"), audio.ErrUnsupported},
		{"HTML", []byte("<!DOCTYPE html><html><body>404</body></html>"), audio.ErrUnsupported},
		{"JPEG", append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), noise...), audio.ErrUnsupported},
		{"ZIP with an MP3 inside", append([]byte("PK\x03\x04\x14\x00\x00\x00\x00\x00"), mp3...), audio.ErrUnsupported},
		{"noise", noise, audio.ErrUnsupported},
		{"AIFF", []byte("FORM\x00\x00\x00\x10AIFFCOMM"), audio.ErrUnsupported},
		{"Matroska", []byte("\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"), audio.ErrUnsupported},
		{"ID3 tag and nothing", []byte("ID3\x04\x00\x00\x00\x00\x00\x00"), audio.ErrUnsupported},
		{"Ogg of pictures only", append([]byte("OggS\x00\x02"), make([]byte, 60)...), audio.ErrInvalid},
		{"WAV: RIFF header only", wav[:12], audio.ErrInvalid},
		{"WAV: header without samples", wav[:44], audio.ErrInvalid},
		{"WAV: cut in the fmt chunk", wav[:30], audio.ErrInvalid},
		{"WAV: no data chunk", wav[:36], audio.ErrInvalid},
		{"WAV: data before fmt", riff(data, format(1, 1, 16000, 16)), audio.ErrInvalid},
		{"WAV: empty data, more chunks behind", riff(format(1, 1, 16000, 16), chunk{"data", nil}, chunk{"LIST", make([]byte, 100)}), audio.ErrInvalid},
		{"WAV: block align 0", riff(formatAligned(1, 1, 16000, 0, 16), data), audio.ErrInvalid},
		{"WAV: block align against the channels", riff(formatAligned(1, 2, 16000, 3, 16), data), audio.ErrInvalid},
		{"WAV: more bits than the block holds", riff(formatAligned(1, 1, 16000, 2, 24), data), audio.ErrInvalid},
		{"WAV: sample rate 0", riff(format(1, 1, 0, 16), data), audio.ErrInvalid},
		{"WAV: sample rate all ones", riff(format(1, 1, 0xFFFFFFFF, 16), data), audio.ErrInvalid},
		{"WAV: no channels", riff(formatAligned(1, 0, 16000, 2, 16), data), audio.ErrInvalid},
		{"WAV: 65535 channels", riff(formatAligned(1, 65535, 16000, 65534, 16), data), audio.ErrInvalid},
		{"WAV: float of 16 bits", riff(format(3, 1, 16000, 16), data), audio.ErrInvalid},
		{"WAV: format tag 0", riff(format(0, 1, 16000, 16), data), audio.ErrInvalid},
		{"WAV: a codec nobody knows", riff(format(0x7abc, 1, 16000, 16), data), audio.ErrUnsupported},
		{"FLAC: header only", flac[:42], audio.ErrInvalid},
		{"FLAC: magic only", flac[:4], audio.ErrInvalid},
		{"FLAC: noise for frames", append(bytes.Clone(flac[:42]), noise...), audio.ErrInvalid},
		{"Opus: header only", opus[:47], audio.ErrInvalid},
		{"M4A: moov cut off", m4a[:len(m4a)/2], audio.ErrInvalid},
		{"M4A: header only", m4a[:28], audio.ErrInvalid},
		{"WebM: header only", webm[:60], audio.ErrInvalid},
		{"AMR: magic only", []byte("#!AMR\n"), audio.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := audio.Open(context.Background(), bytes.NewReader(test.media), audio.Options{})
			if err == nil {
				n, err := readAll(s)
				t.Fatalf("opened as %+v with %d samples (%v), want %v", s.Info(), len(n), err, test.want)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
		})
	}
}

// Rates beyond the service's are stated, not judged.
func TestRatesOutsideTheService(t *testing.T) {
	for _, rate := range []int{4000, 96000} {
		got, info := decode(t, wav16(rate, 1, voice(rate, rate, 0)), audio.Options{})
		if info.SampleRate != rate || len(got) != 16000 {
			t.Errorf("%d Hz: %d samples of %+v", rate, len(got), info)
		}
	}
}

func TestCutFilesAreReadUpToTheCut(t *testing.T) {
	wav := wav16(16000, 1, voice(16000, 32000, 0))
	for _, ext := range []string{"flac", "mp3", "ogg", "webm", "wav"} {
		t.Run(ext, func(t *testing.T) {
			args := map[string][]string{"ogg": {"-c:a", "libopus", "-page_duration", "100000"}, "webm": {"-c:a", "libopus"}}[ext]
			b := ffmpeg(t, wav, ext, args...)
			got, _ := decode(t, b[:len(b)*2/3], audio.Options{})
			if len(got) < 12000 || len(got) > 31000 {
				t.Errorf("got %d samples of two thirds of a file of 32000", len(got))
			}
		})
	}
}

// failing fails after some bytes, as a storage does.
type failing struct {
	io.ReadSeeker
	after int
	err   error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, f.err
	}
	return f.ReadSeeker.Read(p)
}

func TestErrorsOfTheStorageAreNotErrorsOfTheMedia(t *testing.T) {
	wav := wav16(16000, 1, voice(16000, 160000, 0))
	gone := errors.New("the disk is gone")
	for _, ext := range []string{"wav", "flac", "mp3", "ogg", "m4a"} {
		t.Run(ext, func(t *testing.T) {
			args := map[string][]string{"ogg": {"-c:a", "libopus", "-b:a", "256k"}}[ext]
			media := ffmpeg(t, wav, ext, args...)
			for _, after := range []int{0, 20000, 150000} {
				if after > len(media)/2 && ext != "wav" {
					continue
				}
				for _, x := range []struct{ cause, want error }{
					{gone, gone},
					// A connection that was cut is not a file that was.
					{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
					{fmt.Errorf("read from the bucket: %w", io.EOF), io.ErrUnexpectedEOF},
				} {
					s, err := audio.Open(context.Background(), &failing{bytes.NewReader(media), after, x.cause}, audio.Options{})
					if err == nil {
						_, err = readAll(s)
						s.Close()
					}
					if !errors.Is(err, x.want) || errors.Is(err, audio.ErrInvalid) {
						t.Errorf("%v after %d of %d bytes: error = %v, want the storage's alone", x.cause, after, len(media), err)
					}
				}
			}
		})
	}
}
