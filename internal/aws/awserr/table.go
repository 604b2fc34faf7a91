package awserr

// Kind says what went wrong before a service's own rules applied.
type Kind string

// The kinds, in the order in which a request meets them.
const (
	// MissingAuth: the request is not signed.
	MissingAuth Kind = "missing authentication"
	// TwoMechanisms: signed by header and by query at once. Detail: ArgumentName, ArgumentValue.
	TwoMechanisms Kind = "two authentication mechanisms"
	// UnsupportedMechanism: signed by something that is not AWS4-HMAC-SHA256.
	UnsupportedMechanism Kind = "unsupported authentication mechanism"
	// MalformedHeader: the Authorization header or a header it needs can't be parsed. Details:
	// json (sentence as JSON and query services put it), s3 (the same, S3's way).
	MalformedHeader Kind = "malformed authorization header"
	// MalformedQuery: the presigned parameters can't be parsed. Detail: s3, json.
	MalformedQuery Kind = "malformed authorization query"
	// BadDate: X-Amz-Date and Date are missing or unreadable. Detail: json.
	BadDate Kind = "bad date"
	// MissingPayloadHash: S3 needs x-amz-content-sha256.
	MissingPayloadHash Kind = "missing payload hash"
	// BadPayloadHash: x-amz-content-sha256 is neither a hash nor a known token. Detail: ArgumentValue.
	BadPayloadHash Kind = "bad payload hash"
	// WrongScope: the credential scope is not for this service. Details: json, s3.
	WrongScope Kind = "wrong credential scope"
	// UnsignedHeaders: headers that must be signed are not. Detail: HeadersNotSigned.
	UnsignedHeaders Kind = "headers not signed"
	// UnknownKey: no such access key. Detail: AWSAccessKeyId.
	UnknownKey Kind = "unknown access key"
	// BadToken: the session token is missing, wrong, or sent with a long-term key. Detail: Token-0.
	BadToken Kind = "bad session token"
	// ExpiredToken: the temporary credential has ended. Detail: Token-0.
	ExpiredToken Kind = "expired session token"
	// Expired: signed too long ago. Details: signed, oldest, now (compact times), RequestTime,
	// ServerTime, MaxAllowedSkewMilliseconds.
	Expired Kind = "signature expired"
	// NotYetCurrent: signed in the future. Details as Expired, with newest instead of oldest.
	NotYetCurrent Kind = "signature not yet current"
	// ExpiredURL: a presigned URL is past its end. Details: X-Amz-Expires, Expires, ServerTime.
	ExpiredURL Kind = "presigned URL expired"
	// WrongSignature: the signature differs. Details: AWSAccessKeyId, StringToSign, SignatureProvided,
	// StringToSignBytes, CanonicalRequest, CanonicalRequestBytes.
	WrongSignature Kind = "wrong signature"
	// WrongPayloadHash: the body does not have the signed hash. Details: ClientComputedContentSHA256,
	// S3ComputedContentSHA256.
	WrongPayloadHash Kind = "payload hash mismatch"
	// WrongChunkSignature: an aws-chunked chunk or trailer is signed wrongly.
	WrongChunkSignature Kind = "wrong chunk signature"
	// BadChunk: aws-chunked framing is broken or exceeds its bounds. Detail: reason.
	BadChunk Kind = "malformed chunk"
	// BadTrailer: the trailer is malformed or not the announced one.
	BadTrailer Kind = "malformed trailer"
	// BadDigest: Content-MD5 or a checksum does not match the body. Detail: algorithm.
	BadDigest Kind = "checksum mismatch"
	// InvalidDigest: Content-MD5 is not an MD5. Detail: Content-MD5.
	InvalidDigest Kind = "invalid Content-MD5"
	// InvalidChecksum: an x-amz-checksum-* value or algorithm is not one. Detail: reason.
	InvalidChecksum Kind = "invalid checksum"
	// IncompleteBody: the body is shorter or longer than announced.
	IncompleteBody Kind = "incomplete body"
	// MissingLength: an aws-chunked body without x-amz-decoded-content-length.
	MissingLength Kind = "missing content length"
	// BodyTooLarge: more than the gateway reads for this service. Detail: limit (bytes).
	BodyTooLarge Kind = "body too large"
	// SlowBody: the body did not arrive in time.
	SlowBody Kind = "body too slow"
	// BadURI: the path or query has a broken escape. Detail: URI.
	BadURI Kind = "invalid URI"
	// NotAuthorized: the policy says no. Details: principal, action, resource, reason.
	NotAuthorized Kind = "not authorized"
	// UnknownOperation: the service has no such operation. Detail: operation.
	UnknownOperation Kind = "unknown operation"
	// Serialization: the body is not what the protocol needs. Detail: reason.
	Serialization Kind = "serialization"
	// Throttled: too many requests.
	Throttled Kind = "throttled"
	// Unavailable: the server is stopping or overloaded; try again.
	Unavailable Kind = "unavailable"
	// Internal: our own fault.
	Internal Kind = "internal failure"
)

