package job_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/store/jobs"
	"github.com/dictum/dictum/internal/store/jobs/jobtest"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// The workbench of this package's tests: a real database, real object storage, and a recogniser
// that hears tones.

const origin = "http://127.0.0.1:7600"

var (
	scope  = job.Scope{AccountID: jobtest.Account, Region: jobtest.Region}
	caller = as(jobtest.Root(jobtest.Account))
)

// as is a principal that calls.
func as(p iam.Principal) job.Caller {
	return job.Caller{Scope: job.Scope{AccountID: p.AccountID, Region: jobtest.Region}, Identity: jobtest.Caller(p), Origin: origin}
}

func ptr[T any](v T) *T { return &v }

// storage is the embedded object store, watched.
type storage struct {
	*embedded.Store
	// before, when set, is called ahead of each operation: "open", "put".
	before func(op, key string) error
	// size, when set, is what Open says an object's size is.
	size int64

	mu sync.Mutex
	// puts counts writes by key; guarded by mu.
	puts map[string]int
}

// drop removes a bucket and what is in it.
func (s *storage) drop(t *testing.T, bucket string) {
	t.Helper()
	list, err := s.List(t.Context(), bucket, objects.ListQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Objects {
		if err := s.Delete(t.Context(), bucket, o.Key); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
}

func (s *storage) hook(op, key string) error {
	if s.before == nil {
		return nil
	}
	return s.before(op, key)
}

func (s *storage) Open(ctx context.Context, bucket, key string) (objects.Object, objects.Reader, error) {
	if err := s.hook("open", key); err != nil {
		return objects.Object{}, nil, err
	}
	o, r, err := s.Store.Open(ctx, bucket, key)
	if s.size > 0 {
		o.Size = s.size
	}
	return o, r, err
}

func (s *storage) Put(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata) (objects.Object, error) {
	if err := s.hook("put", key); err != nil {
		return objects.Object{}, err
	}
	o, err := s.Store.Put(ctx, bucket, key, body, meta)
	if err == nil {
		s.mu.Lock()
		s.puts[key]++
		s.mu.Unlock()
	}
	return o, err
}

// written returns how often a key was.
func (s *storage) written(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[key]
}

// get returns an object, its type and its content.
func (s *storage) get(t *testing.T, bucket, key string) (contentType, content string, ok bool) {
	t.Helper()
	o, r, err := s.Store.Open(context.Background(), bucket, key)
	if errors.Is(err, objects.ErrNoSuchKey) || errors.Is(err, objects.ErrNoSuchBucket) {
		return "", "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return o.Metadata.ContentType, string(b), true
}

// tones is a recogniser without a model: every half second that is not silent is the word "tone".
type tones struct {
	// begin, when set, is called before reading.
	begin func(ctx context.Context) error
}

func (r tones) Recognize(ctx context.Context, audio speech.SampleReader, set speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
	if r.begin != nil {
		if err := r.begin(ctx); err != nil {
			return speech.Transcript{}, err
		}
	}
	t := hearing{speech.Transcript{Language: set.Language}}
	if set.Language == "" {
		t.Language = set.LanguageCandidates[0]
		t.Languages = []speech.LanguageScore{{Language: t.Language, Score: 0.9}}
	}
	block := make([]float32, speech.SampleRate/2)
	filled := 0
	for {
		n, err := audio.ReadSamples(block[filled:])
		filled += n
		if filled == len(block) || err != nil && filled > 0 {
			t.add(block[:filled])
			filled = 0
			progress(speech.Progress{Position: t.Duration, Read: t.Duration, Language: speech.LanguageScore{Language: t.Language, Score: 0.9}})
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return t.Transcript, fmt.Errorf("read audio: %w", err)
		}
	}
	if set.Language == "" && t.Speech == 0 {
		return t.Transcript, speech.ErrTooLittleSpeech
	}
	return t.Transcript, nil
}

type hearing struct{ speech.Transcript }

func (t *hearing) add(block []float32) {
	var energy float64
	for _, s := range block {
		energy += float64(s) * float64(s)
	}
	start := t.Duration
	t.Duration += time.Duration(len(block)) * time.Second / speech.SampleRate
	if energy/float64(len(block)) < 1e-4 {
		return
	}
	t.Speech += t.Duration - start
	t.Segments = append(t.Segments, speech.Segment{Start: start, End: t.Duration, Language: t.Language, Items: []speech.Item{
		{Text: "tone", Start: start, End: t.Duration, Confidence: 0.99},
		{Kind: speech.Punctuation, Text: ".", NoSpaceBefore: true},
	}})
}

// wav is a file of 16-bit PCM with a tone in all channels.
func wav(rate, channels int, length time.Duration, loudness float64) []byte {
	frames := int(length * time.Duration(rate) / time.Second)
	data := make([]byte, 0, frames*channels*2)
	for i := range frames {
		s := int16(loudness * 32767 * math.Sin(2*math.Pi*440*float64(i)/float64(rate)))
		for range channels {
			data = binary.LittleEndian.AppendUint16(data, uint16(s))
		}
	}
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, uint32(36+len(data)))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*2))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*2))
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// bench is a service with its database and storage, and all that they stand on.
type bench struct {
	*job.Service
	world   *jobtest.World
	store   *jobs.Jobs
	storage *storage
	reports chan job.Report
	retries chan string
}

