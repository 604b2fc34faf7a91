package job_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/jobs"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// The workbench of this package's tests: a real database, object storage in memory, and a recogniser
// that hears tones.

const origin = "http://127.0.0.1:7600"

var (
	scope  = job.Scope{AccountID: "111122223333", Region: "us-east-1"}
	caller = job.Caller{Scope: scope, ARN: "arn:aws:iam::111122223333:user/admin", Origin: origin}
)

func ptr[T any](v T) *T { return &v }

// memory is object storage without durability.
type memory struct {
	mu      sync.Mutex
	buckets map[string]objects.Bucket
	objects map[job.Location]stored
	// puts counts writes by key.
	puts map[string]int
	// before, when set, is called ahead of each operation: "open", "put".
	before func(op, key string) error
}

type stored struct {
	objects.Object
	content []byte
}

func newMemory() *memory {
	m := &memory{buckets: map[string]objects.Bucket{}, objects: map[job.Location]stored{}, puts: map[string]int{}}
	m.buckets["b"] = objects.Bucket{Name: "b", AccountID: scope.AccountID, Region: scope.Region}
	m.buckets["foreign"] = objects.Bucket{Name: "foreign", AccountID: "444455556666", Region: scope.Region}
	m.buckets["far"] = objects.Bucket{Name: "far", AccountID: scope.AccountID, Region: "eu-west-1"}
	return m
}

func (m *memory) ServiceBucket(_ context.Context, region string) (objects.Bucket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := "aws-transcribe-" + region + "-prod"
	m.buckets[name] = objects.Bucket{Name: name, AccountID: objects.ServiceAccount, Region: region}
	return m.buckets[name], nil
}

func (m *memory) Bucket(_ context.Context, name string) (objects.Bucket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.buckets[name]
	if !ok {
		return b, objects.ErrNoSuchBucket
	}
	return b, nil
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func (m *memory) hook(op, key string) error {
	if m.before == nil {
		return nil
	}
	return m.before(op, key)
}

func (m *memory) Open(_ context.Context, bucket, key string) (objects.Object, objects.Reader, error) {
	if err := m.hook("open", key); err != nil {
		return objects.Object{}, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.buckets[bucket]; !ok {
		return objects.Object{}, nil, objects.ErrNoSuchBucket
	}
	o, ok := m.objects[job.Location{Bucket: bucket, Key: key}]
	if !ok {
		return objects.Object{}, nil, objects.ErrNoSuchKey
	}
	return o.Object, nopCloser{bytes.NewReader(o.content)}, nil
}

func (m *memory) Put(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata) (objects.Object, error) {
	if err := m.hook("put", key); err != nil {
		return objects.Object{}, err
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return objects.Object{}, err
	}
	if err := ctx.Err(); err != nil {
		return objects.Object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.buckets[bucket]; !ok {
		return objects.Object{}, objects.ErrNoSuchBucket
	}
	o := objects.Object{Bucket: bucket, Key: key, Size: int64(len(content)), Metadata: meta}
	m.objects[job.Location{Bucket: bucket, Key: key}] = stored{o, content}
	m.puts[key]++
	return o, nil
}

func (m *memory) Delete(_ context.Context, bucket, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, job.Location{Bucket: bucket, Key: key})
	return nil
}

func (m *memory) get(bucket, key string) (stored, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[job.Location{Bucket: bucket, Key: key}]
	return o, ok
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
		if err == io.EOF {
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

// bench is a service with its database and storage.
type bench struct {
	*job.Service
	store   *jobs.Jobs
	memory  *memory
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
	key := sha512.Sum512([]byte("test"))
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "dictum.db"), key[:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := jobs.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	return &bench{
		Service: &job.Service{Store: s, Tags: s, Objects: m, Buckets: m},
		store:   s, memory: m, reports: make(chan job.Report, 100), retries: make(chan string, 100),
	}
}

// upload puts media into the bucket b.
func (b *bench) upload(key string, content []byte) string {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	b.memory.objects[job.Location{Bucket: "b", Key: key}] = stored{objects.Object{Bucket: "b", Key: key, Size: int64(len(content))}, content}
	return "s3://b/" + key
}

// request is a legal request for media that is there.
func (b *bench) request(name string, change func(*model.StartTranscriptionJobRequest)) *model.StartTranscriptionJobRequest {
	if _, ok := b.memory.get("b", "tone.wav"); !ok {
		b.upload("tone.wav", wav(16000, 1, 2*time.Second, 0.5))
	}
	r := &model.StartTranscriptionJobRequest{
		TranscriptionJobName: &name, LanguageCode: ptr("en-US"), Media: &model.Media{MediaFileUri: ptr("s3://b/tone.wav")},
	}
	if change != nil {
		change(r)
	}
	return r
}

func (b *bench) start(t *testing.T, name string, change func(*model.StartTranscriptionJobRequest)) job.Job {
	t.Helper()
	j, err := b.Start(t.Context(), caller, b.request(name, change))
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
		Queue: b.store, Objects: b.memory, Recognizer: tones{}, Observer: watching{bench: b}, Workers: 2,
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
