package models_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/models"
)

// content is a file of some size with a pin.
func content(name string) ([]byte, models.File) {
	data := bytes.Repeat([]byte("a piece of "+name+"\n"), 40000)
	sum := sha256.Sum256(data)
	return data, models.File{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

// hub serves files; cut, when not nil, says after how many bytes an answer breaks off.
func hub(t *testing.T, files map[string][]byte, cut func(r *http.Request) int) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[filepath.Base(r.URL.Path)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if cut != nil {
			if n := cut(r); n >= 0 {
				w = &cutter{ResponseWriter: w, left: n}
			}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(s.Close)
	return s
}

// cutter breaks the connection off after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func library(t *testing.T, dir, base string, files ...models.File) *models.Library {
	t.Helper()
	l, err := models.OpenWith(dir, []models.Model{{
		Name: "thing", Purpose: "tests", Licence: "MIT", Default: true, Files: files,
		Sources: []models.Source{{Kind: models.Hub, Base: base + "/"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func pull(t *testing.T, l *models.Library, o models.PullOptions) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return l.Pull(ctx, nil, o)
}

func TestPullInstallsAndVerifies(t *testing.T) {
	data, file := content("weights")
	s := hub(t, map[string][]byte{"weights": data}, nil)
	l := library(t, t.TempDir(), s.URL, file)
	if _, err := l.Path("thing"); !errors.Is(err, models.ErrNotInstalled) || !strings.Contains(err.Error(), "run: dictum models pull") {
		t.Errorf("a missing model gives %v", err)
	}
	if err := pull(t, l, models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	path, err := l.Path("thing")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(path, "weights")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the installed file differs: %v", err)
	}
	if err := l.Verify(context.Background(), "thing"); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := pull(t, l, models.PullOptions{}); err != nil {
		t.Errorf("a second pull is not satisfied with what is there: %v", err)
	}
}

func TestModelThatIsNowConvertedIsPulledAgain(t *testing.T) {
	data, file := content("weights")
	s := hub(t, map[string][]byte{"weights": data}, nil)
	l := library(t, t.TempDir(), s.URL, file)
	if err := pull(t, l, models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	entry := l.Models()[0]
	entry.Convert = "moonshine"
	later, err := models.OpenWith(l.Dir(), []models.Model{entry})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := later.Path("thing"); !errors.Is(err, models.ErrNotInstalled) {
		t.Errorf("the error is %v", err)
	}
}

func TestInterruptedTransferResumes(t *testing.T) {
	data, file := content("weights")
	var asked, ranges atomic.Int32
	s := hub(t, map[string][]byte{"weights": data}, func(r *http.Request) int {
		if r.Header.Get("Range") != "" {
			ranges.Add(1)
		}
		if asked.Add(1) < 4 {
			return 100_000
		}
		return -1
	})
	l := library(t, t.TempDir(), s.URL, file)
	if err := pull(t, l, models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 4 || ranges.Load() != 3 {
		t.Errorf("it asked %d times, %d of them for the rest", asked.Load(), ranges.Load())
	}
}

func TestNextPullGoesOnWhereTheLastStopped(t *testing.T) {
	data, file := content("weights")
	stop := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	first := true
	s := hub(t, map[string][]byte{"weights": data}, func(r *http.Request) int {
		if first {
			first = false
			return 200_000
		}
		if r.Header.Get("Range") == "" {
			t.Error("the rest was not asked for as a range")
		}
		select {
		case <-stop:
		default:
			cancel() // the user gives up while the second request runs
			close(stop)
			return 0
		}
		return -1
	})
	l := library(t, t.TempDir(), s.URL, file)
	if err := l.Pull(ctx, nil, models.PullOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("the interrupted pull gives %v", err)
	}
	if err := pull(t, l, models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestWrongHashIsRefusedAndNotKept(t *testing.T) {
	data, file := content("weights")
	data = bytes.Clone(data)
	data[1000] ^= 1
	s := hub(t, map[string][]byte{"weights": data}, nil)
	dir := t.TempDir()
	l := library(t, dir, s.URL, file)
	if err := pull(t, l, models.PullOptions{}); !errors.Is(err, models.ErrDamaged) {
		t.Errorf("a wrong file gives %v", err)
	}
	if _, err := l.Path("thing"); !errors.Is(err, models.ErrNotInstalled) {
		t.Errorf("a wrong file was installed: %v", err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" {
			t.Errorf("%s was kept", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLargerFileIsCutShort(t *testing.T) {
	data, file := content("weights")
	s := hub(t, map[string][]byte{"weights": append(bytes.Clone(data), "more"...)}, nil)
	if err := pull(t, library(t, t.TempDir(), s.URL, file), models.PullOptions{}); err == nil {
		t.Error("a file that is too large was taken")
	}
}

func TestMissingFileIsNotAskedForAgain(t *testing.T) {
	_, file := content("weights")
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.NotFound(w, r)
	}))
	defer s.Close()
	if err := pull(t, library(t, t.TempDir(), s.URL, file), models.PullOptions{}); err == nil || asked.Load() != 1 {
		t.Errorf("it asked %d times and gives %v", asked.Load(), err)
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	data, file := content("weights")
	s := hub(t, map[string][]byte{"weights": data}, nil)
	l := library(t, t.TempDir(), s.URL, file)
	if err := pull(t, l, models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	path, _ := l.Path("thing")
	extra := filepath.Join(path, "extra")
	if err := os.WriteFile(extra, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := l.Verify(context.Background(), "thing"); !errors.Is(err, models.ErrDamaged) {
		t.Errorf("a file too many gives %v", err)
	}
	_ = os.Remove(extra)
	data = bytes.Clone(data)
	data[5] ^= 1
	if err := os.WriteFile(filepath.Join(path, "weights"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := l.Verify(context.Background(), "thing"); !errors.Is(err, models.ErrDamaged) {
		t.Errorf("a changed bit gives %v", err)
	}
	if err := pull(t, l, models.PullOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := l.Verify(context.Background(), "thing"); err != nil {
		t.Errorf("a forced pull does not mend: %v", err)
	}
}

func TestPullsWaitForEachOther(t *testing.T) {
	data, file := content("weights")
	var asked atomic.Int32
	s := hub(t, map[string][]byte{"weights": data}, func(*http.Request) int { asked.Add(1); return -1 })
	dir := t.TempDir()
	done := make(chan error)
	for range 3 {
		go func() { done <- library(t, dir, s.URL, file).Pull(context.Background(), nil, models.PullOptions{}) }()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the file was fetched %d times", asked.Load())
	}
}

func TestManifestIsSound(t *testing.T) {
	all, err := models.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	byDefault := map[string]bool{}
	for _, m := range all {
		byDefault[m.Name] = m.Default
	}
	for _, name := range []string{models.Runtime, models.SileroVAD, models.WhisperBase, models.RampartPII, models.SpeechSamples} {
		if !byDefault[name] {
			t.Errorf("%s is not pulled by default", name)
		}
	}
	for _, bad := range []string{
		`{"models":[{"name":"../x"}]}`,
		`{"models":[{"name":"x","files":[{"name":"a","size":1,"sha256":"short"}],"sources":[{"kind":"hub","base":"h/"}]}]}`,
	} {
		if _, err := models.ParseManifest([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestUnknownModel(t *testing.T) {
	l := library(t, t.TempDir(), "http://unused.invalid")
	if err := l.Pull(context.Background(), []string{"nothing"}, models.PullOptions{}); !errors.Is(err, models.ErrUnknown) {
		t.Errorf("an unknown model gives %v", err)
	}
	if _, err := l.Path("../thing"); !errors.Is(err, models.ErrUnknown) {
		t.Errorf("a path as a name gives %v", err)
	}
}
