package awserr_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/awserr"
)

var kinds = []awserr.Kind{
	awserr.MissingAuth, awserr.TwoMechanisms, awserr.UnsupportedMechanism, awserr.MalformedHeader, awserr.MalformedQuery, awserr.BadDate,
	awserr.MissingPayloadHash, awserr.BadPayloadHash, awserr.WrongScope, awserr.UnsignedHeaders, awserr.UnknownKey, awserr.BadToken,
	awserr.ExpiredToken, awserr.Expired, awserr.NotYetCurrent, awserr.ExpiredURL, awserr.WrongSignature, awserr.WrongPayloadHash,
	awserr.WrongChunkSignature, awserr.BadChunk, awserr.BadTrailer, awserr.BadDigest, awserr.InvalidDigest, awserr.InvalidChecksum,
	awserr.IncompleteBody, awserr.MissingLength, awserr.BodyTooLarge, awserr.SlowBody, awserr.BadURI, awserr.NotAuthorized,
	awserr.UnknownOperation, awserr.Serialization, awserr.Throttled, awserr.Unavailable, awserr.Internal,
}

func TestEveryKindHasAnErrorInEveryProtocol(t *testing.T) {
	for _, kind := range kinds {
		for _, p := range []awserr.Protocol{awserr.JSON, awserr.S3, awserr.Query} {
			e := awserr.For(p, awserr.Fail(kind))
			if e.Code == "" || e.Message == "" || e.Status < 400 || e.Status > 599 || !e.Framework {
				t.Errorf("%s in %s: %+v", kind, p, e)
			}
			if internal := e.Status == 500; internal != (kind == awserr.Internal) {
				t.Errorf("%s in %s has status %d", kind, p, e.Status)
			}
		}
	}
}

func TestFor(t *testing.T) {
	wrapped := fmt.Errorf("store object: %w", awserr.Fail(awserr.BadDigest, "algorithm", "CRC32"))
	if e := awserr.For(awserr.S3, wrapped); e.Code != "BadDigest" || e.Message != "The CRC32 you specified did not match the calculated checksum." {
		t.Errorf("wrapped failure: %+v", e)
	}
	own := awserr.BadRequest("no %s", "job").With("A", "1")
	if e := awserr.For(awserr.JSON, fmt.Errorf("x: %w", own)); e != own || e.Message != "no job" || len(e.Fields) != 1 {
		t.Errorf("error as it is: %+v", e)
	}
	secret := errors.New("open /secret/path")
	for _, p := range []awserr.Protocol{awserr.JSON, awserr.S3, awserr.Query} {
		if e := awserr.For(p, secret); e.Status != 500 || strings.Contains(e.Message, "secret") {
			t.Errorf("unknown error in %s: %+v", p, e)
		}
	}
	if !awserr.IsInternal(secret) || awserr.IsInternal(wrapped) || awserr.IsInternal(own) || awserr.IsInternal(nil) {
		t.Error("IsInternal is wrong")
	}
	if e := awserr.For(awserr.S3, awserr.Fail("no such kind")); e.Code != "InternalError" {
		t.Errorf("unknown kind: %+v", e)
	}
	// A detail that looks like a placeholder is not filled in turn.
	e := awserr.For(awserr.JSON, awserr.Fail(awserr.NotAuthorized, "principal", "{reason}", "action", "a", "resource", "r", "reason", "no"))
	if !strings.HasPrefix(e.Message, "User: {reason} is not") {
		t.Errorf("message %q", e.Message)
	}
}
