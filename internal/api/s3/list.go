package s3

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/dictum/dictum/internal/objects"
)

const maxKeys = 1000

// encoder returns how names stand in a listing: as they are, or percent-encoded but for slashes,
// which is the one way for names that XML can't hold.
func (r *request) encoder() (encode func(string) string, kind string, err error) {
	switch kind := r.query.Get("encoding-type"); kind {
	case "":
		return func(s string) string { return s }, "", nil
	case "url":
		return func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%2F", "/")
		}, kind, nil
	default:
		return nil, "", invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", kind)
	}
}

// page lists what the parameters common to both versions ask for.
func (s *Service) page(r *request, after string) (l objects.Listing, limit int, err error) {
	if limit, err = r.number("max-keys", maxKeys, maxKeys); err != nil {
		return l, 0, err
	}
	l, err = s.store.List(r.Context(), r.bucket, objects.ListQuery{
		Prefix: r.query.Get("prefix"), Delimiter: r.query.Get("delimiter"), After: after, Limit: limit,
	})
	return l, limit, err
}

func entries(l objects.Listing, encode func(string) string, who *owner) (all []contents, prefixes []commonPrefix) {
	for _, o := range l.Objects {
		all = append(all, contents{
			Key: encode(o.Key), LastModified: isoTime(o.Modified), ETag: quote(o.ETag), Size: o.Size, Owner: who,
			ChecksumAlgorithm: o.Metadata.ChecksumAlgorithm, ChecksumType: o.Metadata.ChecksumType, StorageClass: "STANDARD",
		})
	}
	for _, p := range l.Prefixes {
		prefixes = append(prefixes, commonPrefix{encode(p)})
	}
	return all, prefixes
}

func (s *Service) listObjectsV2(w http.ResponseWriter, r *request) error {
	if kind := r.query.Get("list-type"); kind != "2" {
		return invalidArgument("Invalid List Type specified in Request", "list-type", kind)
	}
	encode, kind, err := r.encoder()
	if err != nil {
		return err
	}
	token := r.query.Get("continuation-token")
	if r.query.Has("continuation-token") && token == "" {
		return invalidArgument("The continuation token provided is incorrect", "continuation-token", "")
	}
	after, err := decodeToken(token)
	if err != nil {
		return err
	}
	if token == "" {
		after = r.query.Get("start-after")
	}
	l, limit, err := s.page(r, after)
	if err != nil {
		return err
	}
	doc := listBucketV2{
		Xmlns: namespace, Name: r.bucket, Prefix: encode(r.query.Get("prefix")), StartAfter: encode(r.query.Get("start-after")),
		ContinuationToken: token, KeyCount: len(l.Objects) + len(l.Prefixes), MaxKeys: limit,
		Delimiter: encode(r.query.Get("delimiter")), EncodingType: kind, IsTruncated: l.More,
	}
	if l.More {
		doc.NextContinuationToken = encodeToken(l.Next)
	}
	var who *owner
	if r.query.Get("fetch-owner") == "true" {
		who = &owner{canonicalID(r.target.AccountID)}
	}
	doc.Contents, doc.CommonPrefixes = entries(l, encode, who)
	return reply(w, http.StatusOK, doc)
}

func (s *Service) listObjects(w http.ResponseWriter, r *request) error {
	encode, kind, err := r.encoder()
	if err != nil {
		return err
	}
	l, limit, err := s.page(r, r.query.Get("marker"))
	if err != nil {
		return err
	}
	doc := listBucketV1{
		Xmlns: namespace, Name: r.bucket, Prefix: encode(r.query.Get("prefix")), Marker: encode(r.query.Get("marker")), MaxKeys: limit,
		Delimiter: encode(r.query.Get("delimiter")), EncodingType: kind, IsTruncated: l.More,
	}
	if l.More && doc.Delimiter != "" { // Without a delimiter the last key is the marker.
		doc.NextMarker = encode(l.Next)
	}
	doc.Contents, doc.CommonPrefixes = entries(l, encode, &owner{canonicalID(r.target.AccountID)})
	return reply(w, http.StatusOK, doc)
}
