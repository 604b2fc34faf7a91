package s3

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/checksum"
	"github.com/dictum/dictum/internal/objects/guarded"
)

// checkLength refuses bodies without a length and beyond MaxPut before they are read.
func (r *request) checkLength() error {
	if r.ContentLength < 0 {
		return awserr.Fail(awserr.MissingLength)
	}
	if r.ContentLength > objects.MaxPut {
		return errEntityTooLarge.With("ProposedSize", strconv.FormatInt(r.ContentLength, 10)).
			With("MaxSizeAllowed", strconv.FormatInt(objects.MaxPut, 10))
	}
	return nil
}

func (s *Service) putObject(w http.ResponseWriter, r *request) error {
	if r.query.Has("uploadId") || r.query.Has("partNumber") {
		return invalidArgument("This operation needs both uploadId and partNumber", "uploadId", r.query.Get("uploadId"))
	}
	if err := r.checkLength(); err != nil {
		return err
	}
	meta, err := r.metadata()
	if err != nil {
		return err
	}
	only, err := r.writeCondition()
	if err != nil {
		return err
	}
	if meta.Encryption, err = s.encryption(r); err != nil {
		return err
	}
	// r.Body itself, because it knows its verified checksum: objects.Checksummed.
	o, err := s.store.PutIf(r.Context(), r.bucket, r.key, r.Body, meta, only)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("ETag", quote(o.ETag))
	r.stored(h, o.Metadata.Encryption)
	if err := setContext(h, o.Metadata.Encryption); err != nil {
		return err
	}
	setChecksum(h, o.Metadata.ChecksumAlgorithm, o.Metadata.ChecksumValue, o.Metadata.ChecksumType)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) headObject(w http.ResponseWriter, r *request) error {
	o, err := s.store.Head(r.Context(), r.bucket, r.key)
	if err != nil {
		return s.absent(r, r.target, err)
	}
	if r.wantsChecksum() {
		// A checksum tells of the content.
		if err := s.rules.Decrypt(r.Context(), r.call.Caller, r.target, r.key, o.Metadata.Encryption); err != nil {
			return err
		}
	}
	return s.answer(w, r, o, nil)
}

func (s *Service) getObject(w http.ResponseWriter, r *request) error {
	o, content, err := s.rules.Open(r.Context(), r.call.Caller, r.target, r.key)
	if err != nil {
		return s.absent(r, r.target, err)
	}
	defer content.Close()
	return s.answer(w, r, o, content)
}

func (r *request) wantsChecksum() bool {
	return strings.EqualFold(r.header.Get("X-Amz-Checksum-Mode"), "ENABLED")
}

// answer answers GET, or HEAD without content.
func (s *Service) answer(w http.ResponseWriter, r *request, o objects.Object, content objects.Reader) error {
	if err := checkPartNumber(r, o); err != nil {
		return err
	}
	h := w.Header()
	switch r.conditionsOf("").check(o) {
	case failed:
		return errPrecondition
	case notModified:
		h.Set("ETag", quote(o.ETag))
		h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusNotModified)
		return nil
	case proceed:
	}
	part, ranged, err := parseRange(r.header.Get("Range"), o.Size)
	if err != nil {
		return err
	}
	status := http.StatusOK
	describe(h, o)
	r.override(h)
	if ranged {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.start, part.start+part.length-1, o.Size))
	} else {
		part = byteRange{length: o.Size}
		if r.wantsChecksum() {
			setChecksum(h, o.Metadata.ChecksumAlgorithm, o.Metadata.ChecksumValue, o.Metadata.ChecksumType)
		}
	}
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	if content == nil || part.length == 0 {
		w.WriteHeader(status)
		return nil
	}
	return send(w, status, content, part)
}

// send sends part of a content. The first piece is read before the status goes out, so that a damaged
// file becomes an error document where that is still possible.
func send(w http.ResponseWriter, status int, content objects.Reader, part byteRange) error {
	if _, err := content.Seek(part.start, io.SeekStart); err != nil {
		return fmt.Errorf("find range: %w", err)
	}
	limited := io.LimitReader(content, part.length)
	buffer := make([]byte, 128<<10)
	n, err := io.ReadFull(limited, buffer[:min(part.length, int64(len(buffer)))])
	if err != nil {
		clearHeaders(w.Header())
		return fmt.Errorf("read content: %w", err)
	}
	w.WriteHeader(status)
	if _, err := w.Write(buffer[:n]); err != nil {
		return fmt.Errorf("send content: %w", err)
	}
	sent, err := io.CopyBuffer(onlyWriter{w}, limited, buffer)
	if err == nil && int64(n)+sent != part.length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("send content: %w", err)
	}
	return nil
}

