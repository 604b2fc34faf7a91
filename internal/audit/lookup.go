package audit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxResults is how many events a page of Lookup has at most, and by default: CloudTrail's.
	MaxResults = 50
	// maxLookups is how many lookups read at the same time; the others wait.
	maxLookups = 4
	// lookupTime is how long one page searches before it returns what it has and a token to go on with.
	lookupTime = 500 * time.Millisecond
	// longestAct is how much earlier than its record an act may have begun: a stream of four hours, and
	// some more.
	longestAct = 6 * time.Hour
)

// ErrBadToken means that a NextToken is none, or belongs to another query.
var ErrBadToken = errors.New("not a token of this query")

// Key names what an event is looked up by: CloudTrail's LookupAttributeKey.
type Key string

// The keys.
const (
	KeyEventID      Key = "EventId"
	KeyEventName    Key = "EventName"
	KeyReadOnly     Key = "ReadOnly"
	KeyUsername     Key = "Username"
	KeyResourceType Key = "ResourceType"
	KeyResourceName Key = "ResourceName"
	KeyEventSource  Key = "EventSource"
	KeyAccessKeyID  Key = "AccessKeyId"
)

// Attribute is one that events must have. Values are case-sensitive.
type Attribute struct {
	Key   Key
	Value string
}

// Query asks for management events of one account in one region.
type Query struct {
	Account, Region string
	// Attributes must all fit.
	Attributes []Attribute
	// Start and End bound the times of events, both included; zero means unbounded.
	Start, End time.Time
	// NotBefore bounds them too, and may move from page to page of one query.
	NotBefore time.Time
	// Limit is at most MaxResults; zero means that.
	Limit int
	// NextToken goes on after a page of the same query.
	NextToken string
}

// Found is an event as Lookup shows it.
type Found struct {
	ID, Name, Source, Username, AccessKeyID string
	ReadOnly                                bool
	Time                                    time.Time
	Resources                               []FoundResource
	// Document is the event in CloudTrail's form.
	Document json.RawMessage
}

// FoundResource is what an event acted on. Type is CloudFormation's, empty when it has none.
type FoundResource struct{ Type, Name string }

// Page is one of a lookup's.
type Page struct {
	Events []Found
	// NextToken is empty on the last page. A page may have few events, or none, and a token: it took
	// as long as a page may.
	NextToken string
}

// cursor is where a page ended: in the file that begins with first, before the frame at the offset.
type cursor struct {
	first uint64
	at    int64
}

// Lookup returns management events, those recorded last first. It fails with ErrBadToken, an error of reading, or
// ctx's. Records that are damaged are passed over, and the log of the program tells so.
func (l *Log) Lookup(ctx context.Context, q Query) (Page, error) {
	select {
	case l.readers <- struct{}{}:
		defer func() { <-l.readers }()
	case <-ctx.Done():
		return Page{}, ctx.Err()
	}
	if q.Limit <= 0 || q.Limit > MaxResults {
		q.Limit = MaxResults
	}
	files, end := l.view()
	from := cursor{at: end}
	if len(files) > 0 {
		from.first = files[len(files)-1].first
	}
	if q.NextToken != "" {
		var err error
		if from, err = l.openToken(q); err != nil {
			return Page{}, err
		}
	}
	s := &search{q: q, keys: l.config.Keys, until: time.Now().Add(lookupTime)}
	for i := len(files) - 1; i >= 0 && !s.over; i-- {
		if files[i].first > from.first {
			continue
		}
		at := int64(-1)
		if files[i].first == from.first {
			at = from.at
		}
		if err := s.file(ctx, files[i], at); err != nil {
			return Page{}, err
		}
	}
	if s.damaged {
		l.config.Log.Error("look up audit events", "err", ErrDamaged)
	}
	page := Page{Events: s.events}
	if s.more {
		token, err := l.sealToken(q, s.next)
		if err != nil {
			return Page{}, err
		}
		page.NextToken = token
	}
	return page, nil
}

// search goes back through a log.
type search struct {
	q      Query
	keys   Keys
	until  time.Time
	events []Found
	// over ends the search; more tells that it goes on at next.
	over, more bool
	next       cursor
	// damaged tells that something could not be read.
	damaged bool
}

// file searches one file, from an offset backwards; negative means its end.
func (s *search) file(ctx context.Context, f segment, at int64) error {
	if !s.q.End.IsZero() && at < 0 {
		if began, err := f.begins(s.keys); err == nil && began.After(s.q.End.Add(longestAct)) {
			return nil
		}
	}
	o, err := f.open(s.keys)
	if missing(err) {
		s.over = true // retention took it, and all before
		return nil
	}
	if err != nil {
		s.damaged = true
		return nil // what can be read is worth more than nothing
	}
	defer o.close()
	if at < 0 {
		at = o.size
	}
	if at > o.size {
		return ErrBadToken
	}
	scan := newBackScanner(o.file, o.aead, at)
	for n := 1; ; n++ {
		f, damaged, err := scan.next()
		s.damaged = s.damaged || damaged
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(o.path), err)
		}
		if f.kind == kindRecord && !s.take(f) {
			s.over = true
			return nil
		}
		full := len(s.events) == s.q.Limit
		if n%64 == 0 && !full {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			full = time.Now().After(s.until)
		}
		if full {
			s.over, s.more, s.next = true, true, cursor{o.first, f.at}
			return nil
		}
	}
}