// The texts that several cells share.
const (
	textBadToken  = "The security token included in the request is invalid."
	textSignature = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textExpired   = "Signature expired: {signed} is now earlier than {oldest} ({now} - 15 min.)"
	textFuture    = "Signature not yet current: {signed} is still later than {newest} ({now} + 15 min.)"
	textSkewS3    = "The difference between the request time and the current time is too large."
	textDenied    = "User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}"
	textDeniedS3  = "User: {principal} is not authorized to perform: {action} on resource: \"{resource}\" {reason}"
	textURLExpiry = "Signature expired: {signed} is now earlier than {oldest}"
	textTwoMechs  = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
	textInternal  = "We encountered an internal error. Please try again."
)

// table says what clients of each protocol see: spec auth-and-security.md §1.4; S3's "Error
// responses" page; the Query API's "Common error types". Cells AWS does not document (a JSON
// service that is sent a chunked body, say) take the nearest documented code.
var table = map[Kind][3]shape{
	MissingAuth: {
		JSON:  {code: "MissingAuthenticationTokenException", status: 400, text: "Missing Authentication Token"},
		S3:    {code: "AccessDenied", status: 403, text: "Access Denied"},
		Query: {code: "MissingAuthenticationToken", status: 403, text: "Request is missing Authentication Token"},
	},
	TwoMechanisms: {
		JSON:  {code: "IncompleteSignatureException", status: 400, text: textTwoMechs},
		S3:    {code: "InvalidArgument", status: 400, text: textTwoMechs, fields: []string{"ArgumentName", "ArgumentValue"}},
		Query: {code: "IncompleteSignature", status: 400, text: textTwoMechs},
	},
	UnsupportedMechanism: {
		JSON:  {code: "IncompleteSignatureException", status: 400, text: "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is supported."},
		S3:    {code: "InvalidRequest", status: 400, text: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
		Query: {code: "IncompleteSignature", status: 400, text: "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is supported."},
	},
	MalformedHeader: {
		JSON:  {code: "IncompleteSignatureException", status: 400, text: "{json}"},
		S3:    {code: "AuthorizationHeaderMalformed", status: 400, text: "The authorization header is malformed; {s3}"},
		Query: {code: "IncompleteSignature", status: 400, text: "{json}"},
	},
	MalformedQuery: {
		JSON:  {code: "IncompleteSignatureException", status: 400, text: "{json}"},
		S3:    {code: "AuthorizationQueryParametersError", status: 400, text: "{s3}"},
		Query: {code: "IncompleteSignature", status: 400, text: "{json}"},
	},
	BadDate: {
		JSON:  {code: "IncompleteSignatureException", status: 400, text: "{json}"},
		S3:    {code: "AccessDenied", status: 403, text: "AWS authentication requires a valid Date or x-amz-date header"},
		Query: {code: "IncompleteSignature", status: 400, text: "{json}"},
	},
	MissingPayloadHash: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: "Missing required header for this request: x-amz-content-sha256"},
		S3:    {code: "InvalidRequest", status: 400, text: "Missing required header for this request: x-amz-content-sha256"},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: "Missing required header for this request: x-amz-content-sha256"},
	},
	BadPayloadHash: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: textSignature},
		S3:    {code: "InvalidArgument", status: 400, text: "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.", fields: []string{"ArgumentName", "ArgumentValue"}},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textSignature},
	},
	WrongScope: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: "{json}"},
		S3:    {code: "AuthorizationHeaderMalformed", status: 400, text: "The authorization header is malformed; {s3}"},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: "{json}"},
	},
	UnsignedHeaders: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: "There were headers present in the request which were not signed: {HeadersNotSigned}"},
		S3:    {code: "AccessDenied", status: 403, text: "There were headers present in the request which were not signed", fields: []string{"HeadersNotSigned"}},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: "There were headers present in the request which were not signed: {HeadersNotSigned}"},
	},
	UnknownKey: {
		JSON:  {code: "UnrecognizedClientException", status: 400, text: textBadToken},
		S3:    {code: "InvalidAccessKeyId", status: 403, text: "The AWS Access Key Id you provided does not exist in our records.", fields: []string{"AWSAccessKeyId"}},
		Query: {code: "InvalidClientTokenId", status: 403, text: textBadToken},
	},
	BadToken: {
		JSON:  {code: "UnrecognizedClientException", status: 400, text: textBadToken},
		S3:    {code: "InvalidToken", status: 400, text: "The provided token is malformed or otherwise invalid.", fields: []string{"Token-0"}},
		Query: {code: "InvalidClientTokenId", status: 403, text: textBadToken},
	},
	ExpiredToken: {
		JSON:  {code: "ExpiredTokenException", status: 400, text: "The security token included in the request is expired"},
		S3:    {code: "ExpiredToken", status: 400, text: "The provided token has expired.", fields: []string{"Token-0"}},
		Query: {code: "ExpiredToken", status: 403, text: "The security token included in the request is expired"},
	},
	Expired: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: textExpired},
		S3:    {code: "RequestTimeTooSkewed", status: 403, text: textSkewS3, fields: []string{"RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"}},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textExpired},
	},
	NotYetCurrent: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: textFuture},
		S3:    {code: "RequestTimeTooSkewed", status: 403, text: textSkewS3, fields: []string{"RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"}},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textFuture},
	},
	ExpiredURL: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: textURLExpiry},
		S3:    {code: "AccessDenied", status: 403, text: "Request has expired", fields: []string{"X-Amz-Expires", "Expires", "ServerTime"}},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textURLExpiry},
	},
	WrongSignature: {
		JSON: {code: "InvalidSignatureException", status: 400, text: textSignature},
		S3: {
			code: "SignatureDoesNotMatch", status: 403,
			text:   "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
			fields: []string{"AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes"},
		},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textSignature},
	},
	WrongPayloadHash: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: textSignature},
		S3:    {code: "XAmzContentSHA256Mismatch", status: 400, text: "The provided 'x-amz-content-sha256' header does not match what was computed.", fields: []string{"ClientComputedContentSHA256", "S3ComputedContentSHA256"}},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textSignature},
	},
	WrongChunkSignature: {
		JSON:  {code: "InvalidSignatureException", status: 400, text: textSignature},
		S3:    {code: "SignatureDoesNotMatch", status: 403, text: "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
		Query: {code: "SignatureDoesNotMatch", status: 403, text: textSignature},
	},
	BadChunk: {
		JSON:  {code: "SerializationException", status: 400, text: "The chunked body is malformed: {reason}."},
		S3:    {code: "InvalidRequest", status: 400, text: "The chunked body is malformed: {reason}."},
		Query: {code: "MalformedQueryString", status: 400, text: "The chunked body is malformed: {reason}."},
	},
	BadTrailer: {
		JSON:  {code: "SerializationException", status: 400, text: "The request contained trailing data that was not well-formed or did not conform to our published schema."},
		S3:    {code: "MalformedTrailerError", status: 400, text: "The request contained trailing data that was not well-formed or did not conform to our published schema."},
		Query: {code: "MalformedQueryString", status: 400, text: "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	},
	BadDigest: {
		JSON:  {code: "SerializationException", status: 400, text: "The {algorithm} you specified did not match the calculated checksum."},
		S3:    {code: "BadDigest", status: 400, text: "The {algorithm} you specified did not match the calculated checksum."},
		Query: {code: "InvalidParameterValue", status: 400, text: "The {algorithm} you specified did not match the calculated checksum."},
	},
	InvalidDigest: {
		JSON:  {code: "SerializationException", status: 400, text: "The Content-MD5 you specified was invalid."},
		S3:    {code: "InvalidDigest", status: 400, text: "The Content-MD5 you specified was invalid.", fields: []string{"Content-MD5"}},
		Query: {code: "InvalidParameterValue", status: 400, text: "The Content-MD5 you specified was invalid."},
	},
	InvalidChecksum: {
		JSON:  {code: "SerializationException", status: 400, text: "{reason}"},
		S3:    {code: "InvalidRequest", status: 400, text: "{reason}"},
		Query: {code: "InvalidParameterValue", status: 400, text: "{reason}"},
	},
	IncompleteBody: {
		JSON:  {code: "SerializationException", status: 400, text: "You did not provide the number of bytes specified by the Content-Length HTTP header."},
		S3:    {code: "IncompleteBody", status: 400, text: "You did not provide the number of bytes specified by the Content-Length HTTP header."},
		Query: {code: "MalformedQueryString", status: 400, text: "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	},
	MissingLength: {
		JSON:  {code: "SerializationException", status: 411, text: "You must provide the Content-Length HTTP header."},
		S3:    {code: "MissingContentLength", status: 411, text: "You must provide the Content-Length HTTP header."},
		Query: {code: "MalformedQueryString", status: 411, text: "You must provide the Content-Length HTTP header."},
	},
	BodyTooLarge: {
		JSON:  {code: "RequestEntityTooLargeException", status: 413, text: "The request body exceeds {limit} bytes."},
		S3:    {code: "EntityTooLarge", status: 400, text: "Your proposed upload exceeds the maximum allowed size"},
		Query: {code: "RequestEntityTooLarge", status: 413, text: "The request body exceeds {limit} bytes."},
	},
	SlowBody: {
		JSON:  {code: "RequestTimeoutException", status: 408, text: "The request body did not arrive in time."},
		S3:    {code: "RequestTimeout", status: 400, text: "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."},
		Query: {code: "RequestTimeout", status: 408, text: "The request body did not arrive in time."},
	},
	BadURI: {
		JSON:  {code: "IncompleteSignatureException", status: 400, text: "The request URI can't be parsed."},
		S3:    {code: "InvalidURI", status: 400, text: "Couldn't parse the specified URI.", fields: []string{"URI"}},
		Query: {code: "MalformedQueryString", status: 400, text: "The request URI can't be parsed."},
	},
	NotAuthorized: {
		JSON:  {code: "AccessDeniedException", status: 400, text: textDenied},
		S3:    {code: "AccessDenied", status: 403, text: textDeniedS3},
		Query: {code: "AccessDenied", status: 403, text: textDenied},
	},
	UnknownOperation: {
		JSON:  {code: "UnknownOperationException", status: 400, text: "The operation {operation} is not known."},
		S3:    {code: "MethodNotAllowed", status: 405, text: "The specified method is not allowed against this resource."},
		Query: {code: "InvalidAction", status: 400, text: "Could not find operation {operation}"},
	},
	Serialization: {
		JSON:  {code: "SerializationException", status: 400, text: "{reason}"},
		S3:    {code: "MalformedXML", status: 400, text: "The XML you provided was not well-formed or did not validate against our published schema"},
		Query: {code: "MalformedQueryString", status: 400, text: "{reason}"},
	},
	Throttled: {
		JSON:  {code: "ThrottlingException", status: 400, text: "Rate exceeded"},
		S3:    {code: "SlowDown", status: 503, text: "Please reduce your request rate."},
		Query: {code: "Throttling", status: 400, text: "Rate exceeded"},
	},
	Unavailable: {
		JSON:  {code: "ServiceUnavailableException", status: 503, text: "The service is unavailable. Please try again."},
		S3:    {code: "ServiceUnavailable", status: 503, text: "Service is unable to handle request."},
		Query: {code: "ServiceUnavailable", status: 503, text: "The service is unavailable. Please try again."},
	},
	Internal: {
		JSON:  {code: "InternalFailureException", status: 500, text: textInternal},
		S3:    {code: "InternalError", status: 500, text: textInternal},
		Query: {code: "InternalFailure", status: 500, text: textInternal},
	},
}
