package features_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dictum/dictum/test/harness"
)

// rate is that of telephones, which most of the recordings are from.
const rate = 8000

// prompt is a human recording of Debian's asterisk-core-sounds: "en/ss-noservice".
func prompt(t testing.TB, name string) []int16 {
	t.Helper()
	path := filepath.Join("/usr/share/asterisk/sounds", name+".wav")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v (run make setup)", err)
	}
	return samples(t, path)
}

// samples decodes a file, or the part of it that options cut.
func samples(t testing.TB, path string, options ...string) []int16 {
	t.Helper()
	args := append([]string{"-nostdin", "-v", "error", "-i", path}, options...)
	out, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, "-ac", "1", "-ar", "8000", "-f", "s16le", "-")...).Output()
	if err != nil {
		t.Fatalf("ffmpeg %s: %v", path, err)
	}
	pcm := make([]int16, len(out)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(out[2*i:]))
	}
	return pcm
}

func pause(milliseconds int) []int16 { return make([]int16, rate*milliseconds/1000) }

// turn is what somebody says in one of two channels.
type turn struct {
	channel int
	said    []int16
}

// write writes turns, one after another, as a WAV file of so many channels.
func write(t testing.TB, name string, channels int, turns []turn) string {
	t.Helper()
	var pcm []int16
	for _, turn := range turns {
		for _, s := range append(turn.said, pause(500)...) {
			for c := range channels {
				if c == turn.channel || channels == 1 {
					pcm = append(pcm, s)
				} else {
					pcm = append(pcm, 0)
				}
			}
		}
	}
	var b bytes.Buffer
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	head := []byte("RIFF")
	head = append(u32(head, uint32(36+2*len(pcm))), "WAVEfmt "...)
	head = u16(u16(u32(head, 16), 1), uint16(channels))
	head = u16(u16(u32(u32(head, rate), uint32(2*channels*rate)), uint16(2*channels)), 16)
	b.Write(u32(append(head, "data"...), uint32(2*len(pcm))))
	if err := binary.Write(&b, binary.LittleEndian, pcm); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// digits are read one by one.
func digits(t testing.TB, number string) []int16 {
	var out []int16
	for _, d := range number {
		out = append(append(out, prompt(t, "en/digits/"+string(d))...), pause(60)...)
	}
	return out
}

// call is an agent, who reads a telephone number out, and a customer who quotes Dickens.
func call(t testing.TB) []turn {
	return []turn{
		{0, prompt(t, "en/privacy-prompt")},
		{0, digits(t, "2125550142")},
		{1, samples(t, harness.ReadingFile(t), "-t", "4.2")},
		{0, prompt(t, "en/ss-noservice")},
		{1, samples(t, harness.ReadingFile(t), "-ss", "4.2", "-t", "4.6")},
	}
}

// bilingual is one person who speaks English and another who speaks French.
func bilingual(t testing.TB) []turn {
	return []turn{
		{0, prompt(t, "en/ss-noservice")},
		{1, prompt(t, "fr/conf-invalid")},
		{0, prompt(t, "en/privacy-prompt")},
		{1, prompt(t, "fr/conf-onlyperson")},
	}
}

func writeText(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
