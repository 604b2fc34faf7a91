// Command live plays recordings at the pace of speech to a server, each over an HTTP/2 connection of its own by AWS's SDK
// for Go, and prints what comes back and when, as lines of JSON; bench/dictumbench/latency.py reads them. With -offline it
// recognises whole recordings with the model that live English goes through, to compare with.
//
//	live < plan.json                 plays what the plan names; AWS_ENDPOINT_URL and the keys are in the environment
//	live -offline FILE…              prints the text of each file
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming/types"
)

// The audio that is played: what corpus.join writes.
const (
	sampleRate  = 16000
	sampleBytes = 2
	step        = 100 * time.Millisecond // how much is sent at once
)

// stream is one recording of a plan.
type stream struct {
	// Path is a WAV file: one channel of 16-bit samples at sampleRate.
	Path string `json:"path"`
	// Language is a code of the API, such as en-US.
	Language string `json:"language"`
	// Begin is when the stream begins, in seconds after the first.
	Begin float64 `json:"begin"`
}

// event is a result as it came. Times are seconds after the stream's first sample was due.
type event struct {
	Stream  int     `json:"stream"`
	At      float64 `json:"at"`
	ID      string  `json:"id"`
	Partial bool    `json:"partial"`
	Start   float64 `json:"start"`
	End     float64 `json:"end"`
	Words   []word  `json:"words"`
}

// word has times of the server's.
type word struct {
	Text  string  `json:"text"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// ending is the last line of a stream.
type ending struct {
	Stream int `json:"stream"`
	// Late is how much later than due a piece of audio left at most, in seconds: the server's, when it takes no more.
	Late  float64 `json:"late"`
	Error string  `json:"error,omitempty"`
}

func main() {
	offline := flag.Bool("offline", false, "recognise whole files")
	threads := flag.Int("threads", 2, "threads of the model, with -offline")
	flag.Parse()
	var err error
	if *offline {
		err = recognize(context.Background(), *threads, flag.Args(), os.Stdout)
	} else {
		err = play(context.Background(), os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

// play plays all recordings of a plan, and fails when one of the streams did.
func play(ctx context.Context, plan io.Reader, out io.Writer) error {
	var streams []stream
	if err := json.NewDecoder(plan).Decode(&streams); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	lines := &printer{encoder: json.NewEncoder(out)}
	failures := make([]error, len(streams))
	began := time.Now()
	var wait sync.WaitGroup
	for i, s := range streams {
		wait.Go(func() {
			time.Sleep(time.Until(began.Add(time.Duration(s.Begin * float64(time.Second)))))
			late, err := s.play(ctx, i, lines)
			last := ending{Stream: i, Late: late.Seconds()}
			if err != nil {
				last.Error, failures[i] = err.Error(), fmt.Errorf("stream %d: %w", i, err)
			}
			lines.print(last)
		})
	}
	wait.Wait()
	return errors.Join(append(failures, lines.err)...)
}

// printer writes lines of several streams.
type printer struct {
	mu      sync.Mutex // guards the rest
	encoder *json.Encoder
	err     error
}

func (p *printer) print(line any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, p.encoder.Encode(line))
}

// client has a connection of its own: HTTP/2 without TLS, as the server speaks it on loopback.
func client() *transcribestreaming.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return transcribestreaming.New(transcribestreaming.Options{
		Region:           "us-east-1",
		BaseEndpoint:     aws.String(os.Getenv("AWS_ENDPOINT_URL")),
		HTTPClient:       &http.Client{Transport: &http.Transport{Protocols: protocols}},
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}, nil
		}),
	})
}

// play sends the recording and prints every result. Late is how much later than due a piece of audio left at most.
func (s stream) play(ctx context.Context, number int, lines *printer) (late time.Duration, err error) {
	audio, err := samples(s.Path)
	if err != nil {
		return 0, err
	}
	opened, err := client().StartStreamTranscription(ctx, &transcribestreaming.StartStreamTranscriptionInput{
		LanguageCode: types.LanguageCode(s.Language), MediaEncoding: types.MediaEncodingPcm, MediaSampleRateHertz: aws.Int32(sampleRate),
	})
	if err != nil {
		return 0, err
	}
	results := opened.GetStream()
	defer results.Close()
	began := time.Now()
	sent := make(chan error, 1)
	go func() {
		sent <- send(ctx, results, audio, began, &late)
	}()
	for e := range results.Events() {
		at := time.Since(began)
		transcript, ok := e.(*types.TranscriptResultStreamMemberTranscriptEvent)
		if !ok {
			continue
		}
		for _, r := range transcript.Value.Transcript.Results {
			lines.print(event{number, at.Seconds(), aws.ToString(r.ResultId), r.IsPartial, r.StartTime, r.EndTime, words(r)})
		}
	}
	err = errors.Join(results.Err(), <-sent) // late is the sender's until then
	return late, err
}

// send sends each piece of audio when its last sample has been said, and then the end.
func send(ctx context.Context, to *transcribestreaming.StartStreamTranscriptionEventStream, audio []byte, began time.Time, late *time.Duration) error {
	const size = int(step*sampleRate/time.Second) * sampleBytes
	for at := 0; at < len(audio); at += size {
		end := min(at+size, len(audio))
		due := began.Add(time.Duration(end/sampleBytes) * time.Second / sampleRate)
		time.Sleep(time.Until(due))
		if err := to.Send(ctx, &types.AudioStreamMemberAudioEvent{Value: types.AudioEvent{AudioChunk: audio[at:end]}}); err != nil {
			return fmt.Errorf("send audio: %w", err)
		}
		*late = max(*late, time.Since(due))
	}
	if err := to.Writer.Close(); err != nil {
		return fmt.Errorf("end audio: %w", err)
	}
	return nil
}

// words are the words of the best alternative, without punctuation.
func words(r types.Result) []word {
	out := []word{}
	if len(r.Alternatives) == 0 {
		return out
	}
	for _, i := range r.Alternatives[0].Items {
		if i.Type == types.ItemTypePronunciation {
			out = append(out, word{strings.TrimSpace(aws.ToString(i.Content)), i.StartTime, i.EndTime})
		}
	}
	return out
}

// samples are those of a WAV file with the usual 44 bytes before them.
func samples(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	const header = 44
	if len(b) < header || string(b[36:40]) != "data" || binary.LittleEndian.Uint32(b[24:]) != sampleRate || binary.LittleEndian.Uint16(b[22:]) != 1 {
		return nil, fmt.Errorf("%s is not a plain WAV file of one channel at %d Hz", path, sampleRate)
	}
	return b[header:], nil
}
