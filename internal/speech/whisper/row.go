package whisper

import (
	"fmt"
	"math/rand/v2"
)

// Task says how a window is to be decoded.
type Task struct {
	// Language is the code of the language spoken. Empty means to identify it and stop.
	Language string
	// Timestamps lets the model say when it takes stretches of text to begin and end. On
	// windows that are cut in silence it made no fewer mistakes with them: 16.4 % against
	// 15.6 % over five languages, the same encoder (462 prompts).
	Timestamps bool
	// MaxTokens bounds the text; zero means as many as the model has room for.
	MaxTokens int
	// Temperature zero takes the best token each time; above, tokens are drawn.
	Temperature float64
	// Seed starts the drawing. It must come from the audio alone, that the same audio
	// gives the same text.
	Seed uint64
}

// Row is one window in a Batch, and afterwards what was decoded.
type Row struct {
	rules    *rules
	encoding *Encoding
	task     Task
	source   *rand.Rand
	prompt   []int
	limit    int

	next int // the token to feed
	past int // how many tokens the caches hold
	done bool

	sequence  []int // tokens and timestamps
	tokens    []int
	logProbs  []float64
	sum       float64 // of the log probabilities of all, the end included
	queries   []float32
	noSpeech  float64
	languages []float64
	looping   bool
	full      bool

	// beam is the search that the row is a hypothesis of, or nil; offers are then the tokens that
	// may be next, and offered the queries of the step that found them.
	beam    *Beam
	offers  []offer
	offered []float32
}

func (m *Model) newRow(e *Encoding, task Task) (*Row, error) {
	t := m.spec.Tokens
	r := &Row{rules: m.rules, encoding: e, task: task, prompt: []int{t.StartOfTranscript}}
	if task.Language != "" {
		language, ok := m.language(task.Language)
		if !ok {
			return nil, fmt.Errorf("the model does not know the language %q", task.Language)
		}
		r.prompt = append(r.prompt, language, t.Transcribe)
		if !task.Timestamps {
			r.prompt = append(r.prompt, t.NoTimestamps)
		}
	}
	room := m.spec.TextPositions - len(r.prompt)
	r.limit = room
	if task.MaxTokens > 0 {
		r.limit = min(r.limit, task.MaxTokens)
	}
	if task.Temperature > 0 {
		r.source = rand.New(rand.NewPCG(task.Seed, uint64(task.Temperature*1000)))
	}
	r.next = r.prompt[0]
	return r, nil
}

// advance takes in what the decoder made of the token last fed. It changes logits.
func (r *Row) advance(logits, queries []float32) {
	if r.past == 0 {
		// After the start of transcript the model says what it hears.
		r.noSpeech = probability(logits, r.rules.tokens.NoSpeech)
		r.languages = probabilities(logits, r.rules.languages)
	}
	r.past++
	if r.past < len(r.prompt) {
		r.queries = append(r.queries, queries...)
		r.next = r.prompt[r.past]
		return
	}
	if r.task.Language == "" {
		r.done = true
		return
	}
	if r.beam != nil {
		r.offers, r.offered = offers(r.mask(logits), r.beam.width+1, r.offers[:0]), queries
		return
	}
	token, logProb := r.choose(logits)
	r.accept(token, logProb, queries)
}

// accept takes a token to be the next.
func (r *Row) accept(token int, logProb float64, queries []float32) {
	r.sum += logProb
	r.sequence = append(r.sequence, token)
	r.next = token
	if token >= r.rules.tokens.TimestampBegin {
		r.full = len(r.sequence) >= r.limit
		r.done = r.full
		return
	}
	// A step's queries belong to the token that it decides on.
	r.queries = append(r.queries, queries...)
	if token == r.rules.tokens.EndOfText {
		r.done = true
		return
	}
	r.tokens = append(r.tokens, token)
	r.logProbs = append(r.logProbs, logProb)
	r.looping = loops(r.tokens)
	r.full = len(r.sequence) >= r.limit
	r.done = r.looping || r.full
}

// mask forbids what can't be next.
func (r *Row) mask(logits []float32) []float32 {
	if r.task.Timestamps {
		return r.rules.maskTimed(logits, r.sequence, r.encoding.positions)
	}
	return r.rules.mask(logits, len(r.sequence) == 0)
}

// choose picks the next token.
func (r *Row) choose(logits []float32) (token int, logProb float64) {
	logits = r.mask(logits)
	if r.source != nil {
		return sample(logits, r.task.Temperature, r.source)
	}
	return best(logits)
}

// Reached is the last encoder frame that a timestamp says was transcribed, and whether
// there is one.
func (r *Row) Reached() (position int, ok bool) {
	for i := len(r.sequence) - 1; i > 0; i-- {
		if t := r.sequence[i] - r.rules.tokens.TimestampBegin; t >= 0 {
			return t, true
		}
	}
	return 0, false
}

// Done reports whether the row has ended.
func (r *Row) Done() bool { return r.done }

// Languages are the probabilities of the model's languages, in the order of
// Model.Languages.
func (r *Row) Languages() []float64 { return r.languages }

// NoSpeech is the model's probability that the window holds no speech.
func (r *Row) NoSpeech() float64 { return r.noSpeech }

// Tokens are the text's tokens, without the end.
func (r *Row) Tokens() []int { return r.tokens }

// LogProbs are the natural logarithms of the tokens' probabilities.
func (r *Row) LogProbs() []float64 { return r.logProbs }

// MeanLogProb is the mean log probability of the tokens, timestamps and the end.
func (r *Row) MeanLogProb() float64 {
	return r.sum / float64(max(1, len(r.sequence)))
}

// Looping reports that decoding was cut because the text went round in circles.
func (r *Row) Looping() bool { return r.looping }

// Full reports that the text was cut at its largest length.
func (r *Row) Full() bool { return r.full }

// Queries are the queries of the alignment heads, as Encoding.Attention takes them, at
// the steps of the prompt but its last, which are PromptLen-1, and at those that decided
// on a token of the text or, after them, on the end.
func (r *Row) Queries() []float32 { return r.queries }

// PromptLen is the number of tokens before the text.
func (r *Row) PromptLen() int { return len(r.prompt) }

// The shortest text that counts as a loop: this many tokens, in this many rounds at
// least. Counting, spelling and "no, no, no" stay below.
const (
	loopTokens = 24
	loopRounds = 4
	loopPeriod = 40
)

// loops reports whether the end of the text is one phrase again and again.
func loops(tokens []int) bool {
	n := len(tokens)
	for period := 1; period <= loopPeriod; period++ {
		need := max(loopTokens, loopRounds*period)
		if need > n {
			return false
		}
		same := 0
		for i := n - 1; i-period >= 0 && tokens[i] == tokens[i-period] && same < need-period; i-- {
			same++
		}
		if same >= need-period {
			return true
		}
	}
	return false
}
