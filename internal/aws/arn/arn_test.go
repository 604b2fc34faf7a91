package arn_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/arn"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in, kind, rest string
		bad                  bool
	}{
		{name: "job", in: "arn:aws:transcribe:us-west-2:111122223333:transcription-job/j", kind: "transcription-job", rest: "j"},
		{name: "resource with colons", in: "arn:aws:s3:::b/k:with:colons", kind: "b", rest: "k:with:colons"},
		{name: "name with slash", in: "arn:aws:iam::111122223333:role/path/r", kind: "role", rest: "path/r"},
		{name: "managed policy", in: "arn:aws:iam::aws:policy/X", kind: "policy", rest: "X"},
		{name: "too few parts", in: "arn:aws:s3:::", bad: true},
		{name: "not an ARN", in: "urn:aws:s3:::b", bad: true},
		{name: "short account", in: "arn:aws:transcribe:us-west-2:1:transcription-job/j", bad: true},
		{name: "empty", in: "", bad: true},
		{name: "too long", in: "arn:aws:s3:::" + strings.Repeat("x", 2048), bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := arn.Parse(tt.in)
			if tt.bad {
				if !errors.Is(err, arn.ErrMalformed) {
					t.Fatalf("got %v, want ErrMalformed", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := a.String(); got != tt.in {
				t.Errorf("printed as %q", got)
			}
			if kind, rest, _ := a.Split(); kind != tt.kind || rest != tt.rest {
				t.Errorf("split into %q and %q", kind, rest)
			}
		})
	}
}
