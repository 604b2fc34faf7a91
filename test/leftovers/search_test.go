package leftovers_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// prefix is how many bytes a needle is found by; needles are no shorter.
const prefix = 8

// needles are pieces of what must not be found, by their first bytes.
type needles struct {
	by map[uint64][]needle
	// maybe has a bit for each first two bytes that occur: most places of a file are passed by it.
	maybe [1 << 16]bool
	count int
}

// needle is one piece.
type needle struct {
	what  string
	bytes []byte
}

func newNeedles() *needles { return &needles{by: map[uint64][]needle{}} }

// add adds whole values.
func (n *needles) add(what string, values ...string) {
	for _, v := range values {
		b := []byte(v)
		if len(b) < prefix {
			panic(fmt.Sprintf("%s %q is too short to be looked for", what, v))
		}
		key := binary.LittleEndian.Uint64(b)
		n.by[key] = append(n.by[key], needle{what, b})
		n.maybe[binary.LittleEndian.Uint16(b)] = true
		n.count++
	}
}

// addWindows adds a window of the content every stride bytes, so that any stride plus a window of it in a row is found.
// Windows of few different bytes, such as silence, say nothing and are left out.
func (n *needles) addWindows(what string, content []byte, stride int) {
	const window = 24
	for at := 0; at+window <= len(content); at += stride {
		w := content[at : at+window]
		different := map[byte]bool{}
		for _, b := range w {
			different[b] = true
		}
		if len(different) > window/2 {
			n.add(what, string(w))
		}
	}
}

// search returns what is found in content, each kind once.
func (n *needles) search(name string, content []byte) []string {
	found := map[string]bool{}
	var all []string
	for at := 0; at+prefix <= len(content); at++ {
		if !n.maybe[binary.LittleEndian.Uint16(content[at:])] {
			continue
		}
		for _, c := range n.by[binary.LittleEndian.Uint64(content[at:])] {
			if bytes.HasPrefix(content[at:], c.bytes) && !found[c.what] {
				found[c.what] = true
				all = append(all, fmt.Sprintf("%s in %s at byte %d", c.what, name, at))
			}
		}
	}
	return all
}

// searchTree searches every file below dir, and the names of files too. Files may go while it walks.
func (n *needles) searchTree(dir string) (found []string, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found = append(found, n.search("the name of "+name, []byte(name))...)
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		bytes += int64(len(content))
		found = append(found, n.search(name, content)...)
		return err
	})
	return found, bytes, err
}

// searchOpen searches the files that a process has open although they have no name any more, and tells of those
// that it can write to outside of the folders given. Memory files (memfd) are memory.
func (n *needles) searchOpen(pid int, folders []string) []string {
	var found []string
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil { // the process has ended
		return nil
	}
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		target, err := os.Readlink(name)
		info, serr := os.Stat(name)
		if err != nil || serr != nil || !info.Mode().IsRegular() || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/memfd:") {
			continue
		}
		if strings.HasSuffix(target, " (deleted)") {
			found = append(found, n.searchFile(name, target)...)
		}
		link, err := os.Lstat(name)
		if err == nil && link.Mode()&0o200 != 0 && !within(target, folders) {
			found = append(found, fmt.Sprintf("process %d writes to %s", pid, target))
		}
	}
	return found
}

func (n *needles) searchFile(name, shown string) []string {
	f, err := os.Open(name)
	if err != nil {
		return nil // it was closed meanwhile
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return []string{fmt.Sprintf("read %s: %v", shown, err)}
	}
	return n.search(shown, content)
}

func within(name string, folders []string) bool {
	for _, folder := range folders {
		if strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// descendants are the processes below a process, and itself.
func descendants(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, descendants(child)...)
			}
		}
	}
	return all
}

func TestTheSearchFinds(t *testing.T) {
	n := newNeedles()
	content := make([]byte, 64<<10)
	for i := range content {
		content[i] = byte(i*i>>5 ^ i)
	}
	const stride = 512
	n.addWindows("content", content, stride)
	n.add("a name", "quokka-recordings")
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		found, _, err := n.searchTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	write("noise", bytes.Repeat([]byte("nothing of it "), 1000))
	if got := count(); got != 0 {
		t.Fatalf("%d findings in noise", got)
	}
	write("page", append([]byte("x"), content[8192+777:8192+777+4096]...)) // a page of it, at an odd place
	if got := count(); got != 1 {
		t.Errorf("%d findings with a page of the content, want 1", got)
	}
	write("name", []byte(`{"bucket":"quokka-recordings"}`))
	if got := count(); got != 2 {
		t.Errorf("%d findings with a name in JSON, want 2", got)
	}
	write("of-quokka-recordings", nil)
	if got := count(); got != 3 {
		t.Errorf("%d findings with a file's name, want 3", got)
	}

	f, err := os.Create(filepath.Join(dir, "unlinked"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Write(content)
	os.Remove(f.Name())
	about := func(found []string) int { // go test has files of its own open
		count := 0
		for _, what := range found {
			if strings.Contains(what, dir) {
				count++
			}
		}
		return count
	}
	if got := n.searchOpen(os.Getpid(), []string{dir}); about(got) != 1 {
		t.Errorf("findings with an unlinked open file: %v, want 1", got)
	}
	if got := n.searchOpen(os.Getpid(), nil); about(got) != 2 {
		t.Errorf("findings when the folder is not allowed: %v, want 2", got)
	}
}
