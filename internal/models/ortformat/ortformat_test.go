package ortformat_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/models/ortformat"
	"github.com/dictum/dictum/internal/models/spec"
)

func file(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(modelstest.Path(t, models.Speakers), spec.SpeakerSegmentation))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReadsAPublishedModel(t *testing.T) {
	g, err := ortformat.Read(file(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Inputs, []string{"waveforms"}) || !slices.Equal(g.Outputs, []string{"segmentation"}) {
		t.Errorf("from %v to %v", g.Inputs, g.Outputs)
	}
	i := slices.IndexFunc(g.Nodes, func(n ortformat.Node) bool { return n.Op == "LeakyRelu" })
	if i < 0 || len(g.Nodes[i].Attributes) != 1 || g.Nodes[i].Attributes[0] != (ortformat.Attribute{Name: "alpha", Value: float32(0.01)}) {
		t.Errorf("no LeakyRelu of 0.01 among %d nodes", len(g.Nodes))
	}
	bias := g.Weights["inner.linear.0.bias"]
	if bias.Type != ortformat.Float || !slices.Equal(bias.Shape, []int{128}) {
		t.Errorf("the bias is of type %d and shape %v", bias.Type, bias.Shape)
	}
}

func TestReadsText(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(modelstest.Path(t, models.MoonshineTiny), spec.MoonshineEncoder))
	if err != nil {
		t.Fatal(err)
	}
	g, err := ortformat.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(g.Nodes, func(n ortformat.Node) bool { return n.Op == "Pad" })
	if i < 0 || !slices.Contains(g.Nodes[i].Attributes, ortformat.Attribute{Name: "mode", Value: "constant"}) {
		t.Errorf("no Pad with a constant among %d nodes", len(g.Nodes))
	}
}

func TestBrokenFilesAreRefused(t *testing.T) {
	whole := file(t)
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"nothing", nil},
		{"another kind of file", []byte("a file of some other kind")},
		{"only a head", whole[:64]},
		{"a half", whole[:len(whole)/2]},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ortformat.Read(c.data); !errors.Is(err, ortformat.ErrFormat) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	head := append([]byte{8, 0, 0, 0}, "ORTM"...)
	f.Add(head)
	f.Add(append(slices.Clone(head), binary.LittleEndian.AppendUint32(nil, 0xffffffff)...))
	f.Add(file(f)[:4096])
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = ortformat.Read(data) })
}