// take keeps a record when it is asked for. It is false when all that is asked for is behind.
func (s *search) take(f frame) bool {
	e, err := parseEntry(f.body)
	if err != nil {
		return true
	}
	if e.recorded.Before(s.q.Start) || e.recorded.Before(s.q.NotBefore) {
		return false
	}
	if e.data || e.account != s.q.Account || e.region != s.q.Region {
		return true
	}
	found, ok := foundOf(e.document)
	// Events have whole seconds.
	if !ok || found.Time.Before(s.q.Start.Truncate(time.Second)) || (!s.q.End.IsZero() && found.Time.After(s.q.End)) {
		return true
	}
	for _, a := range s.q.Attributes {
		if !found.has(a) {
			return true
		}
	}
	s.events = append(s.events, found.Found)
	return true
}

// candidate is an event with the full names of its resources.
type candidate struct {
	Found
	arns []string
}

// foundOf reads a document.
func foundOf(text []byte) (candidate, bool) {
	var d struct {
		UserIdentity struct {
			Type        string `json:"type"`
			ARN         string `json:"arn"`
			UserName    string `json:"userName"`
			AccessKeyID string `json:"accessKeyId"`
		} `json:"userIdentity"`
		EventTime   time.Time  `json:"eventTime"`
		EventSource string     `json:"eventSource"`
		EventName   string     `json:"eventName"`
		EventID     string     `json:"eventID"`
		ReadOnly    bool       `json:"readOnly"`
		Resources   []Resource `json:"resources"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return candidate{}, false
	}
	c := candidate{Found: Found{
		ID: d.EventID, Name: d.EventName, Source: d.EventSource, AccessKeyID: d.UserIdentity.AccessKeyID,
		Username: d.UserIdentity.UserName, ReadOnly: d.ReadOnly, Time: d.EventTime, Document: text,
	}}
	switch d.UserIdentity.Type {
	case "AssumedRole": // arn:aws:sts::111122223333:assumed-role/role/session
		c.Username = d.UserIdentity.ARN[strings.LastIndexByte(d.UserIdentity.ARN, '/')+1:]
	case "Root":
		c.Username = "root"
	}
	for _, r := range d.Resources {
		name, kind := nameOf(r.ARN)
		if r.Type != "" {
			kind = r.Type
		}
		c.Resources = append(c.Resources, FoundResource{Type: kind, Name: name})
		c.arns = append(c.arns, r.ARN)
	}
	return c, true
}

func (c candidate) has(a Attribute) bool {
	switch a.Key {
	case KeyEventID:
		return c.ID == a.Value
	case KeyEventName:
		return c.Name == a.Value
	case KeyReadOnly:
		return strconv.FormatBool(c.ReadOnly) == a.Value
	case KeyUsername:
		return c.Username == a.Value
	case KeyEventSource:
		return c.Source == a.Value
	case KeyAccessKeyID:
		return c.AccessKeyID == a.Value
	}
	for i, r := range c.Resources {
		if a.Key == KeyResourceType && r.Type == a.Value || a.Key == KeyResourceName && (r.Name == a.Value || c.arns[i] == a.Value) {
			return true
		}
	}
	return false
}

// resourceTypes are CloudFormation's, by service and the beginning of the resource in its ARN.
var resourceTypes = map[string]string{
	"iam:user": "AWS::IAM::User", "iam:group": "AWS::IAM::Group", "iam:role": "AWS::IAM::Role", "iam:policy": "AWS::IAM::Policy",
	"iam:mfa": "AWS::IAM::MFADevice", "iam:oidc-provider": "AWS::IAM::OIDCProvider", "kms:key": "AWS::KMS::Key", "kms:alias": "AWS::KMS::Alias",
}

// nameOf is the name that a resource's owner knows it by, and its type: of arn:aws:s3:::bucket the
// bucket, of arn:aws:iam::111122223333:user/path/alice alice, of a KMS key its ARN.
func nameOf(arn string) (name, kind string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return arn, ""
	}
	service, resource := parts[2], parts[5]
	if service == "s3" {
		if strings.Contains(resource, "/") {
			return resource, "AWS::S3::Object"
		}
		return resource, "AWS::S3::Bucket"
	}
	head, rest, ok := strings.Cut(resource, "/")
	if !ok {
		return resource, ""
	}
	kind = resourceTypes[service+":"+head]
	switch {
	case service == "kms" && head == "key":
		return arn, kind
	case service == "kms":
		return resource, kind // alias/name
	case service == "iam" && head != "oidc-provider":
		return rest[strings.LastIndexByte(rest, '/')+1:], kind
	}
	return rest, kind
}

// sealToken makes the token of the page after c. It is bound to the query: neither another account nor
// another filter can use it.
func (l *Log) sealToken(q Query, c cursor) (string, error) {
	aead, err := l.config.Keys.current.cipher("token", nil)
	if err != nil {
		return "", err
	}
	b := binary.BigEndian.AppendUint64(nil, c.first)
	b = binary.BigEndian.AppendUint64(b, uint64(c.at))
	sealed, err := aead.Encrypt(b, q.fingerprint())
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

func (l *Log) openToken(q Query) (cursor, error) {
	aead, err := l.config.Keys.current.cipher("token", nil)
	if err != nil {
		return cursor{}, err
	}
	sealed, err := base64.StdEncoding.DecodeString(q.NextToken)
	if err != nil {
		return cursor{}, ErrBadToken
	}
	b, err := aead.Decrypt(sealed, q.fingerprint())
	if err != nil || len(b) != 16 {
		return cursor{}, ErrBadToken
	}
	return cursor{first: binary.BigEndian.Uint64(b), at: int64(binary.BigEndian.Uint64(b[8:]))}, nil
}

// fingerprint tells queries apart, whatever page they ask for and how long.
func (q Query) fingerprint() []byte {
	return fmt.Appendf(nil, "%q %q %q %s %s", q.Account, q.Region, q.Attributes, q.Start.UTC(), q.End.UTC())
}
