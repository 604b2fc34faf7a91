package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dictum/dictum/internal/models/convert"
)

// Imported is the source of models that an operator brought.
const Imported = "import"

// PullOptions says how to pull.
type PullOptions struct {
	// Source is the only kind of source to use; empty tries each that a model has, in
	// the manifest's order.
	Source string
	// Force fetches what is installed already.
	Force bool
	// Client is for hub sources; nil is a client without an overall time limit.
	Client *http.Client
	// Progress, when not nil, is told what happens, from one goroutine.
	Progress Progress
}

// Progress shows people what a pull is doing.
type Progress interface {
	// Stage begins something, described by a line of text.
	Stage(model, text string)
	// Bytes tells how much of the file now fetched is there.
	Bytes(model, file string, done, total int64)
}

type silence struct{}

func (silence) Stage(string, string)               {}
func (silence) Bytes(string, string, int64, int64) {}

// Pull fetches, verifies, converts and installs models; without names, the default ones.
// What is installed already is left as it is. One pull works in a library at a time: a
// second waits. A model is installed whole or not at all, and an interrupted download
// from a hub goes on where it stopped.
func (l *Library) Pull(ctx context.Context, names []string, options PullOptions) error {
	if options.Progress == nil {
		options.Progress = silence{}
	}
	if len(names) == 0 {
		for _, m := range l.models {
			if m.Default {
				names = append(names, m.Name)
			}
		}
	}
	var pulled []Model
	for _, name := range names {
		m, err := l.find(name)
		if err != nil {
			return err
		}
		pulled = append(pulled, m)
	}
	unlock, err := l.lock(ctx, options.Progress)
	if err != nil {
		return err
	}
	defer unlock()
	for _, m := range pulled {
		if err := l.pull(ctx, m, options); err != nil {
			return fmt.Errorf("pull %s: %w", m.Name, err)
		}
	}
	return nil
}

