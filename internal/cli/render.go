package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/subtitle"
	"github.com/dictum/dictum/internal/transcribe/document"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// localAccount stands for an account in documents that no account asked for.
const localAccount = "000000000000"

// render writes a transcript in the command's format; name becomes the job's in JSON.
func (c *TranscribeCmd) render(name string, t speech.Transcript) ([]byte, error) {
	var out bytes.Buffer
	switch c.Format {
	case "json":
		return c.renderJSON(name, t)
	case "srt", "vtt":
		if err := subtitle.Write(&out, subtitle.Format(c.Format), t.Segments, 1); err != nil {
			return nil, fmt.Errorf("write subtitles: %w", err)
		}
	default:
		for _, segment := range t.Segments {
			if segment.Speaker > 0 {
				fmt.Fprintf(&out, "Speaker %d: ", segment.Speaker)
			}
			out.WriteString(document.Join(segment.Items))
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

func (c *TranscribeCmd) renderJSON(name string, t speech.Transcript) ([]byte, error) {
	job := document.Job{
		Name: name, AccountID: localAccount, Speakers: c.Speakers > 0, Alternatives: c.Alternatives > 0,
		MultipleLanguages: strings.EqualFold(c.Language, "multi"),
	}
	if t.Languages != nil {
		job.Identified = language.Identified(t.Languages, nil)
	}
	text, err := document.Build(job, t).JSON()
	if err != nil {
		return nil, fmt.Errorf("write transcript document: %w", err)
	}
	return append(text, '\n'), nil
}

// recognizedLanguage turns what people type (en, en-US, EN) into the recogniser's code.
func recognizedLanguage(code string) (string, error) {
	known := language.WhisperBase()
	for _, candidate := range []string{language.Of(code), strings.ToLower(code)} {
		for _, k := range known {
			if k == candidate {
				return k, nil
			}
		}
	}
	return "", fmt.Errorf("--language %s is not known; use auto, or one of %s", code, strings.Join(known, " "))
}
