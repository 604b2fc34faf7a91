package audit

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dictum/dictum/internal/iam"
)

// CloudTrail's bounds: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
const (
	maxParameters = 100 << 10
	maxText       = 1 << 10
	maxResources  = 100
	// maxDocument is far beyond what the others add up to, and below what a frame holds.
	maxDocument = 512 << 10
	// maxRecipients is how many accounts have one act on record.
	maxRecipients = 8
)

// document is an event in CloudTrail's form, its members in CloudTrail's order.
type document struct {
	EventVersion        string          `json:"eventVersion"`
	UserIdentity        userIdentity    `json:"userIdentity"`
	EventTime           string          `json:"eventTime"`
	EventSource         string          `json:"eventSource"`
	EventName           string          `json:"eventName"`
	AWSRegion           string          `json:"awsRegion"`
	SourceIPAddress     string          `json:"sourceIPAddress"`
	UserAgent           string          `json:"userAgent"`
	ErrorCode           string          `json:"errorCode,omitempty"`
	ErrorMessage        string          `json:"errorMessage,omitempty"`
	RequestParameters   json.RawMessage `json:"requestParameters"`
	ResponseElements    json.RawMessage `json:"responseElements"`
	AdditionalEventData json.RawMessage `json:"additionalEventData,omitempty"`
	RequestID           string          `json:"requestID,omitempty"`
	EventID             string          `json:"eventID"`
	ReadOnly            bool            `json:"readOnly"`
	Resources           []Resource      `json:"resources,omitempty"`
	EventType           string          `json:"eventType"`
	ManagementEvent     bool            `json:"managementEvent"`
	RecipientAccountID  string          `json:"recipientAccountId,omitempty"`
	SharedEventID       string          `json:"sharedEventID,omitempty"`
	ServiceEventDetails json.RawMessage `json:"serviceEventDetails,omitempty"`
	EventCategory       string          `json:"eventCategory"`
	TLSDetails          *tlsDetails     `json:"tlsDetails,omitempty"`
}

// userIdentity is who acted:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type userIdentity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *sessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
}

type sessionContext struct {
	SessionIssuer       *sessionIssuer     `json:"sessionIssuer,omitempty"`
	WebIDFederationData *webIDFederation   `json:"webIdFederationData,omitempty"`
	Attributes          *sessionAttributes `json:"attributes"`
	SourceIdentity      string             `json:"sourceIdentity,omitempty"`
}

type sessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName"`
}

type webIDFederation struct {
	FederatedProvider string            `json:"federatedProvider"`
	Attributes        map[string]string `json:"attributes"`
}

type sessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

type tlsDetails struct {
	Version    string `json:"tlsVersion,omitempty"`
	Cipher     string `json:"cipherSuite,omitempty"`
	ClientHost string `json:"clientProvidedHostHeader,omitempty"`
}

// entry is what one frame of kind record holds: the document, and what readers choose by.
type entry struct {
	recorded time.Time
	data     bool
	account  string
	region   string
	document []byte
}

// entriesOf makes the records of an event: one for each account that sees it, which share an id when
// there are several, as CloudTrail delivers acts across accounts.
func entriesOf(e Event, now time.Time) ([]entry, error) {
	d := documentOf(e)
	accounts := recipients(e)
	if len(accounts) > 1 {
		d.SharedEventID = uuid.NewString()
	}
	entries := make([]entry, 0, len(accounts))
	for _, account := range accounts {
		d.EventID, d.RecipientAccountID = uuid.NewString(), account
		b, err := encode(d)
		if err == nil && len(b) > maxDocument {
			omitted := json.RawMessage(`{"omitted":"larger than 512 KB altogether"}`)
			d.Resources, d.RequestParameters, d.ResponseElements, d.AdditionalEventData = nil, omitted, omitted, nil
			b, err = encode(d)
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{recorded: now, data: e.Data, account: account, region: clip(d.AWSRegion, 255), document: b})
	}
	return entries, nil
}

// recipients are the accounts that see an event: the caller's, and when it succeeded those whose
// resources were acted on. A stranger's failure is in the stranger's record only, as with CloudTrail;
// that also keeps strangers from filling the record. An event of nobody has one recipient, "".
func recipients(e Event) []string {
	account := e.Caller.Principal.AccountID
	if account == "" {
		account = e.Caller.SourceAccount
	}
	var accounts []string
	if account != "" {
		accounts = append(accounts, account)
	}
	if e.ErrorCode == "" || (account == "" && e.Caller.Principal.Kind == iam.KindService) {
		for _, r := range e.Resources {
			if r.AccountID != "" && len(accounts) < maxRecipients && !slices.Contains(accounts, r.AccountID) {
				accounts = append(accounts, r.AccountID)
			}
		}
	}
	for i := range accounts {
		accounts[i] = clip(accounts[i], 255)
	}
	if len(accounts) == 0 {
		return []string{""}
	}
	return accounts
}

