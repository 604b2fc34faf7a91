package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/text/pii"
)

// maxLine bounds a line of text, in bytes.
const maxLine = 64 << 10

// RedactCmd takes personal information out of lines of text.
type RedactCmd struct {
	File         string   `arg:"" optional:"" help:"Text, one turn of talk a line; - is standard input." default:"-"`
	Spans        bool     `help:"Write what was found as JSON, one object a line of text, with offsets in characters, and not the text."`
	Labels       bool     `help:"Write the type in the place of what was found, as [NAME], rather than [PII]."`
	Type         []string `help:"Take out this type only; may be repeated. Without it, all types." placeholder:"NAME"`
	Conversation bool     `help:"Read the lines as one talk, so that a question gives the next line its meaning."`
	Language     string   `help:"Language of the text: a code such as en, en-GB or de." default:"en"`
	Rules        bool     `help:"Use the rules alone, without the model for names."`
}

// lineSpans is what --spans writes for a line.
type lineSpans struct {
	Spans []lineSpan `json:"spans"`
}

// lineSpan is an entity with offsets in Unicode code points, end exclusive.
type lineSpan struct {
	Start int     `json:"start"`
	End   int     `json:"end"`
	Type  string  `json:"type"`
	Score float64 `json:"score"`
}

// Run implements the command. It streams: each line is written when it is decided.
func (c *RedactCmd) Run(ctx context.Context, s *streams) error {
	language, region, _ := strings.Cut(c.Language, "-")
	language = strings.ToLower(language)
	if !pii.Supported(language) {
		return &exitError{exitUsage, fmt.Errorf("personal information isn't found in the language %q", c.Language)}
	}
	for _, kind := range c.Type {
		if kind != pii.All && !slices.Contains(pii.Types(), kind) {
			return &exitError{exitUsage, fmt.Errorf("unknown type %q; the types are %s", kind, strings.Join(pii.Types(), ", "))}
		}
	}
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	detector := &pii.Detector{}
	if !c.Rules {
		e, err := openEngine(engine.Config{})
		if err != nil {
			return err
		}
		defer e.Close()
		detector.Tagger = e
	}
	out := bufio.NewWriter(s.out)
	turn := func(line string) pii.Turn {
		return pii.Turn{Text: line, Language: language, Region: strings.ToUpper(region)}
	}
	lookahead := 0
	if c.Conversation {
		lookahead = pii.DefaultLookahead
	}
	stream := detector.Stream(lookahead)
	lines := bufio.NewReaderSize(in, 16<<10)
	for number := 1; ; number++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read line %d: %w", number, err)
		}
		if !c.Conversation {
			stream = detector.Stream(0)
		}
		found, err := stream.Push(ctx, turn(line))
		if err != nil {
			return err
		}
		if err := c.write(out, found); err != nil {
			return err
		}
		// A reader at the other end of a pipe gets each line as soon as it is known.
		if lines.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := c.write(out, stream.Flush()); err != nil {
		return err
	}
	return out.Flush()
}

func (c *RedactCmd) write(out *bufio.Writer, found []pii.Found) error {
	for _, f := range found {
		entities := pii.Choice(c.Type).Choose(f.Entities)
		if c.Spans {
			if err := json.NewEncoder(out).Encode(spansOf(f.Turn.Text, entities)); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			continue
		}
		out.WriteString(pii.RedactText(f.Turn.Text, entities, c.Labels))
		out.WriteByte('\n')
	}
	return nil
}

// spansOf gives entities in code points.
func spansOf(text string, entities []pii.Entity) lineSpans {
	spans := lineSpans{Spans: []lineSpan{}}
	at, characters := 0, 0
	count := func(to int) int {
		characters += utf8.RuneCountInString(text[at:to])
		at = to
		return characters
	}
	for _, e := range entities {
		start := count(e.Start)
		spans.Spans = append(spans.Spans, lineSpan{start, count(e.End), e.Type, e.Score})
	}
	return spans
}

// readLine returns the next line without its end, or an error for one that is too long.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", fmt.Errorf("a line has more than %d bytes", maxLine)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0, err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		return "", err
	}
}
