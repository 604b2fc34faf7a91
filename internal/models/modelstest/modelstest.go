// Package modelstest gives tests the installed models and the runtime.
package modelstest

import (
	"testing"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/models"
)

// Path is the folder of an installed model. A test that needs one which is missing fails.
func Path(t testing.TB, name string) string {
	t.Helper()
	dir, err := models.Dir()
	if err != nil {
		t.Fatal(err)
	}
	library, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	path, err := library.Path(name)
	if err != nil {
		t.Fatalf("run make setup: %v", err)
	}
	return path
}

// Runtime loads the inference runtime.
func Runtime(t testing.TB) {
	t.Helper()
	if err := inference.Init(Path(t, models.Runtime) + "/libonnxruntime.so"); err != nil {
		t.Fatal(err)
	}
}
