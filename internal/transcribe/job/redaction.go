package job

import (
	"context"
	"fmt"
	"strings"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/text/pii"
)

// redact returns the transcript without the personal information that the job asks to have taken out, or nil when it
// asks for nothing.
func (a *attempt) redact(ctx context.Context, t speech.Transcript) (*speech.Transcript, error) {
	j := a.claim.Job
	if !j.Redacts() {
		return nil, nil
	}
	a.touch()
	var err error
	t.Segments, err = a.pool.cfg.Redactor.Redact(ctx, t.Segments, pii.Choice(j.Request.ContentRedaction.PiiEntityTypes), country(j.LanguageCode()))
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("redact: %w", err)
	}
	return &t, nil
}

// country is where people speak the language of an AWS code: "US" for "en-US". Its telephone numbers need no country
// code. Scotland and Wales have codes of their own, but no numbers.
func country(code string) string {
	_, region, _ := strings.Cut(code, "-")
	if region == "AB" || region == "WL" {
		return "GB"
	}
	return region
}
