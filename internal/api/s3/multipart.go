package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/checksum"
)

func (r *request) upload() objects.UploadRef {
	return objects.UploadRef{Bucket: r.bucket, Key: r.key, ID: r.query.Get("uploadId")}
}

func (s *Service) createUpload(w http.ResponseWriter, r *request) error {
	meta, err := r.metadata()
	if err != nil {
		return err
	}
	meta.ChecksumAlgorithm = strings.ToUpper(r.header.Get("X-Amz-Checksum-Algorithm"))
	meta.ChecksumType = strings.ToUpper(r.header.Get("X-Amz-Checksum-Type"))
	if meta.ChecksumAlgorithm == "" {
		if meta.ChecksumType != "" {
			return invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
	} else {
		if meta.ChecksumType == "" {
			meta.ChecksumType = checksum.DefaultType(meta.ChecksumAlgorithm)
		}
		if !checksum.Supported(meta.ChecksumAlgorithm, meta.ChecksumType) {
			return invalidRequest(fmt.Sprintf("The %s checksum type cannot be used with the %s checksum algorithm.", meta.ChecksumType, strings.ToLower(meta.ChecksumAlgorithm)))
		}
	}
	if meta.Encryption, err = s.encryption(r); err != nil {
		return err
	}
	u, err := s.store.CreateUpload(r.Context(), r.bucket, r.key, meta)
	if err != nil {
		return err
	}
	h := w.Header()
	r.stored(h, meta.Encryption)
	if err := setContext(h, meta.Encryption); err != nil {
		return err
	}
	if meta.ChecksumAlgorithm != "" {
		h.Set("X-Amz-Checksum-Algorithm", meta.ChecksumAlgorithm)
		h.Set("X-Amz-Checksum-Type", meta.ChecksumType)
	}
	return reply(w, http.StatusOK, initiateResult{Xmlns: namespace, Bucket: r.bucket, Key: r.key, UploadID: u.ID})
}

func (r *request) partNumber() (int, error) {
	n, err := strconv.Atoi(r.query.Get("partNumber"))
	if err != nil || n < 1 || n > objects.MaxParts {
		return 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", r.query.Get("partNumber"))
	}
	return n, nil
}

// partOf returns the upload that a part is for, when the caller may use its key: parts and completion need
// kms:Decrypt, the upload itself kms:GenerateDataKey.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
func (s *Service) partOf(r *request) (objects.Upload, error) {
	u, err := s.store.Upload(r.Context(), r.upload())
	if err != nil {
		return u, err
	}
	return u, s.rules.Decrypt(r.Context(), r.call.Caller, r.target, r.key, u.Metadata.Encryption)
}

func (s *Service) uploadPart(w http.ResponseWriter, r *request) error {
	number, err := r.partNumber()
	if err != nil {
		return err
	}
	if err := r.checkLength(); err != nil {
		return err
	}
	u, err := s.partOf(r)
	if err != nil {
		return err
	}
	p, err := s.store.PutPart(r.Context(), u.UploadRef, number, r.Body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("ETag", quote(p.ETag))
	r.stored(h, u.Metadata.Encryption)
	setChecksum(h, p.ChecksumAlgorithm, p.ChecksumValue, "")
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) uploadPartCopy(w http.ResponseWriter, r *request) error {
	number, err := r.partNumber()
	if err != nil {
		return err
	}
	source, content, err := s.openSource(r)
	if err != nil {
		return err
	}
	defer content.Close()
	part := byteRange{length: source.Size}
	if header := r.header.Get("X-Amz-Copy-Source-Range"); header != "" {
		if part, err = copyRange(header, source.Size); err != nil {
			return err
		}
	}
	if part.length > objects.MaxPut {
		return errCopyTooLarge
	}
	u, err := s.partOf(r)
	if err != nil {
		return err
	}
	p, err := s.store.PutPart(r.Context(), u.UploadRef, number, io.NewSectionReader(content, part.start, part.length))
	if err != nil {
		return err
	}
	r.stored(w.Header(), u.Metadata.Encryption)
	return reply(w, http.StatusOK, copyResult{
		XMLName: xml.Name{Local: "CopyPartResult"}, Xmlns: namespace, LastModified: isoTime(p.Modified), ETag: quote(p.ETag),
		checksums: checksumOf(p.ChecksumAlgorithm, p.ChecksumValue),
	})
}

// copyRange reads x-amz-copy-source-range, which must name both ends and lie within the source.
func copyRange(header string, size int64) (byteRange, error) {
	part, ok, err := parseRange(header, size)
	_, last, _ := strings.Cut(header, "-")
	end, numeric := digits(last)
	if err != nil || !ok || last == "" || !numeric || strings.HasPrefix(header, "bytes=-") {
		return part, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy", "x-amz-copy-source-range", header)
	}
	if end >= size {
		return part, invalidArgument(fmt.Sprintf("Range specified is not valid for source object of size: %d", size), "x-amz-copy-source-range", header)
	}
	return part, nil
}

// completeRequest is the body of CompleteMultipartUpload.
type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
		checksums
	} `xml:"Part"`
}