func (l *Library) pull(ctx context.Context, m Model, options PullOptions) error {
	if _, err := l.installed(m.Name); err == nil && !options.Force {
		options.Progress.Stage(m.Name, "is installed")
		return nil
	}
	if here := runtime.GOOS + "/" + runtime.GOARCH; m.Platform != "" && m.Platform != here {
		return fmt.Errorf("it is for %s, and this is %s", m.Platform, here)
	}
	work, err := os.MkdirTemp(l.dir, ".pull-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) // best effort: the next pull sweeps
	src := filepath.Join(work, "source")
	if err := os.Mkdir(src, 0o755); err != nil {
		return err
	}
	kind, err := l.fetch(ctx, m, src, options)
	if err != nil {
		return err
	}
	r := record{Name: m.Name, Source: kind, Origin: m.Files, Convert: m.Convert}
	return l.install(ctx, r, src, filepath.Join(work, "installed"), options.Progress)
}

// fetch gets and verifies a model's files into src by the first source that works, and
// tells which kind it was.
func (l *Library) fetch(ctx context.Context, m Model, src string, options PullOptions) (string, error) {
	var failures []error
	for _, s := range m.Sources {
		if options.Source != "" && options.Source != s.Kind {
			continue
		}
		options.Progress.Stage(m.Name, "from "+s.Kind)
		var err error
		switch s.Kind {
		case Hub:
			err = l.fetchHub(ctx, m, s, src, options)
		case Registry:
			err = fetchRegistry(ctx, m, s, src, options.Progress)
		}
		for _, f := range m.Files {
			if err == nil {
				err = checkFile(ctx, filepath.Join(src, f.Name), f)
			}
		}
		if err == nil {
			return s.Kind, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failures = append(failures, fmt.Errorf("from %s: %w", s.Kind, err))
		options.Progress.Stage(m.Name, "cannot be had "+failures[len(failures)-1].Error())
	}
	if len(failures) == 0 {
		return "", fmt.Errorf("it has no source of kind %q", options.Source)
	}
	return "", errors.Join(failures...)
}

// install makes the model's folder out of verified source files and puts it in place.
func (l *Library) install(ctx context.Context, r record, src, dst string, progress Progress) error {
	switch r.Convert {
	case "":
		if err := os.Rename(src, dst); err != nil {
			return err
		}
	case "whisper", "speakers", "moonshine":
		if err := os.Mkdir(dst, 0o755); err != nil {
			return err
		}
		converted := convert.Whisper
		switch r.Convert {
		case "speakers":
			converted = convert.Speakers
		case "moonshine":
			converted = convert.Moonshine
		}
		r.Converter = convert.Version
		if err := converted(ctx, src, dst, func(text string) { progress.Stage(r.Name, text) }); err != nil {
			return err
		}
	default:
		return fmt.Errorf("conversion %q is not known", r.Convert)
	}
	entries, err := os.ReadDir(dst)
	if err != nil {
		return err
	}
	for _, e := range entries {
		f, err := hashFile(ctx, filepath.Join(dst, e.Name()))
		if err != nil {
			return err
		}
		r.Files = append(r.Files, f)
	}
	r.Installed = time.Now().UTC().Truncate(time.Second)
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dst, recordFile), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := l.replace(r.Name, dst); err != nil {
		return err
	}
	progress.Stage(r.Name, "installed in "+filepath.Join(l.dir, r.Name))
	return nil
}

// replace moves a finished folder to its place, on disk before it is seen.
func (l *Library) replace(name, dst string) error {
	entries, err := os.ReadDir(dst)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := syncPath(filepath.Join(dst, e.Name())); err != nil {
			return err
		}
	}
	if err := syncPath(dst); err != nil {
		return err
	}
	place := filepath.Join(l.dir, name)
	old := dst + ".old"
	if err := os.Rename(place, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(dst, place); err != nil {
		return errors.Join(err, os.Rename(old, place))
	}
	return syncPath(l.dir)
}

// syncPath makes a file or a folder durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockPoll is how often a waiting pull asks for the lock.
const lockPoll = 100 * time.Millisecond

// lock makes the library's folder and takes its lock, which the system gives back when a
// process dies. It then sweeps what interrupted pulls left.
func (l *Library) lock(ctx context.Context, progress Progress) (unlock func(), err error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make models folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(l.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock models folder: %w", err)
	}
	for waited := false; ; waited = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock models folder: %w", err), file.Close())
		}
		if !waited {
			progress.Stage("models", "waiting for another pull to end")
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(lockPoll):
		}
	}
	left, _ := filepath.Glob(filepath.Join(l.dir, ".pull-*")) // the pattern is valid
	for _, dir := range left {
		_ = os.RemoveAll(dir) // best effort: tried again next time
	}
	return func() { _ = file.Close() }, nil // closing gives the lock back
}

// Import converts a model of the operator's, a CTranslate2 folder of any Whisper, and
// installs it under a name of its own.
func (l *Library) Import(ctx context.Context, name, dir string, progress Progress) error {
	if progress == nil {
		progress = silence{}
	}
	if !validName(name) {
		return fmt.Errorf("import %q: a name has no slash and no dot in front", name)
	}
	if m, err := l.find(name); err == nil && m.Convert != "whisper" {
		return fmt.Errorf("import %s: the name belongs to a model of another kind", name)
	}
	unlock, err := l.lock(ctx, progress)
	if err != nil {
		return err
	}
	defer unlock()
	r := record{Name: name, Source: Imported, Convert: "whisper"}
	for _, file := range []string{convert.WeightsFile, convert.ConfigFile, convert.TokenizerFile} {
		f, err := hashFile(ctx, filepath.Join(dir, file))
		if err != nil {
			return fmt.Errorf("import %s: %w", name, err)
		}
		r.Origin = append(r.Origin, f)
	}
	work, err := os.MkdirTemp(l.dir, ".pull-")
	if err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	defer os.RemoveAll(work) // best effort: the next pull sweeps
	if err := l.install(ctx, r, dir, filepath.Join(work, "installed"), progress); err != nil {
		return fmt.Errorf("import %s: %w", name, err)
	}
	return nil
}

// SourceKinds are the kinds of source that the model has, in order of preference.
func (m Model) SourceKinds() []string {
	var kinds []string
	for _, s := range m.Sources {
		kinds = append(kinds, s.Kind)
	}
	return slices.Compact(kinds)
}
