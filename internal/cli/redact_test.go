package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/cli"
)

func TestRedact(t *testing.T) {
	for _, test := range []struct {
		name  string
		args  []string
		lines string
		want  string
	}{
		{"marks", nil, "my pin is 1942\n\nhello\n", "my pin is [PII]\n\nhello\n"},
		{"labels", []string{"--labels"}, "Zoë, my pin is 1942", "[NAME], my pin is [PIN]\n"},
		{"only some types", []string{"--type", "PIN", "--labels"}, "I'm Zoë, my pin is 1942\n", "I'm Zoë, my pin is [PIN]\n"},
		{"spans in code points", []string{"--spans", "--type", "PIN"}, "Zoë's pin is 1942\nhello\n", "{\"spans\":[{\"start\":13,\"end\":17,\"type\":\"PIN\",\"score\":0.94}]}\n{\"spans\":[]}\n"},
		{"lines stand alone", nil, "your pin?\n1942\n", "your pin?\n1942\n"},
		{"lines are turns of one talk", []string{"--conversation"}, "your pin?\n1942\nthanks\n", "your pin?\n[PII]\nthanks\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "lines.txt")
			if err := os.WriteFile(file, []byte(test.lines), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, problems bytes.Buffer
			args := append(append([]string{"redact", "--rules"}, test.args...), file)
			if code := cli.Run(context.Background(), args, &out, &problems); code != 0 {
				t.Fatalf("exit code %d: %s", code, problems.String())
			}
			if out.String() != test.want {
				t.Errorf("got %q, want %q", out.String(), test.want)
			}
		})
	}
}

func TestRedactRefuses(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.txt")
	if err := os.WriteFile(long, []byte(strings.Repeat("a ", 40<<10)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"a type that is none", []string{"--type", "NAMES", long}, 2, `unknown type "NAMES"`},
		{"a language without rules", []string{"--language", "ja-JP", long}, 2, `"ja-JP"`},
		{"a line that is too long", []string{long}, 1, "read line 1: a line has more than 65536 bytes"},
		{"a file that isn't there", []string{long + ".no"}, 1, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, problems bytes.Buffer
			code := cli.Run(context.Background(), append([]string{"redact", "--rules"}, test.args...), &out, &problems)
			if code != test.code || !strings.Contains(problems.String(), test.says) {
				t.Errorf("exit code %d: %s", code, problems.String())
			}
		})
	}
}