// completion turns the body into what the store needs.
func (c completeRequest) completion() (objects.Completion, error) {
	out := objects.Completion{Size: -1}
	if len(c.Parts) == 0 || len(c.Parts) > objects.MaxParts {
		return out, errMalformedXML
	}
	last := 0
	for _, p := range c.Parts {
		if p.PartNumber < 1 || p.PartNumber > objects.MaxParts {
			return out, invalidArgument("PartNumber must be >= 1 and <= 10000", "PartNumber", strconv.Itoa(p.PartNumber))
		}
		if p.PartNumber <= last {
			return out, errInvalidPartOrder
		}
		last = p.PartNumber
		part := objects.Part{Number: p.PartNumber, ETag: unquote(p.ETag)}
		part.ChecksumAlgorithm, part.ChecksumValue = p.value()
		out.Parts = append(out.Parts, part)
	}
	return out, nil
}

func (s *Service) completeUpload(w http.ResponseWriter, r *request) error {
	var body completeRequest
	if err := readDocument(r, &body); err != nil {
		return err
	}
	c, err := body.completion()
	if err != nil {
		return err
	}
	if c.Only, err = r.writeCondition(); err != nil {
		return err
	}
	if size := r.header.Get("X-Amz-Mp-Object-Size"); size != "" {
		n, numeric := digits(size)
		if !numeric {
			return invalidArgument("Value for x-amz-mp-object-size header is invalid.", "x-amz-mp-object-size", size)
		}
		c.Size = n
	}
	if c.ChecksumValue, err = s.claimedChecksum(r); err != nil {
		return err
	}
	// An upload that is there no more may have been completed: the store knows.
	if _, err := s.partOf(r); err != nil && !errors.Is(err, objects.ErrNoSuchUpload) {
		return err
	}
	o, err := s.store.CompleteUpload(r.Context(), r.upload(), c)
	if err != nil {
		return err
	}
	r.stored(w.Header(), o.Metadata.Encryption)
	return reply(w, http.StatusOK, completeResult{
		Xmlns: namespace, Location: r.call.Origin + "/" + r.bucket + "/" + escapeKey(r.key), Bucket: r.bucket, Key: r.key, ETag: quote(o.ETag),
		ChecksumType: o.Metadata.ChecksumType, checksums: checksumOf(o.Metadata.ChecksumAlgorithm, o.Metadata.ChecksumValue),
	})
}

