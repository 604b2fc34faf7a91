package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
)

// sample writes a log of three days with four records each and returns its files. Of each file the
// first frame is a digest and the last one too, so that the records are numbered 2-5, 8-11 and 14-17.
func sample(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	now := newClock()
	l := open(t, audit.Config{Dir: dir, Keys: keys(t), Now: now.Now})
	for day := range 3 {
		if day > 0 {
			now.add(24 * time.Hour)
		}
		for i := range 4 {
			record(t, l, start(fmt.Sprintf("job-%d-%d", day, i)))
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.audit"))
	if err != nil || len(files) != 3 {
		t.Fatalf("got files %v, %v", files, err)
	}
	return dir, files
}

// parsed is a file taken apart.
type parsed struct {
	t      *testing.T
	path   string
	header []byte
	frames []audit.Frame
}

func parse(t *testing.T, path string) *parsed {
	t.Helper()
	header, frames, err := audit.ReadFrames(path, keys(t))
	if err != nil {
		t.Fatal(err)
	}
	return &parsed{t, path, header, frames}
}

// index is where the frame with this number is.
func (p *parsed) index(seq uint64) int {
	p.t.Helper()
	i := slices.IndexFunc(p.frames, func(f audit.Frame) bool { return f.Seq == seq })
	if i < 0 {
		p.t.Fatalf("no record %d", seq)
	}
	return i
}

// save writes the file anew, of the frames' raw bytes.
func (p *parsed) save() {
	p.t.Helper()
	b := bytes.Clone(p.header)
	for _, f := range p.frames {
		b = append(b, f.Raw...)
	}
	if err := os.WriteFile(p.path, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// forge replaces a text in a record by one of the same length and seals it again.
func (p *parsed) forge(seq uint64, before, after string) {
	p.t.Helper()
	f := &p.frames[p.index(seq)]
	if !bytes.Contains(f.Body, []byte(before)) {
		p.t.Fatalf("record %d holds no %q", seq, before)
	}
	f.Body = bytes.ReplaceAll(f.Body, []byte(before), []byte(after))
	p.seal(seq)
}

func (p *parsed) seal(seq uint64) {
	p.t.Helper()
	f := &p.frames[p.index(seq)]
	var err error
	if f.Raw, err = audit.Seal(p.header, keys(p.t), *f); err != nil {
		p.t.Fatal(err)
	}
}

// rechain has the frames behind this one name the new hashes.
func (p *parsed) rechain(seq uint64) {
	for i := p.index(seq) + 1; i < len(p.frames); i++ {
		p.frames[i].Prev = p.frames[i-1].Hash()
		p.seal(p.frames[i].Seq)
	}
}

func TestVerifyFinds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(t *testing.T, dir string, files []string)
		want   []string
	}{
		{"a changed byte", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			p.frames[p.index(9)].Raw[100] ^= 1
			p.save()
		}, []string{"record 9: changed"}},
		{"a record whose header was changed", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			p.frames[p.index(9)].Raw[0] ^= 1
			p.save()
		}, []string{"bytes are not what was written", "record 9: missing"}},
		{"a removed record", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			i := p.index(9)
			p.frames = slices.Delete(p.frames, i, i+1)
			p.save()
		}, []string{"record 9: missing"}},
		{"removed records", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			i := p.index(9)
			p.frames = slices.Delete(p.frames, i, i+2)
			p.save()
		}, []string{"records 9 to 10: missing"}},
		{"two that changed places", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			i := p.index(9)
			p.frames[i], p.frames[i+1] = p.frames[i+1], p.frames[i]
			p.save()
		}, []string{"record 9: out of order"}},
		{"one that stands twice", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			i := p.index(9)
			p.frames = slices.Insert(p.frames, i+1, p.frames[i])
			p.save()
		}, []string{"record 9: occurs again"}},
		{"a record in another file", func(t *testing.T, _ string, files []string) {
			p, q := parse(t, files[1]), parse(t, files[0])
			p.frames = slices.Insert(p.frames, 3, q.frames[2])
			p.save()
		}, []string{"record 3: changed, or not of this place"}},
		{"a file that is gone", func(t *testing.T, _ string, files []string) { remove(t, files[1]) }, []string{"records 7 to 12: missing"}},
		{"the first file gone", func(t *testing.T, _ string, files []string) { remove(t, files[0]) }, []string{"records 1 to 6: missing"}},
		{"the last file gone", func(t *testing.T, _ string, files []string) { remove(t, files[2]) }, []string{"records 13 to 18: missing"}},
		{"all files gone", func(t *testing.T, _ string, files []string) {
			for _, f := range files {
				remove(t, f)
			}
		}, []string{"records 1 to 18: missing"}},
		{"files that changed names", func(t *testing.T, dir string, files []string) {
			temp := filepath.Join(dir, "x")
			for _, r := range [][2]string{{files[0], temp}, {files[1], files[0]}, {temp, files[1]}} {
				if err := os.Rename(r[0], r[1]); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{"the file was named", "out of order"}},
		{"a tail cut between records", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[2])
			p.frames = p.frames[:p.index(17)]
			p.save()
		}, []string{"records 17 to 18: missing"}},
		{"a tail cut within a record", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[2])
			f := &p.frames[len(p.frames)-1]
			f.Raw = f.Raw[:len(f.Raw)/2]
			p.save()
		}, []string{"record 18: missing"}},
		{"a cut tail without the anchor", func(t *testing.T, dir string, files []string) {
			p := parse(t, files[2])
			p.frames = p.frames[:p.index(17)]
			p.save()
			remove(t, filepath.Join(dir, "anchor"))
		}, []string{"the anchor is missing"}},
		{"a changed anchor", func(t *testing.T, dir string, _ []string) {
			if err := os.WriteFile(filepath.Join(dir, "anchor"), make([]byte, 8192), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"not an anchor"}},
		{"a record forged with the key of encryption", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			p.forge(9, "alice", "mally")
			p.save()
		}, []string{"record 9 was changed: this one names another hash"}},
		{"a forged record and the chain behind it", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			p.forge(9, "alice", "mally")
			p.rechain(9)
			p.save()
		}, []string{"record 12: digest: signed for another chain: records since 7 were changed"}},
		{"a forged chain whose digest was changed too", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			p.forge(9, "alice", "mally")
			p.rechain(9)
			d := &p.frames[p.index(12)]
			at := bytes.Index(d.Body, []byte(`"chainHash":"`)) + len(`"chainHash":"`)
			d.Body = bytes.Clone(d.Body)
			copy(d.Body[at:], fmt.Sprintf("%x", d.Prev))
			p.seal(12)
			p.save()
		}, []string{"record 12: digest: wrong signature"}},
		{"a forged tail behind the last digest", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[2])
			p.frames = p.frames[:len(p.frames)-1] // the digest of the shutdown
			p.forge(17, "alice", "mally")
			last := p.frames[len(p.frames)-1]
			more := audit.Frame{Kind: last.Kind, Seq: 18, Prev: last.Hash(), Body: last.Body}
			p.frames = append(p.frames, more)
			p.seal(18)
			p.save()
		}, []string{"record 18: changed: not the one that the anchor names"}},
		{"a digest of another place", func(t *testing.T, _ string, files []string) {
			p := parse(t, files[1])
			d := p.frames[p.index(7)]
			d.Seq, d.Prev = 12, p.frames[p.index(11)].Hash()
			p.frames[p.index(12)] = d
			p.seal(12)
			p.save()
		}, []string{"record 12: digest: signed as record 7"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, files := sample(t)
			tc.tamper(t, dir, files)
			wantFindings(t, dir, tc.want)
			// It stays found when the server goes on.
			l := open(t, audit.Config{Dir: dir, Keys: keys(t), Now: func() time.Time { return noon.Add(60 * time.Hour) }})
			record(t, l, start("later"))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if r := verify(t, dir); len(r.Findings) == 0 {
				t.Error("nothing is found any more after the log went on")
			}
		})
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func wantFindings(t *testing.T, dir string, want []string) {
	t.Helper()
	var lines []string
	for _, f := range verify(t, dir).Findings {
		lines = append(lines, f.String())
	}
	all := strings.Join(lines, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("got findings\n%s\nwant %q", all, w)
		}
	}
}

