package audio_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audio"
)

func TestMissingFFmpegIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, opts := range []audio.Options{{}, {FFmpeg: "/no/such/ffmpeg"}} {
		_, err := audio.Open(context.Background(), bytes.NewReader(amrFrames("sss")), opts)
		if !errors.Is(err, audio.ErrNoFFmpeg) || errors.Is(err, audio.ErrInvalid) {
			t.Fatalf("error = %v, want ErrNoFFmpeg", err)
		}
		for _, word := range []string{"ffmpeg", "amr", "install"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("error %q does not say %q", err, word)
			}
		}
	}
	t.Run("what is decoded in Go does not need it", func(t *testing.T) {
		decode(t, wav16(8000, 1, voice(8000, 8000, 0)), audio.Options{})
	})
}

func TestCancellingStopsFFmpeg(t *testing.T) {
	media := ffmpeg(t, wav16(16000, 1, voice(16000, 16000*60, 0)), "m4a", "-c:a", "aac")
	ctx, cancel := context.WithCancel(context.Background())
	s, err := audio.Open(ctx, bytes.NewReader(media), audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel()
	if _, err := readAll(s); !errors.Is(err, context.Canceled) || errors.Is(err, audio.ErrInvalid) {
		t.Errorf("error = %v, want the context's alone", err)
	}
}

func TestClosingEarlyStopsFFmpeg(t *testing.T) {
	media := ffmpeg(t, wav16(16000, 1, voice(16000, 16000*60, 0)), "m4a", "-c:a", "aac")
	s, err := audio.Open(context.Background(), bytes.NewReader(media), audio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Close waits for the process, so that returning is the proof.
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// confined runs a script in ffprobe's place, as ffprobe is run, and returns the last line it
// wrote to standard error, which comes back in the error.
func confined(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ffmpeg", "ffprobe"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+script+"\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, err := audio.Open(context.Background(), bytes.NewReader(amrFrames("sss")), audio.Options{FFmpeg: filepath.Join(dir, "ffmpeg")})
	if !errors.Is(err, audio.ErrInvalid) {
		t.Fatalf("error = %v, want ErrInvalid", err)
	}
	text := err.Error()
	return text[strings.LastIndex(text, "exit status 1: ")+len("exit status 1: "):]
}

func TestFFmpegIsConfined(t *testing.T) {
	t.Setenv("DICTUM_SECRET", "x")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	written := filepath.Join(t.TempDir(), "written")
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(kept, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, script, want string }{
		{"no environment", `echo "[$DICTUM_SECRET$HOME]" >&2`, "[]"},
		{"no standard input", `read x && echo "got $x" >&2 || echo none >&2`, "none"},
		{"limits are set before it runs", `echo "$(ulimit -f) $(ulimit -c) $(ulimit -n) $(ulimit -t) $(ulimit -v)" >&2`, "0 0 32 1800 2097152"},
		{"and are hard ones", `ulimit -f unlimited 2>/dev/null; ulimit -Hf >&2`, "0"},
		{"no network", `(echo > /dev/tcp/127.0.0.1/` + port + `) 2>/dev/null && echo connected >&2 || echo refused >&2`, "refused"},
		{"no file grows", `(echo secret > ` + written + `) 2>/dev/null; stat -c %s ` + written + ` >&2`, "0"},
		{"no file goes", `rm -f ` + kept + ` 2>/dev/null; cat ` + kept + ` >&2`, "kept"},
		{"no new privileges", `grep NoNewPrivs /proc/self/status | tr -d '[:space:]' >&2`, "NoNewPrivs:1"},
		{"a process group of its own", `[ "$(cut -d' ' -f5 /proc/$$/stat)" = $$ ] && echo own >&2`, "own"},
		{"the media cannot be changed", `(echo x >> /proc/self/fd/3) 2>/dev/null; stat -Lc %s /proc/self/fd/3 >&2`, itoa(len(amrFrames("sss")))},
		{"messages are bounded", `head -c 3000000 /dev/zero | tr '\0' x >&2`, strings.Repeat("x", 200)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := confined(t, test.script); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFFmpegThatIsKilledIsNoEndOfAudio(t *testing.T) {
	// What a limit of the processor time or a crash does to ffmpeg in the middle of a file.
	dir := t.TempDir()
	for name, script := range map[string]string{
		"ffprobe": `echo '{"streams":[{"index":0,"codec_name":"aac","sample_rate":"16000","channels":1}]}'`,
		"ffmpeg":  `head -c 200000 /dev/zero; kill -XCPU $$`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s, err := audio.Open(context.Background(), strings.NewReader("\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00"), audio.Options{FFmpeg: filepath.Join(dir, "ffmpeg")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := readAll(s); !errors.Is(err, audio.ErrInvalid) {
		t.Errorf("got %d samples and %v, want ErrInvalid", len(got), err)
	}
}

func TestFFmpegUnderADeadline(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ffmpeg", "ffprobe"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := audio.Open(ctx, bytes.NewReader(amrFrames("sss")), audio.Options{FFmpeg: filepath.Join(dir, "ffmpeg")})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, audio.ErrInvalid) {
		t.Errorf("error = %v, want the deadline's alone", err)
	}
}
