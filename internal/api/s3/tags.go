package s3

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dictum/dictum/internal/objects"
)

// The limits of tags. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const (
	maxObjectTags = 10
	maxBucketTags = 50
	maxTagKey     = 128 // characters
	maxTagValue   = 256 // characters
)

func invalidTag(message, name string) error {
	return s3error(400, "InvalidTag", message).With("TagKey", name)
}

// checkTag holds one tag against S3's rules.
func checkTag(name, value string) error {
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxTagKey || !utf8.ValidString(name):
		return invalidTag("The TagKey you have provided is invalid", name)
	case utf8.RuneCountInString(value) > maxTagValue || !utf8.ValidString(value):
		return s3error(400, "InvalidTag", "The TagValue you have provided is invalid").With("TagKey", name).With("TagValue", value)
	case strings.HasPrefix(strings.ToLower(name), "aws:"):
		return invalidTag("System tags cannot be added/updated by requester", name)
	}
	return nil
}

// tags returns the tags of a document.
func (t tagging) tags(most int) (map[string]string, error) {
	if len(t.TagSet.Tag) > most {
		return nil, tooManyTags(most)
	}
	found := make(map[string]string, len(t.TagSet.Tag))
	for _, one := range t.TagSet.Tag {
		if err := checkTag(one.Key, one.Value); err != nil {
			return nil, err
		}
		if _, twice := found[one.Key]; twice {
			return nil, invalidTag("Cannot provide multiple Tags with the same key", one.Key)
		}
		found[one.Key] = one.Value
	}
	return found, nil
}

func tooManyTags(most int) error {
	if most == maxObjectTags {
		return s3error(400, "BadRequest", "Object tags cannot be greater than 10")
	}
	return s3error(400, "BadRequest", "Bucket tag count cannot be greater than 50")
}

// headerTags reads the tags of an x-amz-tagging header, which has the form of a query.
func headerTags(header string) (map[string]string, error) {
	if header == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(header)
	if err != nil {
		return nil, invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.", "x-amz-tagging", header)
	}
	var t tagging
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			t.TagSet.Tag = append(t.TagSet.Tag, tag{name, value})
		}
	}
	return t.tags(maxObjectTags)
}

func tagDocument(tags map[string]string) tagging {
	doc := tagging{Xmlns: namespace}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		doc.TagSet.Tag = append(doc.TagSet.Tag, tag{name, tags[name]})
	}
	return doc
}

func (*Service) getBucketTagging(w http.ResponseWriter, r *request) error {
	if len(r.target.Settings.Tags) == 0 {
		return s3error(404, "NoSuchTagSet", "The TagSet does not exist").With("BucketName", r.bucket)
	}
	return reply(w, http.StatusOK, tagDocument(r.target.Settings.Tags))
}

func (s *Service) putBucketTagging(w http.ResponseWriter, r *request) error {
	var body tagging
	if err := readRequired(r, &body); err != nil {
		return err
	}
	tags, err := body.tags(maxBucketTags)
	if err != nil {
		return err
	}
	return s.configure(w, r, http.StatusNoContent, func(settings *objects.Settings) { settings.Tags = tags })
}

func (s *Service) deleteBucketTagging(w http.ResponseWriter, r *request) error {
	return s.configure(w, r, http.StatusNoContent, func(settings *objects.Settings) { settings.Tags = nil })
}

func (s *Service) getObjectTagging(w http.ResponseWriter, r *request) error {
	o, err := s.store.Head(r.Context(), r.bucket, r.key)
	if err != nil {
		return s.absent(r, r.target, err)
	}
	return reply(w, http.StatusOK, tagDocument(o.Metadata.Tags))
}

func (s *Service) putObjectTagging(w http.ResponseWriter, r *request) error {
	var body tagging
	if err := readRequired(r, &body); err != nil {
		return err
	}
	keys, err := s.existingTags(r, r.target, r.key)
	if err != nil {
		return err
	}
	for _, one := range body.TagSet.Tag {
		requestTags(keys, map[string]string{one.Key: one.Value})
	}
	if err := s.allow(r, r.key, "PutObjectTagging", keys); err != nil {
		return err
	}
	tags, err := body.tags(maxObjectTags)
	if err != nil {
		return err
	}
	return s.setTags(w, r, http.StatusOK, tags)
}

func (s *Service) deleteObjectTagging(w http.ResponseWriter, r *request) error {
	return s.setTags(w, r, http.StatusNoContent, nil)
}

func (s *Service) setTags(w http.ResponseWriter, r *request, status int, tags map[string]string) error {
	if err := s.store.SetTags(r.Context(), r.bucket, r.key, tags); err != nil {
		return s.absent(r, r.target, err)
	}
	w.WriteHeader(status)
	return nil
}

// copyTags gives a copy the tags of its source, or the request's. Taking them over is reading and writing them.
func (s *Service) copyTags(r *request, from objects.Object, meta *objects.Metadata) (err error) {
	switch directive := r.header.Get("X-Amz-Tagging-Directive"); directive {
	case "", "COPY":
		meta.Tags = from.Metadata.Tags
	case "REPLACE":
		meta.Tags, err = headerTags(r.header.Get("X-Amz-Tagging"))
		return err
	default:
		return invalidArgument("Unknown tagging directive.", "x-amz-tagging-directive", directive)
	}
	if len(meta.Tags) == 0 {
		return nil
	}
	existing, err := s.existingTags(r, r.source.bucket, r.source.key)
	if err != nil {
		return err
	}
	maps.Copy(existing, r.signed())
	if err := r.call.Authorize(r.Context(), s.rules.Access(r.call.Caller, r.source.bucket, r.source.key, "s3:GetObjectTagging", existing)); err != nil {
		return err
	}
	wanted := map[string][]string{}
	requestTags(wanted, meta.Tags)
	return s.allow(r, r.key, "PutObjectTagging", wanted)
}