func TestVerifyFindsAnyChangedByte(t *testing.T) {
	dir, files := sample(t)
	for _, name := range files {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(good); i += 1 + i/64 { // every byte of the headers, fewer later
			bad := bytes.Clone(good)
			bad[i] ^= 0x10
			if err := os.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if r := verify(t, dir); len(r.Findings) == 0 {
				t.Fatalf("byte %d of %s: nothing found", i, filepath.Base(name))
			}
		}
		if err := os.WriteFile(name, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantSound(t, dir)
}

func TestVerifyWithoutALog(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := audit.Verify(t.Context(), dir, keys(t)); !errors.Is(err, audit.ErrNoLog) {
			t.Errorf("got %v", err)
		}
	}
}

func TestVerifyUnderAnotherRootKey(t *testing.T) {
	dir, _ := sample(t)
	other := audit.DeriveKeys(rootKey(t, 8))
	r, err := audit.Verify(t.Context(), dir, other)
	if err != nil || len(r.Findings) == 0 || !strings.Contains(r.Findings[0].String(), "another root key") {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestALaterRootKey(t *testing.T) {
	dir, _ := sample(t)
	both := audit.DeriveKeys(rootKey(t, 8), rootKey(t, 7))
	l := open(t, audit.Config{Dir: dir, Keys: both, Retention: -1})
	record(t, l, start("under the later key"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := audit.Verify(t.Context(), dir, both)
	if err != nil || len(r.Findings) > 0 || r.Records != 13 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestALogThatWasPutBack(t *testing.T) {
	dir, _ := sample(t)
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	config := audit.Config{Dir: dir, Keys: keys(t), Retention: -1}
	l := open(t, config)
	record(t, l, start("to be undone"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config.Reached = l.Last()
	for name, dir := range map[string]string{"to an earlier state": before, "to nothing": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			config := config
			config.Dir = dir
			if err := open(t, config).Close(); err != nil {
				t.Fatal(err)
			}
			wantFindings(t, dir, []string{fmt.Sprintf("the log had reached record %d", config.Reached), "missing"})
		})
	}
	t.Run("the log itself has reached it", func(t *testing.T) {
		if err := open(t, config).Close(); err != nil {
			t.Fatal(err)
		}
		wantSound(t, dir)
	})
}
