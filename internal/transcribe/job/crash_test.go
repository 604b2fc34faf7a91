package job_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/model"
)

// process is a worker process that can die: from then on nothing it does has any effect.
type process struct {
	job.Queue
	objects.ReadWriter
	dead atomic.Bool
}

var errDead = errors.New("process is dead")

func (p *process) Claim(ctx context.Context, owner string, now, until time.Time) (job.Claim, error) {
	if p.dead.Load() {
		return job.Claim{}, job.ErrNoWork
	}
	return p.Queue.Claim(ctx, owner, now, until)
}

func (p *process) Extend(ctx context.Context, c job.Claim, until time.Time) error {
	if p.dead.Load() {
		return errDead
	}
	return p.Queue.Extend(ctx, c, until)
}

func (p *process) Commit(ctx context.Context, c job.Claim, change func(*job.Job) error) error {
	if p.dead.Load() {
		return errDead
	}
	return p.Queue.Commit(ctx, c, change)
}

func (p *process) Release(ctx context.Context, c job.Claim, r job.Release) error {
	if p.dead.Load() {
		return errDead
	}
	return p.Queue.Release(ctx, c, r)
}

func (p *process) Put(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata) (objects.Object, error) {
	if p.dead.Load() {
		return objects.Object{}, errDead
	}
	return p.ReadWriter.Put(ctx, bucket, key, body, meta)
}

// A process that dies in any phase costs the job its lease and nothing else: another worker brings the
// same result, once.
func TestCrashInEachPhase(t *testing.T) {
	for _, phase := range []string{"fetch", "recognise", "first output", "last output", "commit"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p := &process{Queue: b.store, ReadWriter: b.storage}
			var crashed sync.Once
			crash := func() error {
				err := error(nil)
				crashed.Do(func() { p.dead.Store(true); err = errDead })
				return err
			}
			var r speech.Recognizer = tones{}
			b.start(t, "J", func(r *request) { r.Subtitles = &model.Subtitles{Formats: []string{"vtt"}} })
			switch phase {
			case "fetch":
				b.storage.before = func(op, _ string) error { return crash() }
			case "recognise":
				r = tones{begin: func(context.Context) error { return crash() }}
			case "first output":
				b.storage.before = func(op, key string) error {
					if strings.HasSuffix(key, ".vtt") {
						return crash()
					}
					return nil
				}
			case "last output":
				b.storage.before = func(op, key string) error {
					if strings.HasSuffix(key, ".json") {
						return crash()
					}
					return nil
				}
			case "commit":
				p.Queue = dyingAtCommit{b.store, crash}
			}
			b.run(t, func(c *job.PoolConfig) {
				c.Queue, c.Objects, c.Recognizer, c.Lease = p, p, r, 2*time.Second
			})
			eventually(t, p.dead.Load)
			b.run(t, func(c *job.PoolConfig) { c.Lease = time.Minute })
			got := b.report(t)
			if got.Job.Status != job.Completed || got.Job.Attempts != 2 {
				t.Errorf("got %s after %d attempts", got.Job.Status, got.Job.Attempts)
			}
			_, content, _ := b.storage.get(t, got.Job.Output.Bucket, got.Job.Output.Key)
			if !strings.Contains(content, `"transcript":"tone. tone. tone. tone."`) {
				t.Errorf("got %s", content)
			}
			select {
			case again := <-b.reports:
				t.Errorf("the job ended twice: %+v", again.Job)
			default:
			}
		})
	}
}

type dyingAtCommit struct {
	job.Queue
	crash func() error
}

func (d dyingAtCommit) Commit(ctx context.Context, c job.Claim, change func(*job.Job) error) error {
	if err := d.crash(); err != nil {
		return err
	}
	return d.Queue.Commit(ctx, c, change)
}

// A worker that is cut off from the queue, and one that comes back late, publish nothing.
func TestLateWorkerPublishesNothing(t *testing.T) {
	b := newBench(t)
	p := &process{Queue: b.store, ReadWriter: b.storage}
	entered, leave := make(chan struct{}), make(chan struct{})
	var cause atomic.Value
	j := b.start(t, "J", nil)
	b.run(t, func(c *job.PoolConfig) {
		c.Queue, c.Lease = p, time.Second
		c.Recognizer = recognizer(func(ctx context.Context, a speech.SampleReader, set speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
			close(entered)
			<-leave // deaf to its context
			cause.Store(context.Cause(ctx))
			t, _ := tones{}.Recognize(context.Background(), a, set, progress)
			t.Segments = nil
			return t, nil
		})
	})
	<-entered
	p.dead.Store(true) // no heartbeat goes through
	b.run(t, nil)
	if r := b.report(t); r.Job.Status != job.Completed {
		t.Fatalf("got %+v", r.Job)
	}
	p.dead.Store(false) // the network is back, too late
	close(leave)
	if got := b.retried(t); got != "lost_lease" {
		t.Errorf("the late worker ended by %q", got)
	}
	if err, _ := cause.Load().(error); !errors.Is(err, job.ErrLostLease) {
		t.Errorf("its work was cancelled by %v", err)
	}
	_, content, _ := b.storage.get(t, j.Output.Bucket, j.Output.Key)
	if b.storage.written(j.Output.Key) != 1 || !strings.Contains(content, "tone.") {
		t.Errorf("%d writes of %s", b.storage.written(j.Output.Key), content)
	}
}
