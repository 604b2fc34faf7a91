package sigv4

import (
	"bufio"
	"crypto/md5" // Content-MD5 is a checksum
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
)

// bodyBuffer is how much of a chunked body is read at once.
const bodyBuffer = 64 << 10

// Body is the content of a request with opaque payload. It decodes aws-chunked and holds what it
// reads against everything that was promised: the signed hash, each chunk's signature, the decoded
// length, Content-MD5 and the checksum in header or trailer. A broken promise is an error in place
// of io.EOF, so no content counts before Read returned io.EOF. It is for one reader.
type Body struct {
	content io.Reader
	closer  io.Closer
	// chunks is content when that is chunked, else nil.
	chunks *chunkReader
	// length is what x-amz-decoded-content-length promised, -1 for a plain body.
	length int64

	read     int64
	payload  string    // hex of the signed hash, or empty
	sha      hash.Hash // nil when payload is empty
	md5      hash.Hash // nil without Content-MD5
	md5Sum   string
	checksum *checksum // nil when none was announced
	err      error
}

// BodyOptions are what only the service knows.
type BodyOptions struct {
	// ForeignChecksum leaves x-amz-checksum-* headers alone: they do not speak of this body
	// (CompleteMultipartUpload).
	ForeignChecksum bool
}

// OpenBody puts a Body in the place of r.Body, sets r.ContentLength to the decoded length, and
// removes aws-chunked from Content-Encoding. It does not read yet, except that a body known to be
// empty is held against its promises at once.
func (v *Verified) OpenBody(r *http.Request, opt BodyOptions) error {
	b := &Body{content: r.Body, closer: r.Body, length: -1}
	if r.Body == nil {
		b.content, b.closer = http.NoBody, http.NoBody
	}
	if err := b.promises(r, v, opt); err != nil {
		return err
	}
	if v.streaming() {
		if err := b.openChunks(r, v); err != nil {
			return err
		}
	} else if len(v.Payload) == 2*sha256.Size {
		b.payload, b.sha = strings.ToLower(v.Payload), sha256.New()
	}
	if b.chunks == nil && (r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody) {
		if err := b.finish(); !errors.Is(err, io.EOF) {
			return err
		}
	}
	r.Body = b
	return nil
}

func (v *Verified) streaming() bool { return strings.HasPrefix(v.Payload, "STREAMING-") }

// promises reads Content-MD5 and the checksum header.
func (b *Body) promises(r *http.Request, v *Verified, opt BodyOptions) error {
	if values := r.Header["Content-Md5"]; len(values) > 0 {
		sum, err := base64.StdEncoding.DecodeString(values[0])
		if len(values) > 1 || err != nil || len(sum) != md5.Size {
			return awserr.Fail(awserr.InvalidDigest, "Content-MD5", clip(values[0]))
		}
		b.md5, b.md5Sum = md5.New(), values[0]
	}
	if opt.ForeignChecksum {
		return nil
	}
	var err error
	b.checksum, err = headerChecksum(r, v.Claim.Presigned)
	return err
}

func (b *Body) openChunks(r *http.Request, v *Verified) error {
	lengths := r.Header["X-Amz-Decoded-Content-Length"]
	if len(lengths) == 0 {
		return awserr.Fail(awserr.MissingLength)
	}
	length, err := strconv.ParseInt(lengths[0], 10, 64)
	if err != nil || length < 0 || len(lengths) > 1 || lengths[0][0] == '+' {
		return awserr.Fail(awserr.BadChunk, "reason", "x-amz-decoded-content-length is not a length")
	}
	b.length = length
	b.chunks = &chunkReader{src: bufio.NewReaderSize(b.content, bodyBuffer), remaining: length}
	b.content = b.chunks
	if v.Payload != streamingUnsigned {
		b.chunks.signer = &chunkSigner{
			key:      v.key,
			context:  v.Claim.Time.UTC().Format(timeLayout) + "\n" + v.Claim.Scope.String() + "\n",
			previous: v.signature,
			chunk:    sha256.New(),
		}
	}
	if strings.HasSuffix(v.Payload, "-TRAILER") {
		if err := b.announceTrailer(r); err != nil {
			return err
		}
	}
	r.ContentLength = length
	stripEncoding(r.Header)
	return nil
}

