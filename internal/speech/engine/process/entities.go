package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/dictum/dictum/internal/text/pii"
	"github.com/dictum/dictum/internal/text/pii/ner"
)

const (
	// requestText is how many bytes of text one request has at most, each text counted with textCost more.
	requestText = ner.MaxText + textCost
	textCost    = 16
	// maxRequest bounds the body of a request: base64 makes four bytes of three.
	maxRequest = 2 * requestText
	// maxAnswer bounds the child's answer to one.
	maxAnswer = 64 << 20
)

// textsRequest is the body of a request to pathEntities. Texts travel as bytes, because offsets in them would move if
// JSON mended what is not UTF-8.
type textsRequest struct{ Texts [][]byte }

// textsAnswer is the answer to it.
type textsAnswer struct {
	Entities [][]pii.Entity `json:",omitempty"`
	Error    *wireError     `json:",omitempty"`
}

func serveEntities(w http.ResponseWriter, r *http.Request, backend Backend) {
	var request textsRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&request); err != nil {
		http.Error(w, "the texts cannot be read", http.StatusBadRequest) // without the error, which may quote them
		return
	}
	texts := make([]string, len(request.Texts))
	for i, text := range request.Texts {
		texts[i] = string(text)
	}
	var answer textsAnswer
	var err error
	if answer.Entities, err = backend.Tag(r.Context(), texts); err != nil {
		answer = textsAnswer{Error: toWire(err)}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		slog.Debug("write entities", "err", err)
	}
}

var _ pii.Tagger = (*Supervisor)(nil)

// Tag implements pii.Tagger in the child. When the child dies it returns speech.ErrInterrupted, and the same texts may
// be given again. A text longer than ner.MaxText is refused with ner.ErrTooLong.
func (s *Supervisor) Tag(ctx context.Context, texts []string) ([][]pii.Entity, error) {
	for _, text := range texts {
		if len(text) > ner.MaxText {
			return nil, fmt.Errorf("tag entities: %w: %d bytes, at most %d", ner.ErrTooLong, len(text), ner.MaxText)
		}
	}
	found := make([][]pii.Entity, 0, len(texts))
	for len(texts) > 0 {
		n, size := 0, 0
		for n < len(texts) && size+len(texts[n])+textCost <= requestText {
			size += len(texts[n]) + textCost
			n++
		}
		entities, err := s.tag(ctx, texts[:n])
		if err != nil {
			return nil, err
		}
		found, texts = append(found, entities...), texts[n:]
	}
	return found, nil
}

// tag sends one request.
func (s *Supervisor) tag(ctx context.Context, texts []string) ([][]pii.Entity, error) {
	client, err := s.client(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for the engine process: %w", err)
	}
	request := textsRequest{Texts: make([][]byte, len(texts))}
	for i, text := range texts {
		request.Texts[i] = []byte(text)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode texts: %w", err)
	}
	resp, err := roundTrip(ctx, client, http.MethodPost, pathEntities, nil, bytes.NewReader(body))
	if err != nil {
		return nil, interruption(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("engine process answered %s", resp.Status)
	}
	var answer textsAnswer
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return nil, interruption(ctx, err)
	}
	if answer.Error != nil {
		return nil, answer.Error.err()
	}
	if err := checkEntities(texts, answer.Entities); err != nil {
		return nil, fmt.Errorf("engine process answered: %w", err)
	}
	return answer.Entities, nil
}

// checkEntities holds the child to pii.Tagger's promises: it runs native code on untrusted audio, and its offsets are
// used to cut texts.
func checkEntities(texts []string, all [][]pii.Entity) error {
	if len(all) != len(texts) {
		return errors.New("entities of another number of texts")
	}
	for i, entities := range all {
		end := 0
		for _, e := range entities {
			if e.Start < end || e.End <= e.Start || e.End > len(texts[i]) {
				return errors.New("entities outside their text")
			}
			end = e.End
		}
	}
	return nil
}
