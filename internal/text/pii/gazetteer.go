package pii

import (
	_ "embed"
	"strings"
)

// The lists of names; names/README.md says where they are from. Names that are everyday words too have their own lists.
var (
	//go:embed names/first.txt
	firstList string
	//go:embed names/first_words.txt
	firstWordList string
	//go:embed names/last.txt
	lastList string
	//go:embed names/last_words.txt
	lastWordList string
	//go:embed names/words.txt
	wordList string

	firstNames     = set(firstList)
	firstNameWords = set(firstWordList)
	lastNames      = set(lastList)
	lastNameWords  = set(lastWordList)
	knownWords     = set(wordList)
)

// known tells that a word is an everyday one, in whatever form.
func known(low string) bool {
	if knownWords[low] {
		return true
	}
	for _, ending := range []string{"s", "'s", "ed", "ing", "ly", "er", "d", "'ll", "'ve", "'re", "'d", "n't", "'m", "es"} {
		if stem, ok := strings.CutSuffix(low, ending); ok && len(stem) > 2 && knownWords[stem] {
			return true
		}
	}
	return strings.ContainsRune(low, '\'') && (strings.HasPrefix(low, "i'") || strings.HasSuffix(low, "n't")) || fillers[low] || hesitations[low]
}
