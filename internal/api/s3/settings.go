package s3

import (
	"net/http"
)

// methods are the operations on one subresource.
type methods map[string]row

// settings returns the operations on one of a bucket's settings.
func settings(name, get, put, remove string, run [3]operation) methods {
	m := methods{
		http.MethodGet: {action: "Get" + name, needs: []string{get}, run: run[0]},
		http.MethodPut: {action: "Put" + name, needs: []string{put}, run: run[1]},
	}
	if remove != "" {
		m[http.MethodDelete] = row{action: "Delete" + name, needs: []string{remove}, run: run[2]}
	}
	return m
}

// missing answers that a bucket has no such configuration.
func missing(action, need, code, message string) methods {
	return methods{http.MethodGet: {action: action, needs: []string{need}, run: func(_ *Service, _ http.ResponseWriter, r *request) error {
		return s3error(404, code, message).With("BucketName", r.bucket)
	}}}
}

// fixed answers with a document.
func fixed(action, need string, doc func(r *request) any) methods {
	return methods{http.MethodGet: {action: action, needs: []string{need}, run: func(s *Service, w http.ResponseWriter, r *request) error {
		if r.key != "" {
			if _, err := s.store.Head(r.Context(), r.bucket, r.key); err != nil {
				return s.absent(r, r.target, err)
			}
		}
		return reply(w, http.StatusOK, doc(r))
	}}}
}

// bucketSettings are the subresources of buckets. What every bucket has here, and none can change, can be read.
var bucketSettings = map[string]methods{
	"policy": settings("BucketPolicy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy",
		[3]operation{(*Service).getBucketPolicy, (*Service).putBucketPolicy, (*Service).deleteBucketPolicy}),
	"policyStatus": {http.MethodGet: {action: "GetBucketPolicyStatus", needs: []string{"GetBucketPolicyStatus"}, run: (*Service).getBucketPolicyStatus}},
	"publicAccessBlock": settings("PublicAccessBlock", "GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock", "PutBucketPublicAccessBlock",
		[3]operation{(*Service).getPublicAccessBlock, (*Service).putPublicAccessBlock, (*Service).deletePublicAccessBlock}),
	"encryption": settings("BucketEncryption", "GetEncryptionConfiguration", "PutEncryptionConfiguration", "PutEncryptionConfiguration",
		[3]operation{(*Service).getBucketEncryption, (*Service).putBucketEncryption, (*Service).deleteBucketEncryption}),
	"tagging": settings("BucketTagging", "GetBucketTagging", "PutBucketTagging", "PutBucketTagging",
		[3]operation{(*Service).getBucketTagging, (*Service).putBucketTagging, (*Service).deleteBucketTagging}),

	"versioning":     fixed("GetBucketVersioning", "GetBucketVersioning", empty("VersioningConfiguration")),
	"accelerate":     fixed("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration", empty("AccelerateConfiguration")),
	"logging":        fixed("GetBucketLogging", "GetBucketLogging", empty("BucketLoggingStatus")),
	"notification":   fixed("GetBucketNotificationConfiguration", "GetBucketNotification", empty("NotificationConfiguration")),
	"requestPayment": fixed("GetBucketRequestPayment", "GetBucketRequestPayment", func(*request) any { return requestPayment{Xmlns: namespace, Payer: "BucketOwner"} }),
	"acl":            fixed("GetBucketAcl", "GetBucketAcl", func(r *request) any { return ownerOnly(r) }),
	"ownershipControls": fixed("GetBucketOwnershipControls", "GetBucketOwnershipControls", func(*request) any {
		return ownershipControls{Xmlns: namespace, ObjectOwnership: "BucketOwnerEnforced"}
	}),

	"cors":        missing("GetBucketCors", "GetBucketCORS", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
	"lifecycle":   missing("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
	"website":     missing("GetBucketWebsite", "GetBucketWebsite", "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
	"replication": missing("GetBucketReplication", "GetReplicationConfiguration", "ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
	"object-lock": missing("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
}

// objectSettings are the subresources of objects.
var objectSettings = map[string]methods{
	"acl": fixed("GetObjectAcl", "GetObjectAcl", func(r *request) any { return ownerOnly(r) }),
	"tagging": {
		http.MethodGet:    {action: "GetObjectTagging", needs: []string{"GetObjectTagging"}, tagged: true, run: (*Service).getObjectTagging},
		http.MethodPut:    {action: "PutObjectTagging", run: (*Service).putObjectTagging},
		http.MethodDelete: {action: "DeleteObjectTagging", needs: []string{"DeleteObjectTagging"}, tagged: true, run: (*Service).deleteObjectTagging},
	},
}
