// Command load asks GetTranscriptionJob at a steady rate and prints, as JSON, how long answers
// took. Each time runs from the moment the request was due, not from when it was sent, so a
// server that stalls cannot hide the requests it held back.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// workers is how many requests may be under way; enough for 20 ms answers at several thousand a second.
const workers = 64

type result struct {
	Requests int     `json:"requests"`
	Errors   int     `json:"errors"`
	Rate     float64 `json:"rate"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

func main() {
	endpoint := flag.String("endpoint", "", "origin of the API")
	job := flag.String("job", "", "name of a job that is there")
	rate := flag.Int("rate", 500, "requests a second")
	seconds := flag.Int("seconds", 15, "how long")
	flag.Parse()
	caller := newCaller(*endpoint, *job)
	if err := caller.call(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(run(context.Background(), caller, *rate, *rate**seconds)); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run makes count calls, each due 1/rate after the one before.
func run(ctx context.Context, c *caller, rate, count int) result {
	due := make(chan time.Time, count)
	took := make([]time.Duration, 0, count)
	failed := 0
	var mu sync.Mutex // guards took and failed
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for at := range due {
				err := c.call(ctx)
				elapsed := time.Since(at)
				mu.Lock()
				took = append(took, elapsed)
				if err != nil {
					failed++
					if failed <= 3 {
						fmt.Fprintln(os.Stderr, "load:", err)
					}
				}
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	for i := range count {
		at := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(at))
		due <- at
	}
	close(due)
	wait.Wait()
	elapsed := time.Since(began)
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(len(took)-1, int(q*float64(len(took))))].Microseconds()) / 1000
	}
	return result{Requests: count, Errors: failed, Rate: float64(count) / elapsed.Seconds(), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// caller signs and sends one request again and again.
type caller struct {
	endpoint, body, hash string
	keys                 aws.Credentials
	signer               *v4.Signer
	client               *http.Client
}

func newCaller(endpoint, job string) *caller {
	body := fmt.Sprintf(`{"TranscriptionJobName":%q}`, job)
	digest := sha256.Sum256([]byte(body))
	return &caller{
		endpoint: endpoint,
		body:     body,
		hash:     hex.EncodeToString(digest[:]),
		keys:     aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")},
		signer:   v4.NewSigner(),
		client: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: workers},
		},
	}
}

func (c *caller) call(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/", strings.NewReader(c.body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Transcribe.GetTranscriptionJob")
	if err := c.signer.SignHTTP(ctx, c.keys, request, c.hash, "transcribe", "us-east-1", time.Now()); err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return nil
}