// onlyWriter hides ReadFrom, so that the buffer is used.
type onlyWriter struct{ io.Writer }

// clearHeaders takes back what describes content when an error is answered instead.
func clearHeaders(h http.Header) {
	for name := range h {
		if name != "X-Amz-Request-Id" && name != "X-Amz-Id-2" {
			delete(h, name)
		}
	}
}

// checkPartNumber serves partNumber=1 of an object that was put at once: the whole.
func checkPartNumber(r *request, o objects.Object) error {
	if !r.query.Has("partNumber") {
		return nil
	}
	if strings.Contains(o.ETag, "-") {
		return notImplemented("?partNumber")
	}
	if r.query.Get("partNumber") != "1" {
		return s3error(416, "InvalidPartNumber", "The requested partnumber is not satisfiable").
			With("PartNumberRequested", r.query.Get("partNumber")).With("ActualPartCount", "1")
	}
	return nil
}

func (s *Service) deleteObject(w http.ResponseWriter, r *request) error {
	if r.header.Get("If-Match") != "" || r.header.Get("X-Amz-If-Match-Size") != "" || r.header.Get("X-Amz-If-Match-Last-Modified-Time") != "" {
		return notImplemented("If-Match")
	}
	if err := s.store.Delete(r.Context(), r.bucket, r.key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteRequest is the body of DeleteObjects.
type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key              string
		VersionID        string `xml:"VersionId"`
		ETag             string
		LastModifiedTime string
		Size             string
	} `xml:"Object"`
}

// maxDeletes is how many keys one DeleteObjects may name.
const maxDeletes = 1000

func (s *Service) deleteObjects(w http.ResponseWriter, r *request) error {
	var body deleteRequest
	if err := readDocument(r, &body); err != nil {
		return err
	}
	// A body that lost a key would delete the wrong things: it must be protected.
	algorithm := ""
	if c, ok := r.Body.(objects.Checksummed); ok {
		algorithm, _ = c.Checksum()
	}
	if algorithm == "" && r.header.Get("Content-Md5") == "" {
		return errMissingMD5
	}
	if len(body.Objects) == 0 || len(body.Objects) > maxDeletes {
		return errMalformedXML
	}
	doc := deleteResult{Xmlns: namespace}
	var keys []string
	for _, o := range body.Objects {
		switch {
		case o.Key == "":
			return errMalformedXML
		case o.ETag != "" || o.LastModifiedTime != "" || o.Size != "":
			return notImplemented("Object conditions")
		case o.VersionID != "" && o.VersionID != "null":
			doc.Error = append(doc.Error, deleteError{Key: o.Key, VersionID: o.VersionID, Code: "NoSuchVersion", Message: "The specified version does not exist."})
			continue
		}
		// Each key is authorised by itself, and refused by itself.
		if err := s.allow(r, o.Key, "DeleteObject", nil); err != nil {
			refused := awserr.For(awserr.S3, err)
			if awserr.IsInternal(err) {
				return err
			}
			doc.Error = append(doc.Error, deleteError{Key: o.Key, Code: refused.Code, Message: refused.Message})
			continue
		}
		r.call.Resources = append(r.call.Resources, guarded.Resources(r.target, o.Key)[0])
		keys = append(keys, o.Key)
		if !body.Quiet {
			doc.Deleted = append(doc.Deleted, deletedEntry{o.Key})
		}
	}
	if err := s.store.DeleteAll(r.Context(), r.bucket, keys); err != nil {
		return err
	}
	return reply(w, http.StatusOK, doc)
}

