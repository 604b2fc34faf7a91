package ner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/inference"
	"github.com/dictum/dictum/internal/text/pii"
)

// The files of the model's folder.
const (
	graphFile     = "model_q4.onnx"
	tokenizerFile = "tokenizer.json"
	configFile    = "config.json"
)

const (
	// MaxText is how many bytes one text may have: far more than a turn of a conversation, and what bounds the memory of
	// one Tag.
	MaxText = 1 << 20
	// rows is how many windows one run of the model takes. Each row's result is the same to the bit whatever the others
	// are: the weights' products are quantised row by row (MatMulNBits). Sixteen cost a third of sixteen runs of one.
	rows = 16
	// pending is how many windows wait at most before they are run.
	pending = 16 * rows
)

// ErrTooLong means that a text has more than MaxText bytes.
var ErrTooLong = errors.New("text is too long")

// Model is the entity model in memory. It is safe for concurrent use.
type Model struct {
	session   *inference.Session
	tokenizer *Tokenizer
	// labels maps a label's number to what it counts for.
	labels []group
	// Places among the graph's inputs.
	ids, mask, types int
}

var _ pii.Tagger = (*Model)(nil)

// Open loads the model in the folder dir, models.RampartPII as it is installed. Threads is how many threads one run
// uses; zero means one. The inference runtime must have been initialised. The caller closes the model.
func Open(dir string, threads int) (*Model, error) {
	tokenizer, err := ReadTokenizer(filepath.Join(dir, tokenizerFile))
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(filepath.Join(dir, configFile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, graphFile)
	session, err := inference.Open(path, inference.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	m := &Model{
		session: session, tokenizer: tokenizer, labels: labels,
		ids: session.Input("input_ids"), mask: session.Input("attention_mask"), types: session.Input("token_type_ids"),
	}
	out := session.Outputs()
	if min(m.ids, m.mask, m.types) < 0 || len(session.Inputs()) != 3 || len(out) != 1 ||
		len(out[0].Shape) != 3 || out[0].Shape[2] != int64(len(labels)) {
		return nil, errors.Join(fmt.Errorf("%s is not a token classifier of %d labels", path, len(labels)), session.Close())
	}
	return m, nil
}

// Close frees the model.
func (m *Model) Close() error { return m.session.Close() }

// readLabels reads the model's labels, in their order.
func readLabels(path string) ([]group, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	var config struct {
		Labels map[string]string `json:"id2label"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("read labels %s: %w", path, err)
	}
	labels := make([]group, len(config.Labels))
	for i := range labels {
		label, ok := config.Labels[strconv.Itoa(i)]
		if !ok {
			return nil, fmt.Errorf("read labels %s: number %d is missing", path, i)
		}
		_, kind, found := strings.Cut(label, "-")
		if !found {
			kind = label
		}
		if labels[i], ok = kinds[kind]; !ok {
			return nil, fmt.Errorf("read labels %s: kind %q is not known", path, kind)
		}
	}
	return labels, nil
}

// Tag implements pii.Tagger. Texts of any length up to MaxText are read in windows that overlap. A Score is the mean,
// over an entity's words, of the probability that the model gives to the entity's type; those from MinScore on are told.
// Its errors are the context's, ErrTooLong and the runtime's; none of them holds text.
func (m *Model) Tag(ctx context.Context, texts []string) ([][]pii.Entity, error) {
	found := make([][]pii.Entity, len(texts))
	for first := 0; first < len(texts); {
		var some []*reading
		var windows []window
		next := first
		for ; next < len(texts) && len(windows) < pending; next++ {
			if len(texts[next]) > MaxText {
				return nil, fmt.Errorf("tag entities: %w: %d bytes, at most %d", ErrTooLong, len(texts[next]), MaxText)
			}
			r := m.read(texts[next])
			some = append(some, r)
			windows = append(windows, r.windows()...)
		}
		slices.SortStableFunc(windows, func(a, b window) int { return cmp.Compare(b.len(), a.len()) })
		for batch := range slices.Chunk(windows, rows) {
			if err := m.run(ctx, batch); err != nil {
				return nil, fmt.Errorf("tag entities: %w", err)
			}
		}
		for i, r := range some {
			found[first+i] = r.entities()
		}
		first = next
	}
	return found, nil
}

// run classifies the tokens of some windows, the longest of them first.
func (m *Model) run(ctx context.Context, batch []window) (err error) {
	n, length := len(batch), batch[0].len()+2
	shape := []int64{int64(n), int64(length)}
	ids, mask := make([]int64, n*length), make([]int64, n*length)
	for i, w := range batch {
		row := ids[i*length:]
		row[0] = int64(m.tokenizer.begin)
		for j, t := range w.reading.tokens[w.first:w.end] {
			row[1+j] = int64(t.ID)
		}
		row[w.len()+1] = int64(m.tokenizer.end)
		for j := range w.len() + 2 {
			mask[i*length+j] = 1
		}
	}
	inputs := make([]inference.Value, 3)
	defer func() {
		for _, v := range inputs {
			if v != nil {
				err = errors.Join(err, v.Close())
			}
		}
	}()
	for place, data := range map[int][]int64{m.ids: ids, m.mask: mask, m.types: make([]int64, n*length)} {
		t, err := inference.TensorOf(data, shape...)
		if err != nil {
			return err
		}
		inputs[place] = t
	}
	logits, err := inference.NewTensor[float32](int64(n), int64(length), int64(len(m.labels)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logits.Close()) }()
	if err := m.session.Run(ctx, inputs, []inference.Value{logits}); err != nil {
		return err
	}
	for i, w := range batch {
		for j := w.keepFirst; j < w.keepEnd; j++ {
			at := (i*length + 1 + j - w.first) * len(m.labels)
			w.reading.odds[j] = m.odds(logits.Data()[at : at+len(m.labels)])
		}
	}
	return nil
}

// odds turns the logits of a token into probabilities of groups.
func (m *Model) odds(logits []float32) (p odds) {
	top := slices.Max(logits)
	var sum float64
	var e [groups]float64
	for i, l := range logits {
		x := math.Exp(float64(l - top))
		sum += x
		e[m.labels[i]] += x
	}
	for g := range e {
		p[g] = float32(e[g] / sum)
	}
	return p
}