// claimedChecksum returns the object's checksum as the client has it in a header, if it is of the upload's algorithm.
func (s *Service) claimedChecksum(r *request) (string, error) {
	for _, algorithm := range []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		value := r.header.Get("X-Amz-Checksum-" + algorithm)
		if value == "" {
			continue
		}
		u, err := s.store.Upload(r.Context(), r.upload())
		if err != nil {
			return "", nil //nolint:nilerr // completing will say what is wrong
		}
		if u.Metadata.ChecksumAlgorithm != algorithm {
			return "", invalidRequest("The upload was created without the " + strings.ToLower(algorithm) + " checksum algorithm. The complete request must not include it.")
		}
		return value, nil
	}
	return "", nil
}

func (s *Service) abortUpload(w http.ResponseWriter, r *request) error {
	if err := s.store.AbortUpload(r.Context(), r.upload()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listParts(w http.ResponseWriter, r *request) error {
	limit, err := r.number("max-parts", maxKeys, maxKeys)
	if err != nil {
		return err
	}
	after, err := r.number("part-number-marker", 0, 1<<30)
	if err != nil {
		return err
	}
	u, err := s.store.Upload(r.Context(), r.upload())
	if err != nil {
		return err
	}
	parts, more, err := s.store.ListParts(r.Context(), u.UploadRef, after, limit)
	if err != nil {
		return err
	}
	who, initiator := owner{canonicalID(r.target.AccountID)}, owner{canonicalID(r.call.Principal.AccountID)}
	doc := listPartsResult{
		Xmlns: namespace, Bucket: u.Bucket, Key: u.Key, UploadID: u.ID, Initiator: initiator, Owner: who, StorageClass: "STANDARD",
		PartNumberMarker: after, MaxParts: limit, IsTruncated: more,
		ChecksumAlgorithm: u.Metadata.ChecksumAlgorithm, ChecksumType: u.Metadata.ChecksumType,
	}
	for _, p := range parts {
		doc.Part = append(doc.Part, partEntry{
			PartNumber: p.Number, LastModified: isoTime(p.Modified), ETag: quote(p.ETag), Size: p.Size,
			checksums: checksumOf(p.ChecksumAlgorithm, p.ChecksumValue),
		})
		doc.NextPartNumberMarker = p.Number
	}
	return reply(w, http.StatusOK, doc)
}

func (s *Service) listUploads(w http.ResponseWriter, r *request) error {
	encode, kind, err := r.encoder()
	if err != nil {
		return err
	}
	limit, err := r.number("max-uploads", maxKeys, maxKeys)
	if err != nil {
		return err
	}
	q := objects.UploadsQuery{
		Prefix: r.query.Get("prefix"), Delimiter: r.query.Get("delimiter"), AfterKey: r.query.Get("key-marker"), Limit: limit,
	}
	if q.AfterKey != "" { // Without a key the id's marker is ignored.
		q.AfterID = r.query.Get("upload-id-marker")
	}
	l, err := s.store.ListUploads(r.Context(), r.bucket, q)
	if err != nil {
		return err
	}
	who, initiator := owner{canonicalID(r.target.AccountID)}, owner{canonicalID(r.call.Principal.AccountID)}
	doc := listUploadsResult{
		Xmlns: namespace, Bucket: r.bucket, KeyMarker: encode(q.AfterKey), UploadIDMarker: q.AfterID, Prefix: encode(q.Prefix),
		Delimiter: encode(q.Delimiter), EncodingType: kind, MaxUploads: limit, IsTruncated: l.More,
		NextKeyMarker: encode(l.NextKey), NextUploadIDMarker: l.NextID,
	}
	for _, u := range l.Uploads {
		doc.Upload = append(doc.Upload, uploadEntry{
			Key: encode(u.Key), UploadID: u.ID, Initiator: initiator, Owner: who, StorageClass: "STANDARD", Initiated: isoTime(u.Initiated),
			ChecksumAlgorithm: u.Metadata.ChecksumAlgorithm, ChecksumType: u.Metadata.ChecksumType,
		})
	}
	for _, p := range l.Prefixes {
		doc.CommonPrefixes = append(doc.CommonPrefixes, commonPrefix{encode(p)})
	}
	return reply(w, http.StatusOK, doc)
}