func (s *Service) copyObject(w http.ResponseWriter, r *request) error {
	only, err := r.writeCondition()
	if err != nil {
		return err
	}
	source, content, err := s.openSource(r)
	if err != nil {
		return err
	}
	defer content.Close()
	if source.Size > objects.MaxPut {
		return errCopyTooLarge
	}
	meta, err := r.copyMetadata(source)
	if err != nil {
		return err
	}
	if err := s.copyTags(r, source, &meta); err != nil {
		return err
	}
	if meta.Encryption, err = s.encryption(r); err != nil {
		return err
	}
	o, err := s.store.PutIf(r.Context(), r.bucket, r.key, content, meta, only)
	if err != nil {
		return err
	}
	r.stored(w.Header(), o.Metadata.Encryption)
	if err := setContext(w.Header(), o.Metadata.Encryption); err != nil {
		return err
	}
	return reply(w, http.StatusOK, copyResult{
		XMLName: xml.Name{Local: "CopyObjectResult"}, Xmlns: namespace, LastModified: isoTime(o.Modified), ETag: quote(o.ETag),
		ChecksumType: o.Metadata.ChecksumType, checksums: checksumOf(o.Metadata.ChecksumAlgorithm, o.Metadata.ChecksumValue),
	})
}

// openSource opens what a copy is of, when its conditions hold and the caller may use its key.
func (s *Service) openSource(r *request) (objects.Object, objects.Reader, error) {
	from := r.source
	o, content, err := s.rules.Open(r.Context(), r.call.Caller, from.bucket, from.key)
	if err != nil {
		return objects.Object{}, nil, translate(s.absent(r, from.bucket, err), from.bucket.Name, from.key)
	}
	// A copy has no "not modified": every condition that does not hold fails.
	if r.conditionsOf("X-Amz-Copy-Source-").check(o) != proceed {
		content.Close()
		return objects.Object{}, nil, errPrecondition
	}
	return o, content, nil
}

// copyMetadata returns the metadata that a copy gets.
func (r *request) copyMetadata(source objects.Object) (objects.Metadata, error) {
	meta := source.Metadata
	switch directive := r.header.Get("X-Amz-Metadata-Directive"); directive {
	case "", "COPY":
		changed := r.header.Get(headerEncryption) != "" || r.header.Get("X-Amz-Tagging-Directive") == "REPLACE"
		if source.Bucket == r.bucket && source.Key == r.key && !changed {
			return meta, errCopyToItself
		}
	case "REPLACE":
		var err error
		if meta, err = r.metadata(); err != nil {
			return meta, err
		}
		meta.ChecksumAlgorithm = source.Metadata.ChecksumAlgorithm
	default:
		return meta, invalidArgument("Unknown metadata directive.", "x-amz-metadata-directive", directive)
	}
	// The copy is one piece; its checksum is computed anew.
	meta.ChecksumValue, meta.ChecksumType = "", ""
	if algorithm := strings.ToUpper(r.header.Get("X-Amz-Checksum-Algorithm")); algorithm != "" {
		if _, err := checksum.New(algorithm); err != nil {
			return meta, invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
		}
		meta.ChecksumAlgorithm = algorithm
	}
	return meta, nil
}

func (s *Service) getObjectAttributes(w http.ResponseWriter, r *request) error {
	wanted := strings.Join(r.header.Values("X-Amz-Object-Attributes"), ",")
	if wanted == "" {
		return invalidArgument("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty", "x-amz-object-attributes", "")
	}
	o, err := s.store.Head(r.Context(), r.bucket, r.key)
	if err != nil {
		return s.absent(r, r.target, err)
	}
	if err := s.rules.Decrypt(r.Context(), r.call.Caller, r.target, r.key, o.Metadata.Encryption); err != nil {
		return err
	}
	doc := objectAttributes{Xmlns: namespace}
	for name := range strings.SplitSeq(wanted, ",") {
		switch strings.TrimSpace(name) {
		case "ETag":
			doc.ETag = o.ETag
		case "StorageClass":
			doc.StorageClass = "STANDARD"
		case "ObjectSize":
			doc.ObjectSize = &o.Size
		case "Checksum":
			if m := o.Metadata; m.ChecksumValue != "" {
				doc.Checksum = &attributesChecksum{checksums: checksumOf(m.ChecksumAlgorithm, m.ChecksumValue), ChecksumType: m.ChecksumType}
			}
		case "ObjectParts":
			if strings.Contains(o.ETag, "-") {
				return notImplemented("ObjectParts")
			}
		default:
			return invalidArgument("Invalid attribute name specified", "x-amz-object-attributes", name)
		}
	}
	w.Header().Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	return reply(w, http.StatusOK, doc)
}
