package pii_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/text/pii"
)

// line is a turn of testdata/talk.txt with what is marked in it.
type line struct {
	number int
	text   string
	want   []pii.Entity
}

var marked = regexp.MustCompile(`\[([A-Z_]+):([^\]]*)\]`)

// talk reads conversations of marked lines.
func talk(t *testing.T, name string) [][]line {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out [][]line
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		s := lines.Text()
		if s == "" || s[0] == '#' {
			continue
		}
		more, goesOn := strings.CutPrefix(s, "+ ")
		l := line{number: number}
		at := 0
		for _, m := range marked.FindAllStringSubmatchIndex(more, -1) {
			l.text += more[at:m[0]]
			start := len(l.text)
			l.text += more[m[4]:m[5]]
			l.want = append(l.want, pii.Entity{Start: start, End: len(l.text), Type: more[m[2]:m[3]]})
			at = m[1]
		}
		l.text += more[at:]
		if goesOn {
			out[len(out)-1] = append(out[len(out)-1], l)
		} else {
			out = append(out, []line{l})
		}
	}
	return out
}

func show(text string, found []pii.Entity) []string {
	var out []string
	for _, e := range found {
		out = append(out, fmt.Sprintf("%s:%s", e.Type, text[e.Start:e.End]))
	}
	return out
}

// The rules alone find in each turn exactly what is marked.
func TestTalk(t *testing.T) {
	d := &pii.Detector{}
	conversations := slices.Concat(talk(t, "testdata/talk.txt"), talk(t, "testdata/talk2.txt"))
	for _, conversation := range conversations {
		turns := make([]pii.Turn, len(conversation))
		for i, l := range conversation {
			turns[i].Text = l.text
		}
		found, err := d.Find(context.Background(), turns)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range conversation {
			if got, want := show(l.text, found[i]), show(l.text, l.want); !slices.Equal(got, want) {
				t.Errorf("line %d: %s\n   found %q\n   want  %q", l.number, l.text, got, want)
			}
		}
	}
}