func documentOf(e Event) document {
	c := e.Caller
	d := document{
		EventVersion: "1.08", UserIdentity: identityOf(e), EventTime: stamp(c.Time),
		EventSource: clip(e.Source, maxText), EventName: clip(e.Name, maxText), AWSRegion: clip(c.Region, 255),
		SourceIPAddress: clip(c.SourceIP, maxText), UserAgent: clip(c.UserAgent, maxText),
		ErrorCode: e.ErrorCode, ErrorMessage: clip(redactText(e.ErrorMessage), maxText),
		RequestParameters: parametersJSON(e.Request), ResponseElements: parametersJSON(e.Response),
		RequestID: c.RequestID, ReadOnly: e.ReadOnly, Resources: e.Resources,
		EventType: "AwsApiCall", ManagementEvent: !e.Data, EventCategory: "Management",
	}
	if e.Data {
		d.EventCategory = "Data"
	}
	// CloudTrail has the code without the suffix that the wire has.
	if d.ErrorCode == "AccessDeniedException" {
		d.ErrorCode = "AccessDenied"
	}
	if len(d.Resources) > maxResources {
		d.Resources = d.Resources[:maxResources]
	}
	// What a service does for someone comes from the service.
	if by := d.UserIdentity.InvokedBy; by != "" {
		d.SourceIPAddress, d.UserAgent = by, by
	}
	d.TLSDetails, d.AdditionalEventData = additional(e.Additional)
	return d
}

// tlsNames are the members of Event.Additional that CloudTrail has in tlsDetails.
var tlsNames = []string{"tlsVersion", "cipherSuite", "clientProvidedHostHeader"}

func additional(all map[string]any) (*tlsDetails, json.RawMessage) {
	rest := make(map[string]any, len(all))
	var found [3]string
	for name, value := range all {
		i := slices.Index(tlsNames, name)
		text, isText := value.(string)
		if i < 0 || !isText {
			rest[name] = value
			continue
		}
		found[i] = clip(text, maxText)
	}
	var tls *tlsDetails
	if found[0] != "" {
		tls = &tlsDetails{Version: found[0], Cipher: found[1], ClientHost: found[2]}
	}
	if len(rest) == 0 {
		return tls, nil
	}
	return tls, parametersJSON(rest)
}

func identityOf(e Event) userIdentity {
	p := e.Caller.Principal
	u := userIdentity{
		Type: string(p.Kind), PrincipalID: p.UserID, ARN: p.ARN, AccountID: p.AccountID,
		AccessKeyID: p.AccessKeyID, UserName: p.UserName,
	}
	switch {
	case p.Kind == iam.KindService:
		u.InvokedBy = p.Service
	case p.AccountID == "":
		// Nobody proved who they are; the key id is only what was claimed.
		u = userIdentity{Type: "Unknown", AccessKeyID: clip(e.ClaimedKeyID, 128)}
	}
	if s := p.Session; s != nil && u.Type != "Unknown" {
		u.SessionContext = sessionOf(p, *s)
	}
	if via := e.Caller.Via; len(via) > 0 {
		u.InvokedBy = via[len(via)-1]
	}
	return u
}

func sessionOf(p iam.Principal, s iam.Session) *sessionContext {
	c := &sessionContext{
		Attributes:     &sessionAttributes{CreationDate: stamp(s.Issued), MFAAuthenticated: strconv.FormatBool(!s.MFA.IsZero())},
		SourceIdentity: s.SourceIdentity,
	}
	if s.RoleARN != "" {
		c.SessionIssuer = &sessionIssuer{Type: "Role", PrincipalID: s.RoleID, ARN: s.RoleARN, AccountID: p.AccountID, UserName: s.RoleName}
	}
	if s.Provider != "" {
		c.WebIDFederationData = &webIDFederation{FederatedProvider: s.Provider, Attributes: map[string]string{}}
		if s.Subject != "" {
			c.WebIDFederationData.Attributes[issuerKey(s.Provider)] = s.Subject
		}
	}
	return c
}

// issuerKey is the condition key of an issuer's subject, "accounts.example.com:sub".
func issuerKey(provider string) string {
	if u, err := url.Parse(provider); err == nil && u.Host != "" {
		provider = u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return provider + ":sub"
}

// parametersJSON is the JSON of parameters without secrets; null for none. What can't be encoded or is
// beyond CloudTrail's 100 KB is replaced by a word on that: an act is on record whatever its parameters.
func parametersJSON(v any) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	if !plain(v) {
		v = Parameters(v)
	}
	b, err := encode(redact(v))
	if string(b) == "{}" {
		return json.RawMessage("null") // as CloudTrail has it
	}
	switch {
	case err != nil:
		return json.RawMessage(`{"omitted":"not representable"}`)
	case len(b) > maxParameters:
		return json.RawMessage(`{"omitted":"larger than 100 KB"}`)
	}
	return b
}

// plain tells values that consist of what redact looks into.
func plain(v any) bool {
	switch v := v.(type) {
	case nil, string, bool, int, int32, int64, uint64, float64:
		return true
	case map[string]any:
		for _, value := range v {
			if !plain(value) {
				return false
			}
		}
		return true
	case []any:
		for _, value := range v {
			if !plain(value) {
				return false
			}
		}
		return true
	}
	return false
}

// encode is compact JSON that leaves <, > and & as they are: policies and URLs stay readable.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// clip cuts a text to n bytes, at a border between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
