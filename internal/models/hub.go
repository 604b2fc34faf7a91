package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// The limits of a download from a hub.
const (
	// attempts is how often a file is tried before its source is given up, counting only
	// tries that brought nothing.
	attempts = 5
	// firstPause is the wait after the first fruitless try; it doubles with each.
	firstPause = 500 * time.Millisecond
	// stall is how long a transfer may bring nothing.
	stall = 60 * time.Second
)

// errPermanent marks answers that another try does not change.
var errPermanent = errors.New("the server refuses")

// partialDir holds unfinished downloads between pulls, named by the hash they are to have.
const partialDir = ".partial"

// fetchHub downloads the files of a hub source.
func (l *Library) fetchHub(ctx context.Context, m Model, s Source, src string, options PullOptions) error {
	partials := filepath.Join(l.dir, partialDir)
	if err := os.MkdirAll(partials, 0o755); err != nil {
		return err
	}
	client := options.Client
	if client == nil {
		client = &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			ForceAttemptHTTP2:     true,
		}}
	}
	for _, f := range m.Files {
		d := download{
			client: client, url: s.Base + f.Name, file: f, part: filepath.Join(partials, f.SHA256),
			report: func(done int64) { options.Progress.Bytes(m.Name, f.Name, done, f.Size) },
		}
		if err := d.run(ctx); err != nil {
			return fmt.Errorf("download %s: %w", f.Name, err)
		}
		if err := os.Rename(d.part, filepath.Join(src, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// download brings one file, resuming what is there of it.
type download struct {
	client *http.Client
	url    string
	file   File
	part   string
	report func(done int64)
}

// run repeats attempts until the file is whole, then verifies it. A file that is whole
// but wrong is removed.
func (d *download) run(ctx context.Context) error {
	pause, fruitless := firstPause, 0
	most := d.have()
	for {
		before := d.have()
		if before == d.file.Size {
			break
		}
		err := d.attempt(ctx, before)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errPermanent) {
			return err
		}
		if now := d.have(); now > most {
			most = now
			pause, fruitless = firstPause, 0
			continue
		}
		if fruitless++; fruitless == attempts {
			return fmt.Errorf("after %d attempts: %w", attempts, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
	if err := checkFile(ctx, d.part, d.file); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errors.Join(err, os.Remove(d.part))
	}
	return nil
}

// have is how much of the file is there.
func (d *download) have() int64 {
	info, err := os.Stat(d.part)
	if err != nil {
		return 0
	}
	return info.Size()
}

// attempt asks for the rest of the file and appends what comes.
func (d *download) attempt(ctx context.Context, from int64) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	request.Header.Set("User-Agent", "dictum")
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	response, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() // only read
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	switch {
	case response.StatusCode == http.StatusPartialContent && from > 0:
		var first int64
		if _, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != from {
			return fmt.Errorf("%w: asked for byte %d, it answers %q", errPermanent, from, response.Header.Get("Content-Range"))
		}
	case response.StatusCode == http.StatusOK:
		flags |= os.O_TRUNC
		from = 0
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		return fmt.Errorf("the server answers %s", response.Status)
	default:
		return fmt.Errorf("%w: it answers %s", errPermanent, response.Status)
	}
	out, err := os.OpenFile(d.part, flags, 0o644)
	if err != nil {
		return fmt.Errorf("%w: %w", errPermanent, err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	idle := time.AfterFunc(stall, func() { cancel(errors.New("the transfer stalled")) })
	defer idle.Stop()
	return d.copy(ctx, out, response.Body, from, func() { idle.Reset(stall) })
}

func (d *download) copy(ctx context.Context, out io.Writer, body io.Reader, done int64, alive func()) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			alive()
			if done += int64(n); done > d.file.Size {
				return errors.Join(fmt.Errorf("%w: the file is larger than it should be", errPermanent), os.Remove(d.part))
			}
			if _, err := out.Write(buffer[:n]); err != nil {
				return fmt.Errorf("%w: %w", errPermanent, err)
			}
			d.report(done)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}
