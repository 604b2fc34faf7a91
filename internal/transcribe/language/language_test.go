package language_test

import (
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
	"github.com/dictum/dictum/internal/transcribe/model"
)

func TestOf(t *testing.T) {
	for code, want := range map[string]string{
		"en-US": "en", "en-AB": "en", "es-US": "es", "zh-TW": "zh", "zh-HK": "yue", "jv-ID": "jw", "he-IL": "he", "no-NO": "no", "ckb-IQ": "ckb",
	} {
		if got := language.Of(code); got != want {
			t.Errorf("Of(%s) = %s, want %s", code, got, want)
		}
	}
}

// Each of the 117 codes is either recognised by Whisper base or in this list, which the docs print.
func TestEveryCodeIsKnownOrNamed(t *testing.T) {
	if n := len(language.WhisperBase()); n != 99 {
		t.Fatalf("%d languages of Whisper base, want 99", n)
	}
	want := []string{
		"ab-GE", "ast-ES", "ckb-IQ", "ckb-IR", "ga-IE", "gd-GB", "kab-DZ", "ky-KG", "lg-IN", "mhr-RU", "or-IN",
		"rw-RW", "ug-CN", "wo-SN", "zh-HK", "zu-ZA",
	}
	got := language.NewSet().Unknown(model.Enum("LanguageCode")...)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("not recognised: %v\nwant %v", got, want)
	}
}

func TestIdentifiedCodeOfEveryLanguageIsLegal(t *testing.T) {
	codes := model.Enum("LanguageCode")
	for _, l := range language.NewSet().Candidates(nil) {
		if code := language.Code(l, nil); !slices.Contains(codes, code) || language.Of(code) != l {
			t.Errorf("Code(%s) = %q", l, code)
		}
	}
	if got := language.Code("la", nil); got != "" {
		t.Errorf("Latin has no AWS code, got %s", got)
	}
}

func TestIdentified(t *testing.T) {
	scores := []speech.LanguageScore{{Language: "en", Score: .9}, {Language: "de", Score: .05}, {Language: "la", Score: .02}, {Language: "fr", Score: .01}, {Language: "nl", Score: .005}, {Language: "it", Score: .004}, {Language: "es", Score: .003}}
	for _, tc := range []struct {
		name    string
		options []string
		want    []language.Score
	}{
		{"five best that AWS has codes for", nil, []language.Score{{"en-US", .9}, {"de-DE", .05}, {"fr-FR", .01}, {"nl-NL", .005}, {"it-IT", .004}}},
		{"only the options", []string{"fr-CA", "en-IN"}, []language.Score{{"en-IN", .9}, {"fr-CA", .01}}},
		{"first of several variants", []string{"en-GB", "en-AU", "fr-FR"}, []language.Score{{"en-GB", .9}, {"fr-FR", .01}, {"en-AU", 0}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := language.Identified(scores, tc.options); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	if got := language.NewSet().Candidates([]string{"en-GB", "en-US", "zu-ZA", "fr-FR"}); !slices.Equal(got, []string{"en", "fr"}) {
		t.Errorf("candidates %v", got)
	}
}
