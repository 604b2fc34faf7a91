package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"time"

	"github.com/dictum/dictum/internal/objects"
)

// namespace is that of all documents but errors.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

const timeLayout = "2006-01-02T15:04:05.000Z"

func isoTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(timeLayout) }

// The documents, as the API reference of each operation has them.
type (
	owner struct {
		ID string
	}
	listAllMyBuckets struct {
		XMLName           xml.Name      `xml:"ListAllMyBucketsResult"`
		Xmlns             string        `xml:"xmlns,attr"`
		Owner             owner         `xml:"Owner"`
		Buckets           []bucketEntry `xml:"Buckets>Bucket"`
		ContinuationToken string        `xml:",omitempty"`
		Prefix            string        `xml:",omitempty"`
	}
	bucketEntry struct {
		Name         string
		CreationDate string
		BucketRegion string
	}
	locationConstraint struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		Xmlns   string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}
	contents struct {
		Key               string
		LastModified      string
		ETag              string
		ChecksumAlgorithm string `xml:",omitempty"`
		ChecksumType      string `xml:",omitempty"`
		Size              int64
		Owner             *owner `xml:",omitempty"`
		StorageClass      string
	}
	commonPrefix struct{ Prefix string }
	listBucketV1 struct {
		XMLName        xml.Name `xml:"ListBucketResult"`
		Xmlns          string   `xml:"xmlns,attr"`
		Name           string
		Prefix         string
		Marker         string
		NextMarker     string `xml:",omitempty"`
		MaxKeys        int
		Delimiter      string `xml:",omitempty"`
		EncodingType   string `xml:",omitempty"`
		IsTruncated    bool
		Contents       []contents
		CommonPrefixes []commonPrefix
	}
	listBucketV2 struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Xmlns                 string   `xml:"xmlns,attr"`
		Name                  string
		Prefix                string
		StartAfter            string `xml:",omitempty"`
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		KeyCount              int
		MaxKeys               int
		Delimiter             string `xml:",omitempty"`
		EncodingType          string `xml:",omitempty"`
		IsTruncated           bool
		Contents              []contents
		CommonPrefixes        []commonPrefix
	}
	// checksums are the elements that carry one checksum in a document.
	checksums struct {
		ChecksumCRC32     string `xml:",omitempty"`
		ChecksumCRC32C    string `xml:",omitempty"`
		ChecksumCRC64NVME string `xml:",omitempty"`
		ChecksumSHA1      string `xml:",omitempty"`
		ChecksumSHA256    string `xml:",omitempty"`
	}
	copyResult struct {
		XMLName      xml.Name
		Xmlns        string `xml:"xmlns,attr"`
		LastModified string
		ETag         string
		ChecksumType string `xml:",omitempty"`
		checksums
	}
	initiateResult struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns    string   `xml:"xmlns,attr"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}
	completeResult struct {
		XMLName      xml.Name `xml:"CompleteMultipartUploadResult"`
		Xmlns        string   `xml:"xmlns,attr"`
		Location     string
		Bucket       string
		Key          string
		ETag         string
		ChecksumType string `xml:",omitempty"`
		checksums
	}
	listPartsResult struct {
		XMLName              xml.Name `xml:"ListPartsResult"`
		Xmlns                string   `xml:"xmlns,attr"`
		Bucket               string
		Key                  string
		UploadID             string `xml:"UploadId"`
		Initiator            owner
		Owner                owner
		StorageClass         string
		PartNumberMarker     int
		NextPartNumberMarker int
		MaxParts             int
		IsTruncated          bool
		ChecksumAlgorithm    string `xml:",omitempty"`
		ChecksumType         string `xml:",omitempty"`
		Part                 []partEntry
	}
	partEntry struct {
		PartNumber   int
		LastModified string
		ETag         string
		Size         int64
		checksums
	}
	listUploadsResult struct {
		XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
		Xmlns              string   `xml:"xmlns,attr"`
		Bucket             string
		KeyMarker          string
		UploadIDMarker     string `xml:"UploadIdMarker"`
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
		Prefix             string `xml:",omitempty"`
		Delimiter          string `xml:",omitempty"`
		EncodingType       string `xml:",omitempty"`
		MaxUploads         int
		IsTruncated        bool
		Upload             []uploadEntry
		CommonPrefixes     []commonPrefix
	}
	uploadEntry struct {
		Key               string
		UploadID          string `xml:"UploadId"`
		Initiator         owner
		Owner             owner
		StorageClass      string
		Initiated         string
		ChecksumAlgorithm string `xml:",omitempty"`
		ChecksumType      string `xml:",omitempty"`
	}
	deleteResult struct {
		XMLName xml.Name       `xml:"DeleteResult"`
		Xmlns   string         `xml:"xmlns,attr"`
		Deleted []deletedEntry `xml:"Deleted"`
		Error   []deleteError  `xml:"Error"`
	}
	deletedEntry struct{ Key string }
	deleteError  struct {
		Key       string
		VersionID string `xml:"VersionId,omitempty"`
		Code      string
		Message   string
	}
	objectAttributes struct {
		XMLName      xml.Name            `xml:"GetObjectAttributesResponse"`
		Xmlns        string              `xml:"xmlns,attr"`
		ETag         string              `xml:",omitempty"`
		Checksum     *attributesChecksum `xml:",omitempty"`
		StorageClass string              `xml:",omitempty"`
		ObjectSize   *int64              `xml:",omitempty"`
	}
	attributesChecksum struct {
		checksums
		ChecksumType string `xml:",omitempty"`
	}
	emptyDocument struct {
		XMLName xml.Name
		Xmlns   string `xml:"xmlns,attr"`
	}
	requestPayment struct {
		XMLName xml.Name `xml:"RequestPaymentConfiguration"`
		Xmlns   string   `xml:"xmlns,attr"`
		Payer   string
	}
	ownershipControls struct {
		XMLName         xml.Name `xml:"OwnershipControls"`
		Xmlns           string   `xml:"xmlns,attr"`
		ObjectOwnership string   `xml:"Rule>ObjectOwnership"`
	}
	tagging struct {
		XMLName xml.Name `xml:"Tagging"`
		Xmlns   string   `xml:"xmlns,attr"`
		TagSet  tagSet
	}
	tagSet struct {
		Tag []tag
	}
	tag struct {
		Key, Value string
	}
	encryption struct {
		XMLName xml.Name         `xml:"ServerSideEncryptionConfiguration"`
		Xmlns   string           `xml:"xmlns,attr"`
		Rule    []encryptionRule `xml:"Rule"`
	}
	encryptionRule struct {
		Default          *encryptionDefault `xml:"ApplyServerSideEncryptionByDefault"`
		BucketKeyEnabled bool
		Blocked          *struct{} `xml:"BlockedEncryptionTypes"`
	}
	encryptionDefault struct {
		SSEAlgorithm   string
		KMSMasterKeyID string `xml:",omitempty"`
	}
	policyStatus struct {
		XMLName  xml.Name `xml:"PolicyStatus"`
		Xmlns    string   `xml:"xmlns,attr"`
		IsPublic bool
	}
	publicAccessBlock struct {
		XMLName xml.Name `xml:"PublicAccessBlockConfiguration"`
		Xmlns   string   `xml:"xmlns,attr"`
		objects.PublicAccessBlock
	}
	accessControl struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   owner
		Grants  []grant `xml:"AccessControlList>Grant"`
	}
	grant struct {
		Grantee    grantee
		Permission string
	}
	grantee struct {
		Xsi  string `xml:"xmlns:xsi,attr"`
		Type string `xml:"xsi:type,attr"`
		ID   string
	}
)

func checksumOf(algorithm, value string) (c checksums) {
	switch algorithm {
	case "CRC32":
		c.ChecksumCRC32 = value
	case "CRC32C":
		c.ChecksumCRC32C = value
	case "CRC64NVME":
		c.ChecksumCRC64NVME = value
	case "SHA1":
		c.ChecksumSHA1 = value
	case "SHA256":
		c.ChecksumSHA256 = value
	}
	return c
}

// value returns the one checksum that is set.
func (c checksums) value() (algorithm, value string) {
	for _, one := range [][2]string{
		{"CRC32", c.ChecksumCRC32},
		{"CRC32C", c.ChecksumCRC32C},
		{"CRC64NVME", c.ChecksumCRC64NVME},
		{"SHA1", c.ChecksumSHA1},
		{"SHA256", c.ChecksumSHA256},
	} {
		if one[1] != "" {
			return one[0], one[1]
		}
	}
	return "", ""
}

func empty(name string) func(*request) any {
	return func(*request) any { return emptyDocument{XMLName: xml.Name{Local: name}, Xmlns: namespace} }
}

// canonicalID is the account's canonical user id: 64 hex digits that do not show the account.
func canonicalID(accountID string) string {
	sum := sha256.Sum256([]byte("canonical user " + accountID))
	return hex.EncodeToString(sum[:])
}

func ownerOnly(r *request) accessControl {
	id := canonicalID(r.target.AccountID)
	return accessControl{Xmlns: namespace, Owner: owner{id}, Grants: []grant{{
		Grantee:    grantee{Xsi: "http://www.w3.org/2001/XMLSchema-instance", Type: "CanonicalUser", ID: id},
		Permission: "FULL_CONTROL",
	}}}
}

// maxDocument is the largest XML body in bytes: 10,000 parts with checksums, or 1,000 escaped keys.
const maxDocument = 8 << 20

// readRequired reads an XML body that must be there.
func readRequired(r *request, doc any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	return decodeDocument(body, doc)
}

// readDocument reads an XML body to its verified end and decodes it; an empty one leaves doc as it is.
func readDocument(r *request, doc any) error {
	body, err := readBody(r)
	if err != nil || len(body) == 0 {
		return err
	}
	return decodeDocument(body, doc)
}

func readBody(r *request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, errMalformedXML
	}
	return body, nil
}

func decodeDocument(body []byte, doc any) error {
	if err := xml.Unmarshal(body, doc); err != nil {
		return errMalformedXML
	}
	return nil
}
