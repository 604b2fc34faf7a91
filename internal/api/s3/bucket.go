package s3

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/objects"
)

const firstRegion = "us-east-1"

var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)

func (s *Service) listBuckets(w http.ResponseWriter, r *request) error {
	limit, err := r.number("max-buckets", 10_000, 10_000)
	if err != nil {
		return err
	}
	after, err := decodeToken(r.query.Get("continuation-token"))
	if err != nil {
		return err
	}
	all, err := s.store.ListBuckets(r.Context(), r.call.Principal.AccountID)
	if err != nil {
		return err
	}
	doc := listAllMyBuckets{Xmlns: namespace, Owner: owner{canonicalID(r.call.Principal.AccountID)}, Prefix: r.query.Get("prefix")}
	for _, b := range all {
		region := r.query.Get("bucket-region")
		if b.Name <= after || !strings.HasPrefix(b.Name, doc.Prefix) || (region != "" && region != b.Region) {
			continue
		}
		if len(doc.Buckets) == limit {
			doc.ContinuationToken = encodeToken(doc.Buckets[limit-1].Name)
			break
		}
		doc.Buckets = append(doc.Buckets, bucketEntry{Name: b.Name, CreationDate: isoTime(b.Created), BucketRegion: b.Region})
	}
	return reply(w, http.StatusOK, doc)
}

func (s *Service) createBucket(w http.ResponseWriter, r *request) error {
	if !validBucketName(r.bucket) {
		return errInvalidBucketName.With("BucketName", r.bucket)
	}
	var body struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
		Location           *struct{}
		Bucket             *struct{}
	}
	if err := readDocument(r, &body); err != nil {
		return err
	}
	keys := r.conditions()
	if body.LocationConstraint != "" {
		keys["s3:locationconstraint"] = []string{body.LocationConstraint}
	}
	if err := r.call.Authorize(r.Context(), iam.Access{Action: "s3:CreateBucket", Resource: objects.ARN(r.bucket, ""), Keys: keys}); err != nil {
		return err
	}
	if body.Location != nil || body.Bucket != nil {
		return notImplemented("CreateBucketConfiguration")
	}
	if objects.IsServiceBucket(r.bucket) {
		return objects.ErrBucketExists
	}
	region, err := bucketRegion(body.LocationConstraint, r.call.Region)
	if err != nil {
		return err
	}
	blocked := objects.BlockAll
	err = s.store.CreateBucket(r.Context(), objects.Bucket{
		Name: r.bucket, AccountID: r.call.Principal.AccountID, Region: region, Created: r.call.Time, Settings: objects.Settings{Block: &blocked},
	})
	// Long ago creating a bucket again was fine in the first region, and still is.
	if errors.Is(err, objects.ErrBucketOwned) && region == firstRegion {
		existing, lookup := s.store.Bucket(r.Context(), r.bucket)
		if lookup == nil && existing.Region == firstRegion {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/"+r.bucket)
	w.WriteHeader(http.StatusOK)
	return nil
}

// bucketRegion returns where a bucket shall be, by the location constraint and the endpoint's region.
func bucketRegion(constraint, endpoint string) (string, error) {
	switch {
	case constraint == "" && endpoint == firstRegion:
		return firstRegion, nil
	case constraint == "":
		return "", illegalLocation("unspecified", "")
	case constraint == "EU":
		constraint = "eu-west-1"
	case constraint == firstRegion && endpoint == firstRegion, !regionName.MatchString(constraint):
		return "", errInvalidLocation.With("LocationConstraint", constraint)
	}
	// The first region's endpoint is the global one: it makes buckets anywhere.
	if constraint != endpoint && endpoint != firstRegion {
		return "", illegalLocation(constraint, constraint)
	}
	return constraint, nil
}

func illegalLocation(name, constraint string) error {
	err := s3error(400, "IllegalLocationConstraintException",
		"The "+name+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	if constraint != "" {
		err = err.With("LocationConstraint", constraint)
	}
	return err
}

var (
	bucketName     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	bucketPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	bucketSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// validBucketName tells whether a new bucket may have the name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func validBucketName(name string) bool {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") || net.ParseIP(name) != nil {
		return false
	}
	for _, p := range bucketPrefixes {
		if strings.HasPrefix(name, p) {
			return false
		}
	}
	for _, suffix := range bucketSuffixes {
		if strings.HasSuffix(name, suffix) {
			return false
		}
	}
	return true
}

func (*Service) headBucket(w http.ResponseWriter, r *request) error {
	w.Header().Set("X-Amz-Bucket-Region", r.target.Region)
	w.Header().Set("X-Amz-Access-Point-Alias", "false")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusOK)
	return nil
}

func (*Service) getBucketLocation(w http.ResponseWriter, r *request) error {
	doc := locationConstraint{Xmlns: namespace, Region: r.target.Region}
	if doc.Region == firstRegion {
		doc.Region = ""
	}
	return reply(w, http.StatusOK, doc)
}

func (s *Service) deleteBucket(w http.ResponseWriter, r *request) error {
	if err := s.store.DeleteBucket(r.Context(), r.bucket); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// number returns a parameter between 0 and most, which larger values are lowered to.
func (r *request) number(name string, otherwise, most int) (int, error) {
	if !r.query.Has(name) || r.query.Get(name) == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(r.query.Get(name), 10, 32)
	if err != nil || n < 0 {
		return 0, invalidArgument("Provided "+name+" not an integer or within integer range", name, r.query.Get(name))
	}
	return min(int(n), most), nil
}

// Continuation tokens hold where to go on. They are no secret and prove nothing.
func encodeToken(next string) string { return base64.URLEncoding.EncodeToString([]byte("1" + next)) }

func decodeToken(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != '1' {
		return "", invalidArgument("The continuation token provided is incorrect", "continuation-token", token)
	}
	return string(b[1:]), nil
}
