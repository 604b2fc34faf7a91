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

// render writes a transcript in one of TranscribeCmd's formats; name becomes the job's in JSON.
func render(format, name string, t speech.Transcript) ([]byte, error) {
	var out bytes.Buffer
	switch format {
	case "json":
		return renderJSON(name, t)
	case "srt", "vtt":
		if err := subtitle.Write(&out, subtitle.Format(format), t.Segments, 1); err != nil {
			return nil, fmt.Errorf("write subtitles: %w", err)
		}
	default:
		for _, segment := range t.Segments {
			out.WriteString(document.Join(segment.Items))
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

func renderJSON(name string, t speech.Transcript) ([]byte, error) {
	job := document.Job{Name: name, AccountID: localAccount}
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
