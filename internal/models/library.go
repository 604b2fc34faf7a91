package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/models/convert"
)

var (
	// ErrUnknown means that the manifest has no such model.
	ErrUnknown = errors.New("there is no such model")
	// ErrNotInstalled means that a model is not there, or not for this version of Dictum.
	ErrNotInstalled = errors.New("model is not installed")
	// ErrDamaged means that an installed file is not what was installed.
	ErrDamaged = errors.New("model is damaged")
)

// Dir is the folder of models: $DICTUM_MODELS, or dictum/models in the user's cache folder.
func Dir() (string, error) {
	if dir := os.Getenv("DICTUM_MODELS"); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find models folder (set DICTUM_MODELS): %w", err)
	}
	return filepath.Join(cache, "dictum", "models"), nil
}

// Library is a folder of installed models. It is safe for concurrent use, also by
// several processes: a model appears whole or not at all.
type Library struct {
	dir    string
	models []Model
}

// Open opens the library in dir with the manifest of this version. The folder may be
// missing: it is made when something is installed.
func Open(dir string) (*Library, error) {
	models, err := Manifest()
	if err != nil {
		return nil, err
	}
	return OpenWith(dir, models)
}

// OpenWith opens a library with a manifest of the caller's.
func OpenWith(dir string, models []Model) (*Library, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open models folder: %w", err)
	}
	return &Library{dir: dir, models: models}, nil
}

// Dir is the library's folder.
func (l *Library) Dir() string { return l.dir }

// Models are the manifest's entries.
func (l *Library) Models() []Model { return l.models }

// recordFile is where an installed model says what it is.
const recordFile = "dictum.json"

// record is the content of recordFile.
type record struct {
	Name string `json:"name"`
	// Source is the kind of source, or "import".
	Source string `json:"source"`
	// Origin are the files that the source gave, Converter the version that converted them.
	Origin    []File    `json:"origin"`
	Convert   string    `json:"convert,omitempty"`
	Converter int       `json:"converter,omitempty"`
	Installed time.Time `json:"installed"`
	// Files are what is installed.
	Files []File `json:"files"`
}

// Path is the folder of an installed model. Its error wraps ErrNotInstalled and tells the
// user what to run. Path looks at names and versions only; Verify reads the files.
func (l *Library) Path(name string) (string, error) {
	r, err := l.installed(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(l.dir, r.Name), nil
}

// installed reads a model's record and checks that it is the one this version wants.
func (l *Library) installed(name string) (record, error) {
	var r record
	if !validName(name) {
		return r, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	data, err := os.ReadFile(filepath.Join(l.dir, name, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w: %s is not in %s; run: dictum models pull %s", ErrNotInstalled, name, l.dir, name)
	}
	if err != nil {
		return r, fmt.Errorf("find model %s: %w", name, err)
	}
	if err := json.Unmarshal(data, &r); err != nil || r.Name != name {
		return r, fmt.Errorf("%w: the record of %s cannot be read; run: dictum models pull %s", ErrDamaged, name, name)
	}
	if r.Convert != "" && r.Converter != convert.Version {
		return r, fmt.Errorf("%w: %s was converted by another version; run: dictum models pull %s", ErrNotInstalled, name, name)
	}
	if m, err := l.find(name); err == nil && r.Source != Imported && (r.Convert != m.Convert || !sameFiles(r.Origin, m.Files)) {
		return r, fmt.Errorf("%w: %s is of another release; run: dictum models pull %s", ErrNotInstalled, name, name)
	}
	for _, f := range r.Files {
		if info, err := os.Stat(filepath.Join(l.dir, name, f.Name)); err != nil || info.Size() != f.Size {
			return r, fmt.Errorf("%w: %s/%s is missing or cut; run: dictum models pull %s", ErrDamaged, name, f.Name, name)
		}
	}
	return r, nil
}

func (l *Library) find(name string) (Model, error) {
	i := slices.IndexFunc(l.models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return l.models[i], nil
}

func sameFiles(a, b []File) bool {
	byName := func(x, y File) int { return strings.Compare(x.Name, y.Name) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, byName)
	slices.SortFunc(b, byName)
	return slices.Equal(a, b)
}

// Names lists the installed models, those of the manifest first, then imported ones.
func (l *Library) Names() ([]string, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list models: %w", err)
	}
	var names, others []string
	for _, m := range l.models {
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == m.Name }) {
			names = append(names, m.Name)
		}
	}
	for _, e := range entries {
		if e.IsDir() && validName(e.Name()) && !slices.Contains(names, e.Name()) {
			others = append(others, e.Name())
		}
	}
	return append(names, others...), nil
}

// Verify hashes every file of an installed model. Files that are installed as they came
// are held against the manifest in the program; converted ones against what was written
// down when they were converted. It returns an error that wraps ErrNotInstalled or
// ErrDamaged.
func (l *Library) Verify(ctx context.Context, name string) error {
	r, err := l.installed(name)
	if err != nil {
		return err
	}
	want := r.Files
	if m, err := l.find(name); err == nil && m.Convert == "" {
		want = m.Files
	}
	known := map[string]bool{recordFile: true}
	for _, f := range want {
		if err := checkFile(ctx, filepath.Join(l.dir, name, f.Name), f); err != nil {
			return fmt.Errorf("verify %s: %w; run: dictum models pull --force %s", name, err, name)
		}
		known[f.Name] = true
	}
	entries, err := os.ReadDir(filepath.Join(l.dir, name))
	if err != nil {
		return fmt.Errorf("verify %s: %w", name, err)
	}
	for _, e := range entries {
		if !known[e.Name()] {
			return fmt.Errorf("verify %s: %w: %s does not belong there", name, ErrDamaged, e.Name())
		}
	}
	return nil
}

// checkFile compares a file with its pinned size and hash.
func checkFile(ctx context.Context, path string, want File) error {
	got, err := hashFile(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrDamaged, want.Name)
	}
	if err != nil {
		return err
	}
	if got.Size != want.Size || got.SHA256 != want.SHA256 {
		return fmt.Errorf("%w: %s has %d bytes and sha256 %s, not %d and %s",
			ErrDamaged, want.Name, got.Size, got.SHA256, want.Size, want.SHA256)
	}
	return nil
}

func hashFile(ctx context.Context, path string) (File, error) {
	file, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer file.Close() // only read
	h := sha256.New()
	n, err := io.Copy(h, contextReader{ctx, file})
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", path, err)
	}
	return File{Name: filepath.Base(path), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// contextReader stops reading when the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
