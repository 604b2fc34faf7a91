package coverage_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/api/coverage"
)

func TestDocumentIsUpToDate(t *testing.T) {
	services, err := coverage.Load("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(services) == 0 {
		t.Fatal("no service recorded anything")
	}
	got, err := os.ReadFile("../../../docs/api-coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, coverage.Markdown(services)) {
		t.Error("docs/api-coverage.md is out of date: go generate ./internal/api/coverage")
	}
}

func TestCheck(t *testing.T) {
	var r coverage.Recorder
	r.Record("Get", "TestGet/case")
	file := filepath.Join(t.TempDir(), "coverage.json")
	all := []string{"Get", "List"}
	if err := r.Service("S", "model", all, []string{"Get", "List"}).Check(file, true); err == nil || !strings.Contains(err.Error(), "S List is routed") {
		t.Errorf("a routed operation without a test passed: %v", err)
	}
	s := r.Service("S", "model", all, []string{"Get"})
	if err := s.Check(file, false); err == nil {
		t.Error("a missing file passed")
	}
	if err := s.Check(file, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(file, false); err != nil {
		t.Error(err)
	}
	r.Record("Get", "TestOther")
	if err := r.Service("S", "model", all, []string{"Get"}).Check(file, false); err == nil {
		t.Error("an outdated file passed")
	}
}