// Finished and Retried make a bench the observer of its pools.
func (b *bench) Finished(r job.Report)           { b.reports <- r }
func (b *bench) Retried(_ job.Job, cause string) { b.retries <- cause }

type watching struct {
	job.Unobserved
	*bench
}

func (w watching) Finished(r job.Report)           { w.bench.Finished(r) }
func (w watching) Retried(j job.Job, cause string) { w.bench.Retried(j, cause) }
func (watching) Accepted(job.Job)                  {}
func (watching) Claimed(job.Job, time.Duration)    {}
func (watching) Progressed(job.Job, time.Duration) {}
func (watching) Depth(job.Depth)                   {}

func newBench(t *testing.T) *bench {
	t.Helper()
	w := jobtest.Open(t)
	s, err := jobs.Open(t.Context(), w.DB)
	if err != nil {
		t.Fatal(err)
	}
	w.Bucket(t, "media", scope.AccountID, scope.Region)
	w.Bucket(t, "results", scope.AccountID, scope.Region)
	w.Bucket(t, "foreign", jobtest.Other, scope.Region)
	w.Bucket(t, "far", scope.AccountID, "eu-west-1")
	m := &storage{Store: w.Objects, puts: map[string]int{}}
	return &bench{
		Service: &job.Service{Store: s, Tags: s, Rights: w.Rights(m), Objects: m, Buckets: m},
		world:   w, store: s, storage: m, reports: make(chan job.Report, 100), retries: make(chan string, 100),
	}
}

// upload puts media into its bucket.
func (b *bench) upload(t *testing.T, key string, content []byte) (uri string) {
	t.Helper()
	if _, err := b.storage.Store.Put(t.Context(), "media", key, bytes.NewReader(content), objects.Metadata{}); err != nil {
		t.Fatal(err)
	}
	return "s3://media/" + key
}

// request is a legal request for media that is there.
func (b *bench) request(t *testing.T, name string, change func(*model.StartTranscriptionJobRequest)) *model.StartTranscriptionJobRequest {
	t.Helper()
	if _, err := b.storage.Head(t.Context(), "media", "tone.wav"); err != nil {
		b.upload(t, "tone.wav", wav(16000, 1, 2*time.Second, 0.5))
	}
	r := &model.StartTranscriptionJobRequest{
		TranscriptionJobName: &name, LanguageCode: ptr("en-US"), Media: &model.Media{MediaFileUri: ptr("s3://media/tone.wav")},
	}
	if change != nil {
		change(r)
	}
	return r
}

func (b *bench) start(t *testing.T, name string, change func(*model.StartTranscriptionJobRequest)) job.Job {
	t.Helper()
	j, err := b.Start(t.Context(), caller, b.request(t, name, change))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (b *bench) job(t *testing.T, name string) job.Job {
	t.Helper()
	j, err := b.store.Get(t.Context(), scope, name)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// run starts a pool that stops with the test; change adjusts it.
func (b *bench) run(t *testing.T, change func(*job.PoolConfig)) (p *job.Pool, stop func()) {
	t.Helper()
	cfg := job.PoolConfig{
		Queue: b.store, Rights: b.Rights, Objects: b.storage, Audit: b.world.Audit, Recognizer: tones{}, Observer: watching{bench: b}, Workers: 2,
		Poll: 10 * time.Millisecond, Lease: time.Second, Grace: time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	p = job.NewPool(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return p, stop
}

// report waits for the next end of a job.
func (b *bench) report(t *testing.T) job.Report {
	t.Helper()
	select {
	case r := <-b.reports:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("no job finished in 20 s")
		return job.Report{}
	}
}

// retried waits for the next attempt that ended without an end of its job.
func (b *bench) retried(t *testing.T) string {
	t.Helper()
	select {
	case cause := <-b.retries:
		return cause
	case <-time.After(20 * time.Second):
		t.Fatal("no attempt ended in 20 s")
		return ""
	}
}
