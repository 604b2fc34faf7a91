package s3

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/objects/guarded"
)

// The headers of server-side encryption.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
const (
	headerEncryption = "x-amz-server-side-encryption"
	headerKeyID      = "x-amz-server-side-encryption-aws-kms-key-id"
	headerContext    = "x-amz-server-side-encryption-context"
	headerBucketKey  = "x-amz-server-side-encryption-bucket-key-enabled"
)

// maxContext is the most that an encryption context has in its header, in bytes.
const maxContext = 8 << 10

// checkEncryption refuses headers of encryption where they mean nothing, as S3 does, and more than one of each: what policies see
// must be what is done.
func (r *request) checkEncryption() error {
	for _, name := range []string{headerEncryption, headerKeyID, headerContext, headerBucketKey} {
		values := r.header.Values(name)
		if len(values) == 0 {
			continue
		}
		if r.key != "" && !writes[r.action] {
			return invalidArgument(name+" header is not supported for this operation.", name, values[0])
		}
		if len(values) > 1 {
			return invalidArgument("The header "+name+" occurs more than once.", name, values[0])
		}
	}
	return nil
}

// wish returns how the request wants its object to be encrypted.
func (r *request) wish() (w guarded.Wish, err error) {
	w.Algorithm, w.Key = r.header.Get(headerEncryption), r.header.Get(headerKeyID)
	switch w.Algorithm {
	case "", guarded.AES256, guarded.KMS:
	case "aws:kms:dsse":
		return w, notImplemented(headerEncryption)
	default:
		return w, invalidArgument("The encryption method specified is not supported", headerEncryption, w.Algorithm)
	}
	if w.Algorithm != guarded.KMS {
		for _, name := range []string{headerKeyID, headerContext} {
			if r.header.Get(name) != "" {
				return w, invalidArgument("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms", headerEncryption, w.Algorithm)
			}
		}
	}
	if w.Context, err = decodeContext(r.header.Get(headerContext), objects.ARN(r.bucket, r.key)); err != nil {
		return w, err
	}
	switch enabled := r.header.Get(headerBucketKey); enabled {
	case "":
	case "true", "false", "True", "False":
		on := enabled[1] == 'r'
		w.BucketKey = &on
	default:
		return w, invalidArgument("Value for x-amz-server-side-encryption-bucket-key-enabled must be true or false.", headerBucketKey, enabled)
	}
	return w, nil
}

// decodeContext reads the pairs of a context's header. S3's own pair may be there, if it is right.
func decodeContext(header, arn string) (kms.Context, error) {
	if header == "" {
		return nil, nil
	}
	refusal := invalidArgument("The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map", headerContext, header)
	plain, err := base64.StdEncoding.DecodeString(header)
	if err != nil || len(plain) > maxContext {
		return nil, refusal
	}
	var given map[string]*string
	if err := json.Unmarshal(plain, &given); err != nil || given == nil {
		return nil, refusal
	}
	pairs := make(kms.Context, len(given))
	for name, value := range given {
		if value == nil || name == "" {
			return nil, refusal
		}
		pairs[name] = *value
	}
	if own, ok := pairs[objects.ContextKey]; ok {
		if own != arn {
			return nil, invalidArgument("The encryption context's aws:s3:arn must be the ARN of the object", headerContext, header)
		}
		delete(pairs, objects.ContextKey)
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	return pairs, nil
}

// encryption decides how the request's object shall be encrypted.
func (s *Service) encryption(r *request) (objects.Encryption, error) {
	w, err := r.wish()
	if err != nil {
		return objects.Encryption{}, err
	}
	return s.rules.Encryption(r.Context(), r.call.Caller, r.target, r.key, w)
}

// setEncrypted says how an object is encrypted at rest, as every one is.
func setEncrypted(h http.Header, e objects.Encryption) {
	if !e.Customer() {
		h.Set(headerEncryption, guarded.AES256)
		return
	}
	h.Set(headerEncryption, guarded.KMS)
	h.Set(headerKeyID, e.KeyARN)
	if e.BucketKey {
		h.Set(headerBucketKey, "true")
	}
}

// stored answers, and tells the audit, how what was written is encrypted.
func (r *request) stored(h http.Header, e objects.Encryption) {
	setEncrypted(h, e)
	elements := map[string]any{}
	for _, name := range []string{headerEncryption, headerKeyID, headerBucketKey} {
		if v := h.Get(name); v != "" {
			elements[name] = v
		}
	}
	r.call.Response = elements
}

// setContext repeats the client's encryption context.
func setContext(h http.Header, e objects.Encryption) error {
	if len(e.Context) == 0 {
		return nil
	}
	b, err := json.Marshal(e.Context)
	h.Set(headerContext, base64.StdEncoding.EncodeToString(b))
	return err
}

// encryptionDocument shows a bucket's default.
func encryptionDocument(e objects.Encryption) encryption {
	rule := encryptionRule{Default: &encryptionDefault{SSEAlgorithm: guarded.AES256}, BucketKeyEnabled: e.BucketKey}
	if e.Customer() {
		rule.Default.SSEAlgorithm = guarded.KMS
		if e.KeyARN != guarded.ManagedKey {
			rule.Default.KMSMasterKeyID = e.KeyARN
		}
	}
	return encryption{Xmlns: namespace, Rule: []encryptionRule{rule}}
}

// encryption returns the default that a document wants. As in S3, whether the key exists shows when it is used.
func (d encryption) encryption() (e objects.Encryption, err error) {
	if len(d.Rule) != 1 {
		return e, errMalformedXML
	}
	rule := d.Rule[0]
	if rule.Blocked != nil {
		return e, notImplemented("BlockedEncryptionTypes")
	}
	e.BucketKey = rule.BucketKeyEnabled
	if rule.Default == nil {
		return e, nil
	}
	switch id := rule.Default.KMSMasterKeyID; rule.Default.SSEAlgorithm {
	case guarded.KMS:
		if e.KeyARN = id; id == "" {
			e.KeyARN = guarded.ManagedKey
		}
	case guarded.AES256:
		if id != "" {
			return e, invalidArgument("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse", "KMSMasterKeyID", id)
		}
	case "aws:kms:dsse":
		return e, notImplemented("SSEAlgorithm")
	default:
		return e, errMalformedXML
	}
	return e, nil
}
