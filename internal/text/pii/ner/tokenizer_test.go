package ner_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/models"
	"github.com/dictum/dictum/internal/models/modelstest"
	"github.com/dictum/dictum/internal/text/pii/ner"
)

func tokenizer(t testing.TB) *ner.Tokenizer {
	t.Helper()
	tokenizer, err := ner.ReadTokenizer(filepath.Join(modelstest.Path(t, models.RampartPII), "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// TestTokensAreTheLibrarys compares with what the tokenizers library (0.23.3, Python) made of the same texts with the
// same tokenizer.json, of many scripts and of random characters.
func TestTokensAreTheLibrarys(t *testing.T) {
	tokenizer := tokenizer(t)
	file, err := os.Open("testdata/tokens.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var want struct {
			Text    string
			IDs     []int32
			Offsets [][2]int // in characters
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		var places []int // of characters, in bytes
		for i := range want.Text {
			places = append(places, i)
		}
		places = append(places, len(want.Text))
		got := tokenizer.Tokens(want.Text)
		if len(got) != len(want.IDs) {
			t.Errorf("%+q: got %v, want %v", want.Text, got, want.IDs)
			continue
		}
		for i, token := range got {
			start, end := places[want.Offsets[i][0]], places[want.Offsets[i][1]]
			if token.ID != want.IDs[i] || token.Start != start || token.End != end {
				t.Errorf("%+q: token %d is %+v, want %d at %d to %d", want.Text, i, token, want.IDs[i], start, end)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestATokenizerOfAnotherKindIsRefused(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(modelstest.Path(t, models.RampartPII), "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"keeps case":                 {`"lowercase": true`, `"lowercase": false`},
		"keeps accents":              {`"strip_accents": null`, `"strip_accents": false`},
		"cuts words otherwise":       {`"BertPreTokenizer"`, `"Whitespace"`},
		"is no WordPiece":            {`"unk_token": "[UNK]"`, `"unk_token": ""`},
		"has an id outside":          {`"accreditation": 5,`, `"accreditation": 5000000,`},
		"lacks the token of the end": {`"[SEP]": 3`, `"[NOT]": 3`},
		"is cut":                     {`"vocab"`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.ReplaceAll(string(good), change[0], change[1])
			if bad == string(good) {
				t.Fatal("the test changes nothing")
			}
			if _, err := ner.ParseTokenizer([]byte(bad)); err == nil {
				t.Error("it is taken")
			}
		})
	}
}

func FuzzParseTokenizer(f *testing.F) {
	f.Add([]byte(`{"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"lowercase":true},` +
		`"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"[UNK]",` +
		`"continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tokenizer, err := ner.ParseTokenizer(data)
		if err == nil {
			checkTokens(t, tokenizer, "a [SEP] Ä\xffb, 日本 ")
		}
	})
}

func FuzzTokens(f *testing.F) {
	for _, text := range []string{"Noor O'Sullivan", "e\u0301\xff", "[SEP][CLS", "안녕 日本", strings.Repeat("x", 101), "İ\u200d\x00"} {
		f.Add(text)
	}
	tokenizer := tokenizer(f)
	f.Fuzz(func(t *testing.T, text string) { checkTokens(t, tokenizer, text) })
}

// checkTokens holds what every text's tokens must be: in order, inside the text, and of at least a byte.
func checkTokens(t *testing.T, tokenizer *ner.Tokenizer, text string) {
	t.Helper()
	start, word := 0, 0
	for _, token := range tokenizer.Tokens(text) {
		if token.ID < 0 || token.Start < start || token.End <= token.Start || token.End > len(text) ||
			token.Word < word || token.Word > word+1 {
			t.Fatalf("%+q: token %+v after %d", text, token, start)
		}
		start, word = token.Start, token.Word
	}
}
