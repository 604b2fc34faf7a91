package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/objects"
)

// Lines is a Sink that writes a document a line. After a crash, records that were written and not yet noted in the
// position come again; their eventID tells.
type Lines struct{ W io.Writer }

var _ Sink = Lines{}

// Deliver implements Sink.
func (l Lines) Deliver(_ context.Context, records []audit.Record) error {
	var b bytes.Buffer
	for _, r := range records {
		b.Write(r.Document)
		b.WriteByte('\n')
	}
	_, err := l.W.Write(b.Bytes())
	return err
}

// Putter stores objects: the part of objects.ReadWriter that a Bucket needs.
type Putter interface {
	// Put stores body under the key, replacing what was there in one step, and returns once it is durable.
	Put(ctx context.Context, bucket, key string, body io.Reader, meta objects.Metadata) (objects.Object, error)
}

// Bucket is a Sink that makes objects in CloudTrail's layout:
//
//	AWSLogs/{account}/CloudTrail/{region}/{yyyy}/{mm}/{dd}/{account}_CloudTrail_{region}_{time}_{unique}.json.gz
//
// An object's key follows from its first record alone. What is delivered again, after a crash, has the same
// first records and replaces the objects of before: no record is lost, and none is there twice.
// What belongs to no account or no region has "unknown" in its place.
type Bucket struct {
	Objects Putter
	Name    string
	// Prefix, when not empty, comes before AWSLogs, without a slash at its end.
	Prefix string
}

var _ Sink = Bucket{}

// place is an account in a region.
type place struct{ account, region string }

// Deliver implements Sink.
func (b Bucket) Deliver(ctx context.Context, records []audit.Record) error {
	var order []place
	groups := map[place][]audit.Record{}
	for _, r := range records {
		p := place{orUnknown(r.Account), orUnknown(r.Region)}
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], r)
	}
	for _, p := range order {
		content, err := logFile(groups[p])
		if err != nil {
			return err
		}
		key := b.key(p, groups[p][0])
		meta := objects.Metadata{ContentType: "application/json", ContentEncoding: "gzip"}
		if _, err := b.Objects.Put(ctx, b.Name, key, bytes.NewReader(content), meta); err != nil {
			return fmt.Errorf("put %s: %w", key, err)
		}
	}
	return nil
}

// key is the object's that begins with this record:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
func (b Bucket) key(p place, first audit.Record) string {
	at := first.Recorded.UTC()
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", p.account, p.region, first.Sequence))
	key := fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%s/%s_CloudTrail_%s_%s_%020d%s.json.gz", p.account, p.region, at.Format("2006/01/02"),
		p.account, p.region, at.Format("20060102T1504Z"), first.Sequence, hex.EncodeToString(sum[:4]))
	if b.Prefix != "" {
		key = b.Prefix + "/" + key
	}
	return key
}

// logFile is {"Records":[…]}, compressed.
func logFile(records []audit.Record) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, `{"Records":[`); err != nil {
		return nil, err
	}
	for i, r := range records {
		if i > 0 {
			if _, err := z.Write([]byte{','}); err != nil {
				return nil, err
			}
		}
		if _, err := z.Write(r.Document); err != nil {
			return nil, err
		}
	}
	if _, err := io.WriteString(z, `]}`); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// orUnknown makes a part of a key of an account or a region; regions come from clients.
func orUnknown(s string) string {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return "unknown"
		}
	}
	if s == "" {
		return "unknown"
	}
	return s
}
