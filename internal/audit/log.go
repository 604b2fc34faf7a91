package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/iam"
)

// The defaults of a Config.
const (
	// DefaultMaxFile is how large a file grows before the next begins, in bytes.
	DefaultMaxFile = 64 << 20
	// lazySync is how long an event that changed nothing may wait for the disk, after it was acknowledged.
	lazySync = 100 * time.Millisecond
	// DefaultDigestRecords and DefaultDigestInterval are how many records, and how long, until the chain is
	// signed again.
	DefaultDigestRecords  = 1000
	DefaultDigestInterval = time.Hour
	// DefaultRetention is how long records are kept: 90 days, CloudTrail's event history.
	DefaultRetention = 90 * 24 * time.Hour

	// queueSize is how many events wait to be written before Record itself waits; batchRecords and
	// batchBytes are how much one commit takes.
	queueSize    = 1024
	batchRecords = 512
	batchBytes   = 1 << 20
)

// The errors of a Log; compare with errors.Is.
var (
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("audit log is closed")
	// ErrFailed: the disk failed, and nothing more is taken until the process starts again.
	ErrFailed = errors.New("audit log can't be written")
)

// Config is what a Log is made of.
type Config struct {
	// Dir is the folder of the log, made where needed. One process at a time may have it open for writing;
	// the lock of the data folder sees to that.
	Dir  string
	Keys Keys
	// Reached is a number that the log is known to have reached, from a place that is not its folder; zero when
	// none is known. It tells a folder that was emptied, or put back to an earlier state.
	Reached uint64
	// The others have defaults when zero. Files whose records are all older than Retention are removed;
	// negative keeps all.
	Retention      time.Duration
	MaxFile        int64
	DigestRecords  int
	DigestInterval time.Duration
	// SyncAll has every event synced to disk before Record returns. Without it, those that changed nothing (reads, and
	// what was refused) survive the end of the process from then on, and a power failure from lazySync later.
	SyncAll bool
	// Log gets failures and what was found wrong at opening; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// sync makes a file's data durable; tests have it fail.
	sync func(*os.File) error
}

func (c Config) complete() Config {
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.MaxFile <= 0 {
		c.MaxFile = DefaultMaxFile
	}
	if c.DigestRecords <= 0 {
		c.DigestRecords = DefaultDigestRecords
	}
	if c.DigestInterval <= 0 {
		c.DigestInterval = DefaultDigestInterval
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.sync == nil {
		c.sync = syncData
	}
	return c
}

// Log is the record on disk: encrypted, chained by hashes, signed, and only ever appended to. It is
// safe for concurrent use. Records that are made together share one write and one sync.
type Log struct {
	config Config
	queue  chan *pending
	// done is closed when the writer has ended.
	done chan struct{}
	// readers bounds how many lookups read files at the same time.
	readers chan struct{}

	// sending guards closed: Record holds it while it puts into the queue.
	sending sync.RWMutex
	closed  bool

	// mu guards what readers see of the writer's progress.
	mu       sync.Mutex
	segments []segment
	// last is the last durable frame, end where it ends in the last of segments.
	last tip
	end  int64
	fail error
}

var _ Recorder = (*Log)(nil)

// tip is the last frame of a chain.
type tip struct {
	seq  uint64
	hash hash
}

// pending is an event on its way to the disk.
type pending struct {
	entries []entry
	// sync asks for power failures to be survived before the event is acknowledged.
	sync bool
	done chan error
}

// Open opens the log or begins one. A record that a crash left unfinished is cut off; anything else
// that is wrong with the end of the log is left as it is for Verify to find, the log goes on in a new
// file, and both are on record.
func Open(config Config) (*Log, error) {
	config = config.complete()
	if config.Keys.current.signing == nil {
		return nil, errors.New("open audit log: no keys")
	}
	l := &Log{
		config: config, queue: make(chan *pending, queueSize), done: make(chan struct{}),
		readers: make(chan struct{}, maxLookups),
	}
	w, err := openWriter(l)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	go w.run()
	return l, nil
}

// Record implements Recorder. It fails with ErrClosed, ErrFailed, the disk's error, or ctx's; in
// the last case the event may be on record all the same.
func (l *Log) Record(ctx context.Context, e Event) error {
	entries, err := entriesOf(e, l.config.Now())
	if err != nil {
		return fmt.Errorf("encode audit record: %w", err)
	}
	p := &pending{entries: entries, sync: l.config.SyncAll || !e.ReadOnly && e.ErrorCode == "", done: make(chan error, 1)}
	if err := l.send(ctx, p); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) send(ctx context.Context, p *pending) error {
	l.sending.RLock()
	defer l.sending.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what is waiting, signs the chain and closes the files. Events that are recorded
// later fail with ErrClosed. It may be called again.
func (l *Log) Close() error {
	l.sending.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.sending.Unlock()
	<-l.done
	return l.Err()
}

// Err returns why nothing is taken any more, or nil: for health checks.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fail
}

// Last returns the number of the last durable frame; Config.Reached of the next Open.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.seq
}

// view is what there is to read at one moment.
func (l *Log) view() (files []segment, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segments, l.end
}

// ownEvent is an event of the log about itself.
func ownEvent(name string, details map[string]any, now time.Time) (entry, error) {
	d := documentOf(Event{Name: name, Source: ownSource, Caller: iam.Caller{
		Time: now, Principal: iam.Principal{Kind: iam.KindService, Service: ownSource},
	}})
	d.EventType, d.EventID = "AwsServiceEvent", newEventID()
	d.ServiceEventDetails = parametersJSON(details)
	b, err := encode(d)
	return entry{recorded: now, document: b}, err
}

// ownSource is the source of events of the log about itself.
const ownSource = "audit.dictum"

// closeFile closes a file whose content is durable already.
func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close() // all was synced: nothing is left to fail
	}
}
