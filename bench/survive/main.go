// Command survive starts jobs as fast as a server takes them, kills the server with SIGKILL
// again and again, and prints, as JSON, what became of the jobs that were acknowledged: each must
// be complete, with one result that never changed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/transcribe"
	"github.com/aws/aws-sdk-go-v2/service/transcribe/types"

	"github.com/dictum/dictum/test/harness"
)

const (
	bucket  = "survive"
	callers = 8
	// patience is how long all jobs together may take after the last kill.
	patience = 30 * time.Minute
	// mostTorn is how often in a row the list of results may fail: the Go client now and then closes a
	// connection in the middle of an answer, which must not be taken for a lost job.
	mostTorn = 10
)

type result struct {
	Acknowledged int     `json:"acknowledged"`
	Completed    int     `json:"completed"`
	Lost         int     `json:"lost"`
	NotOneResult int     `json:"not_one_result"`
	Seconds      float64 `json:"seconds"`
}

func main() {
	binary := flag.String("binary", "bin/dictum", "the program")
	clip := flag.String("clip", "", "a short recording")
	jobs := flag.Int("jobs", 1000, "jobs to start")
	kills := flag.Int("kills", 5, "how often the server is killed")
	flag.Parse()
	out, err := survive(context.Background(), *binary, *clip, *jobs, *kills)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "survive:", err)
		os.Exit(1)
	}
}

func survive(ctx context.Context, binary, clip string, jobs, kills int) (out result, err error) {
	data, err := os.MkdirTemp("", "dictum-survive-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	server, err := harness.Start(ctx, harness.Options{Binary: binary, Data: filepath.Join(data, "data")})
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, server.Kill()) }()
	r := &run{server: server, clients: server.Clients("us-east-1"), jobs: jobs, etags: map[string]string{}, changed: map[string]bool{}}
	if err := r.upload(ctx, clip); err != nil {
		return result{}, err
	}

	began := time.Now()
	started := make(chan struct{})
	go func() {
		defer close(started)
		r.startAll(ctx)
	}()
	if err := r.killWhileStarting(ctx, kills); err != nil {
		return result{}, err
	}
	<-started
	if err := r.await(ctx); err != nil {
		return result{}, err
	}
	out, err = r.count(ctx)
	out.Seconds = time.Since(began).Seconds()
	return out, err
}

type run struct {
	server  *harness.Server
	clients *harness.Clients
	uri     string
	jobs    int

	acknowledged atomic.Int64
	etags        map[string]string // results as first seen
	changed      map[string]bool   // jobs whose result was another one later
}

func name(i int) string { return fmt.Sprintf("job-%05d", i) }

func key(job string) string { return "out/" + job + ".json" }

func (r *run) upload(ctx context.Context, clip string) error {
	content, err := os.ReadFile(clip)
	if err != nil {
		return err
	}
	if err := r.clients.CreateBucket(ctx, bucket); err != nil {
		return err
	}
	r.uri = "s3://" + bucket + "/clip.wav"
	_, err = r.clients.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("clip.wav"), Body: strings.NewReader(string(content))})
	if err != nil {
		return fmt.Errorf("put clip: %w", err)
	}
	return nil
}

// startAll starts all jobs by several callers. A call that got no answer is made again; then a
// conflict says that the first one had been taken.
func (r *run) startAll(ctx context.Context) {
	next := atomic.Int64{}
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= r.jobs {
					return
				}
				r.startOne(ctx, name(i))
			}
		})
	}
	wait.Wait()
}

func (r *run) startOne(ctx context.Context, job string) {
	for {
		_, err := r.clients.Transcribe.StartTranscriptionJob(ctx, &transcribe.StartTranscriptionJobInput{
			TranscriptionJobName: &job,
			LanguageCode:         "en-US",
			Media:                &types.Media{MediaFileUri: &r.uri},
			OutputBucketName:     aws.String(bucket),
			OutputKey:            aws.String(key(job)),
		})
		switch code := harness.ErrorCode(err); {
		case err == nil, code == "ConflictException":
			r.acknowledged.Add(1)
			return
		case code != "":
			fmt.Fprintf(os.Stderr, "survive: start %s: %v\n", job, err)
		}
		time.Sleep(50 * time.Millisecond) // the server is down
	}
}

// killWhileStarting kills the server each time another share of the jobs has been acknowledged,
// the last time when all have.
func (r *run) killWhileStarting(ctx context.Context, kills int) error {
	for k := 1; k <= kills; k++ {
		for r.acknowledged.Load() < int64(r.jobs*k/kills) {
			time.Sleep(time.Millisecond)
		}
		if err := r.server.Kill(); err != nil {
			return err
		}
		if err := r.server.Restart(ctx); err != nil {
			return err
		}
		if err := r.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await looks until no job is under way.
func (r *run) await(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	torn := 0 // answers in a row that the client did not read to their end
	for {
		out, err := r.clients.Transcribe.ListTranscriptionJobs(ctx, &transcribe.ListTranscriptionJobsInput{
			Status: types.TranscriptionJobStatusInProgress, MaxResults: aws.Int32(1),
		})
		if err != nil {
			return fmt.Errorf("list jobs: %w", err)
		}
		if err := r.look(ctx); err != nil {
			if torn++; torn > mostTorn {
				return err
			}
			fmt.Fprintf(os.Stderr, "survive: look again: %v\n", err)
			continue
		}
		torn = 0
		if len(out.TranscriptionJobSummaries) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("jobs are still under way after %v", patience)
		}
		time.Sleep(time.Second)
	}
}

// look notes each result that is there, and whether one has changed since it was first seen
// with its job complete.
func (r *run) look(ctx context.Context) error {
	done := map[string]bool{}
	jobs := &transcribe.ListTranscriptionJobsInput{Status: types.TranscriptionJobStatusCompleted, MaxResults: aws.Int32(100)}
	for {
		out, err := r.clients.Transcribe.ListTranscriptionJobs(ctx, jobs)
		if err != nil {
			return fmt.Errorf("list jobs: %w", err)
		}
		for _, job := range out.TranscriptionJobSummaries {
			done[key(*job.TranscriptionJobName)] = true
		}
		if out.NextToken == nil {
			break
		}
		jobs.NextToken = out.NextToken
	}
	pages := s3.NewListObjectsV2Paginator(r.clients.S3, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("out/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list results: %w", err)
		}
		for _, object := range page.Contents {
			if !done[*object.Key] {
				continue
			}
			version := *object.ETag + object.LastModified.String()
			if seen, ok := r.etags[*object.Key]; ok && seen != version {
				r.changed[*object.Key] = true
			}
			r.etags[*object.Key] = version
		}
	}
	return nil
}

// count asks for every job by name.
func (r *run) count(ctx context.Context) (result, error) {
	out := result{Acknowledged: int(r.acknowledged.Load())}
	for i := range r.jobs {
		job := name(i)
		got, err := r.clients.Transcribe.GetTranscriptionJob(ctx, &transcribe.GetTranscriptionJobInput{TranscriptionJobName: &job})
		if harness.ErrorCode(err) == "BadRequestException" {
			out.Lost++
			continue
		}
		if err != nil {
			return out, fmt.Errorf("get %s: %w", job, err)
		}
		if got.TranscriptionJob.TranscriptionJobStatus == types.TranscriptionJobStatusCompleted {
			out.Completed++
		}
		if _, one := r.etags[key(job)]; !one || r.changed[key(job)] {
			out.NotOneResult++
		}
	}
	return out, nil
}
