// Package export carries the records of the audit log to where others read them: a bucket in
// CloudTrail's layout, or a stream of JSON lines. Start at Exporter.
package export

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dictum/dictum/internal/audit"
)

// The defaults of an Exporter.
const (
	// DefaultInterval is how often new records are looked for: CloudTrail delivers about every 5 minutes.
	DefaultInterval = 5 * time.Minute
	// DefaultBatch is how many records are delivered at once, at most.
	DefaultBatch = 1000
	// batchBytes bounds the documents of one delivery.
	batchBytes = 8 << 20
)

// Source is where records come from: *audit.Log.
type Source interface {
	// Scan calls fn with the records from a number on, oldest first, and returns the number of the last
	// frame passed.
	Scan(ctx context.Context, from uint64, fn func(audit.Record) error) (last uint64, err error)
}

// Sink takes records.
type Sink interface {
	// Deliver returns once the records are where they belong. After a failure or a crash it gets the same
	// records again, and maybe later ones behind them in the same call.
	Deliver(ctx context.Context, records []audit.Record) error
}

// Exporter delivers every record of a log to a sink, in order. Where it stands is in a file that is
// written after each delivery: a crash between the two delivers again, and nothing is ever left out.
type Exporter struct {
	Source Source
	Sink   Sink
	// Position is the file with the number of the last record delivered. One exporter has it.
	Position string
	// Interval and Batch have defaults when zero.
	Interval time.Duration
	Batch    int
	// Log gets failures; nil means slog.Default.
	Log *slog.Logger
}

// Run delivers until ctx ends, trying again after failures. It returns nil, or why the position can't
// be read.
func (e *Exporter) Run(ctx context.Context) error {
	if e.Interval <= 0 {
		e.Interval = DefaultInterval
	}
	log := e.Log
	if log == nil {
		log = slog.Default()
	}
	if _, err := readPosition(e.Position); err != nil {
		return err
	}
	ticker := time.NewTicker(e.Interval)
	defer ticker.Stop()
	for {
		if err := e.Once(ctx); err != nil && ctx.Err() == nil {
			log.Error("can't export the audit log; will try again", "err", err, "in", e.Interval)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// errFull ends a scan when a batch is full.
var errFull = errors.New("batch is full")

// Once delivers what has not been delivered yet. Records that can't be read are passed over, and told of
// with audit.ErrDamaged when the rest is delivered.
func (e *Exporter) Once(ctx context.Context) error {
	limit := e.Batch
	if limit <= 0 {
		limit = DefaultBatch
	}
	position, err := readPosition(e.Position)
	if err != nil {
		return err
	}
	for {
		var batch []audit.Record
		size := 0
		last, err := e.Source.Scan(ctx, position+1, func(r audit.Record) error {
			if len(batch) == limit || size > batchBytes {
				return errFull
			}
			batch, size = append(batch, r), size+len(r.Document)
			return nil
		})
		full := errors.Is(err, errFull)
		if err != nil && !full && !errors.Is(err, audit.ErrDamaged) {
			return fmt.Errorf("read audit log: %w", err)
		}
		if len(batch) > 0 {
			if err := e.Sink.Deliver(ctx, batch); err != nil {
				return fmt.Errorf("deliver audit records %d to %d: %w", batch[0].Sequence, batch[len(batch)-1].Sequence, err)
			}
		}
		if last > position {
			if err := writePosition(e.Position, last); err != nil {
				return err
			}
			position = last
		}
		if !full {
			return err
		}
	}
}

// A position file is 8 bytes of number and their CRC-32, in hex.

func readPosition(name string) (uint64, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read export position: %w", err)
	}
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != 12 || crc32.ChecksumIEEE(raw[:8]) != binary.BigEndian.Uint32(raw[8:]) {
		return 0, fmt.Errorf("read export position: %s is damaged; remove it to export everything again", name)
	}
	return binary.BigEndian.Uint64(raw), nil
}

// writePosition replaces the file in one step.
func writePosition(name string, position uint64) error {
	raw := binary.BigEndian.AppendUint64(nil, position)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	temp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write export position: %w", err)
	}
	_, err = temp.WriteString(hex.EncodeToString(raw))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write export position: %w", err), os.Remove(temp.Name()))
	}
	return nil
}
