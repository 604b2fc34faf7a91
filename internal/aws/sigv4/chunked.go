package sigv4

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
)

const (
	// maxChunkLine bounds a chunk header: 16 digits, ";chunk-signature=" and 64 digits are 97 bytes.
	maxChunkLine = 256
	// maxTrailerLine bounds one trailer: the longest is a SHA-256 in base64 or a signature.
	maxTrailerLine = 1 << 10
)

// chunkReader decodes aws-chunked (spec auth-and-security.md §4;
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// sigv4-streaming-trailers.html):
//
//	hexlen[;chunk-signature=hex]\r\n data \r\n … 0[;chunk-signature=hex]\r\n [name:value\r\n …] \r\n
//
// A chunk's signature is checked when its last byte is read; Body's contract is that nothing
// counts before the end. It is strict: no extensions, no data after the end.
type chunkReader struct {
	src *bufio.Reader
	// signer is nil when chunks are not signed.
	signer *chunkSigner
	// remaining is how much decoded content is still promised.
	remaining int64
	// trailer is the announced name in lower case; empty when none is.
	trailer      string
	trailerValue string

	left      int64 // bytes left of this chunk
	signature string
	done      bool
}

// chunkSigner holds the chain of signatures.
type chunkSigner struct {
	key      [32]byte
	context  string // date and scope, as they stand in each string to sign
	previous string
	chunk    hash.Hash
}

// Read implements io.Reader. It returns io.EOF after the last chunk and the trailer were read and
// nothing follows.
func (c *chunkReader) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.signer != nil {
		c.signer.chunk.Write(p[:n])
	}
	if errors.Is(err, io.EOF) && c.left > 0 {
		return n, io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, err
	}
	if c.left == 0 {
		if err := c.endChunk(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// next reads a chunk header, and everything after the content when it is the last.
func (c *chunkReader) next() error {
	line, err := c.line(maxChunkLine)
	if err != nil {
		return err
	}
	digits, extension, extended := strings.Cut(line, ";")
	size, ok := parseSize(digits)
	if !ok {
		return badChunk("chunk size is not a hexadecimal number")
	}
	if size > c.remaining {
		return badChunk("chunks exceed x-amz-decoded-content-length")
	}
	if c.signer == nil && extended {
		return badChunk("unexpected chunk extension")
	}
	if c.signer != nil {
		if c.signature, ok = strings.CutPrefix(extension, "chunk-signature="); !ok || len(c.signature) != 2*sha256.Size {
			return badChunk("chunk-signature is missing")
		}
	}
	c.remaining -= size
	c.left = size
	if size > 0 {
		return nil
	}
	if err := c.checkChunk(); err != nil {
		return err
	}
	return c.end()
}

// parseSize reads a chunk size: hexadecimal digits only, no sign and no blanks.
func parseSize(digits string) (int64, bool) {
	if digits == "" || len(digits) > 15 {
		return 0, false
	}
	for i := range len(digits) {
		if unhex(digits[i]) < 0 {
			return 0, false
		}
	}
	size, err := strconv.ParseInt(digits, 16, 64)
	return size, err == nil
}

// endChunk checks the signature of the chunk just read, and the line end behind it.
func (c *chunkReader) endChunk() error {
	if err := c.checkChunk(); err != nil {
		return err
	}
	var crlf [2]byte
	if _, err := io.ReadFull(c.src, crlf[:]); err != nil {
		return truncated(err)
	}
	if crlf != [2]byte{'\r', '\n'} {
		return badChunk("chunk data is longer than its size")
	}
	return nil
}

func (c *chunkReader) checkChunk() error {
	s := c.signer
	if s == nil {
		return nil
	}
	sum := hex.EncodeToString(s.chunk.Sum(nil))
	s.chunk.Reset()
	s.previous = sign(s.key, "AWS4-HMAC-SHA256-PAYLOAD\n"+s.context+s.previous+"\n"+emptyHash+"\n"+sum)
	if !equal(s.previous, c.signature) {
		return awserr.Fail(awserr.WrongChunkSignature)
	}
	return nil
}

// end reads the trailer and makes sure that the body ends with it.
func (c *chunkReader) end() error {
	trailerSignature := ""
	blanks := 0
	for {
		line, err := c.line(maxTrailerLine)
		if errors.Is(err, io.ErrUnexpectedEOF) && line == "" {
			break // some clients leave the last line end out
		}
		if err != nil {
			return err
		}
		if line == "" {
			// Some clients end the trailer's own line twice before its signature.
			if blanks++; blanks > 2 {
				return awserr.Fail(awserr.BadTrailer)
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok:
			return awserr.Fail(awserr.BadTrailer)
		case c.trailer != "" && name == c.trailer && c.trailerValue == "" && value != "":
			c.trailerValue = value
		case c.trailer != "" && c.signer != nil && name == "x-amz-trailer-signature" && trailerSignature == "":
			trailerSignature = value
		default:
			return awserr.Fail(awserr.BadTrailer)
		}
	}
	if c.trailer != "" {
		if c.trailerValue == "" {
			return awserr.Fail(awserr.BadTrailer)
		}
		if c.signer != nil && !c.signer.verifyTrailer(c.trailer, c.trailerValue, trailerSignature) {
			return awserr.Fail(awserr.WrongChunkSignature)
		}
	}
	c.done = true
	return nil
}

func (s *chunkSigner) verifyTrailer(name, value, signature string) bool {
	want := sign(s.key, "AWS4-HMAC-SHA256-TRAILER\n"+s.context+s.previous+"\n"+hexSHA256(name+":"+value+"\n"))
	return equal(want, signature)
}

// line reads up to a line end and returns the line without it. At the end of the body it returns
// what there was and io.ErrUnexpectedEOF.
func (c *chunkReader) line(limit int) (string, error) {
	var b []byte
	for {
		part, err := c.src.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > limit {
			return "", badChunk("a line is too long")
		}
		switch {
		case err == nil:
			return strings.TrimSuffix(string(b[:len(b)-1]), "\r"), nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		default:
			return string(b), truncated(err)
		}
	}
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func badChunk(reason string) error { return awserr.Fail(awserr.BadChunk, "reason", reason) }