// announceTrailer reads x-amz-trailer: the name of one checksum.
func (b *Body) announceTrailer(r *http.Request) error {
	values := r.Header["X-Amz-Trailer"]
	if len(values) != 1 {
		return awserr.Fail(awserr.BadTrailer)
	}
	name := strings.ToLower(strings.TrimSpace(values[0]))
	algorithm, ok := strings.CutPrefix(name, checksumPrefix)
	if !ok {
		return awserr.Fail(awserr.InvalidChecksum, "reason", "The value specified in the x-amz-trailer header is not supported")
	}
	if b.checksum != nil {
		return awserr.Fail(awserr.InvalidChecksum, "reason", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	h, ok := NewChecksum(algorithm)
	if !ok {
		return awserr.Fail(awserr.InvalidChecksum, "reason", "The value specified in the x-amz-trailer header is not supported")
	}
	b.checksum = &checksum{algorithm: algorithm, hash: h}
	b.chunks.trailer = name
	return nil
}

// stripEncoding removes aws-chunked from Content-Encoding: it is how the body travels, not what it is.
func stripEncoding(h http.Header) {
	var kept []string
	for _, value := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			coding = strings.TrimSpace(coding)
			if coding != "" && !strings.EqualFold(coding, "aws-chunked") {
				kept = append(kept, coding)
			}
		}
	}
	if len(kept) == 0 {
		h.Del("Content-Encoding")
		return
	}
	h.Set("Content-Encoding", strings.Join(kept, ","))
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.content.Read(p)
	if n > 0 {
		b.read += int64(n)
		for _, h := range []hash.Hash{b.sha, b.md5} {
			if h != nil {
				h.Write(p[:n])
			}
		}
		if b.checksum != nil {
			b.checksum.hash.Write(p[:n])
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		b.err = b.finish()
	case err != nil:
		b.err = bodyError(err)
	}
	return n, b.err
}

// finish holds the whole body against its promises: io.EOF when all are kept.
func (b *Body) finish() error {
	if b.length >= 0 && b.read != b.length {
		return awserr.Fail(awserr.IncompleteBody)
	}
	if b.sha != nil {
		if sum := hex.EncodeToString(b.sha.Sum(nil)); !equal(sum, b.payload) {
			return awserr.Fail(awserr.WrongPayloadHash, "ClientComputedContentSHA256", b.payload, "S3ComputedContentSHA256", sum)
		}
	}
	if b.md5 != nil && !equal(base64.StdEncoding.EncodeToString(b.md5.Sum(nil)), b.md5Sum) {
		return awserr.Fail(awserr.BadDigest, "algorithm", "Content-MD5")
	}
	if b.checksum == nil {
		return io.EOF
	}
	if b.chunks != nil && b.chunks.trailer != "" {
		if err := b.checksum.set(b.chunks.trailerValue); err != nil {
			return err
		}
	}
	if err := b.checksum.verify(); err != nil {
		return err
	}
	return io.EOF
}

// Checksum implements gateway.Checksummed.
func (b *Body) Checksum() (algorithm, value string) {
	if b.checksum == nil || !errors.Is(b.err, io.EOF) {
		return "", ""
	}
	return strings.ToUpper(b.checksum.algorithm), b.checksum.value
}

// Close implements io.Closer.
func (b *Body) Close() error { return b.closer.Close() }

// bodyError turns what the connection says into what AWS says.
func bodyError(err error) error {
	var failure *awserr.Failure
	var timeout net.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &failure):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return awserr.Fail(awserr.IncompleteBody)
	case errors.As(err, &timeout) && timeout.Timeout():
		return awserr.Fail(awserr.SlowBody)
	case errors.As(err, &tooLarge):
		return awserr.Fail(awserr.BodyTooLarge, "limit", itoa(tooLarge.Limit))
	default:
		// A connection that broke, or framing that net/http refused: the sender's doing, not ours.
		return fmt.Errorf("read request body: %w: %w", awserr.Fail(awserr.IncompleteBody), err)
	}
}
