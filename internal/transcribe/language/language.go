// Package language translates between Amazon Transcribe's language codes ("en-GB") and the
// languages a recogniser knows ("en"). Start at Of and Identified.
package language

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// spoken are the codes whose language is not what stands before the hyphen.
var spoken = map[string]string{
	// Whisper keeps the pre-1989 code of Javanese.
	"jv-ID": "jw",
	// Cantonese; Whisper knows it from large-v3 on, base would write Mandarin.
	"zh-HK": "yue",
}

// whisperBase are the 99 languages of Whisper tiny to large-v2 (arXiv 2212.04356, appendix E).
var whisperBase = strings.Fields(`
	en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml
	cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am
	yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su`)

// WhisperBase returns the languages that the default recogniser knows.
func WhisperBase() []string { return slices.Clone(whisperBase) }

// region is the code that identification answers with when the request leaves the variant open,
// for languages of which the service has several. AWS does not document its own choice; these are
// the variants with most speakers among its customers' languages. A code with a single variant needs no row.
var region = map[string]string{
	"ar": "ar-SA", "cy": "cy-WL", "de": "de-DE", "en": "en-US", "es": "es-US", "et": "et-EE", "fa": "fa-IR",
	"fr": "fr-FR", "pt": "pt-BR", "sw": "sw-KE", "zh": "zh-CN",
}

// Of returns the recogniser's code of an AWS language code: "en" for "en-GB".
func Of(code string) string {
	if l, ok := spoken[code]; ok {
		return l
	}
	l, _, _ := strings.Cut(code, "-")
	return l
}

// Set is what a recogniser can recognise.
type Set struct{ known []string }

// NewSet makes the set of a recogniser's languages; none means WhisperBase.
func NewSet(languages ...string) Set {
	if len(languages) == 0 {
		languages = whisperBase
	}
	return Set{known: slices.Clone(languages)}
}

// Has tells whether the recogniser knows the language of an AWS code.
func (s Set) Has(code string) bool { return slices.Contains(s.known, Of(code)) }

// Codes returns the AWS codes whose language the recogniser knows, in the model's order.
func (s Set) Codes() []string {
	return slices.DeleteFunc(model.Enum("LanguageCode"), func(c string) bool { return !s.Has(c) })
}

// Unknown returns those of the AWS codes that the recogniser does not know.
func (s Set) Unknown(codes ...string) []string {
	var out []string
	for _, c := range codes {
		if !s.Has(c) {
			out = append(out, c)
		}
	}
	return out
}

// variants are the AWS codes by language, in the model's order.
var variants = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for _, code := range model.Enum("LanguageCode") {
		out[Of(code)] = append(out[Of(code)], code)
	}
	return out
})

// Code returns the AWS code for an identified language; empty when AWS has none.
// With options, it is the first option that is of the language: sound alone does not tell en-GB from en-AU.
func Code(language string, options []string) string {
	if len(options) > 0 {
		for _, o := range options {
			if Of(o) == language {
				return o
			}
		}
		return ""
	}
	if code, ok := region[language]; ok {
		return code
	}
	if codes := variants()[language]; len(codes) > 0 {
		return codes[0]
	}
	return ""
}

// Candidates returns the languages between which a recogniser is to decide: those of the options,
// or all that it knows and AWS has a code for.
func (s Set) Candidates(options []string) []string {
	var out []string
	if len(options) == 0 {
		for _, l := range s.known {
			if Code(l, nil) != "" {
				out = append(out, l)
			}
		}
		return out
	}
	for _, o := range options {
		if l := Of(o); s.Has(o) && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// Score is how probable it is, 0 to 1, that the speech is in the language of an AWS code.
type Score struct {
	Code  string
	Score float64
}

// Identified turns a recogniser's scores into AWS's, best first: the options, each once, or the five
// best. Of several options in one language the first has the score and the others have none.
func Identified(scores []speech.LanguageScore, options []string) []Score {
	out := []Score{}
	for _, s := range scores {
		if code := Code(s.Language, options); code != "" && !has(out, code) {
			out = append(out, Score{code, s.Score})
		}
	}
	slices.SortStableFunc(out, func(a, b Score) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	if len(options) == 0 {
		return out[:min(5, len(out))]
	}
	for _, o := range options {
		if !has(out, o) {
			out = append(out, Score{Code: o})
		}
	}
	return out
}

func has(list []Score, code string) bool {
	return slices.ContainsFunc(list, func(s Score) bool { return s.Code == code })
}

// Time is how long a language was spoken.
type Time struct {
	Code     string
	Duration time.Duration
}

// Spoken adds up the segments of each language, in order of first appearance.
func Spoken(segments []speech.Segment, options []string) []Time {
	var out []Time
	for _, s := range segments {
		code := Code(s.Language, options)
		if code == "" {
			continue
		}
		i := slices.IndexFunc(out, func(t Time) bool { return t.Code == code })
		if i < 0 {
			i, out = len(out), append(out, Time{Code: code})
		}
		out[i].Duration += s.End - s.Start
	}
	return out
}
