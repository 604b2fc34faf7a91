// Package cloudtrail speaks the part of AWS CloudTrail that reads the event history: LookupEvents over
// the audit log. CloudTrail's other operations are known and refused by name. Start at New.
package cloudtrail

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
)

// History is where events are looked up: *audit.Log.
type History interface {
	// Lookup returns a page of an account's management events in a region, newest first, or audit.ErrBadToken.
	Lookup(ctx context.Context, q audit.Query) (audit.Page, error)
}

// historyDays is how far back LookupEvents looks: CloudTrail's 90 days.
const historyDays = 90

// maxValue is the longest value of a lookup attribute, in characters.
const maxValue = 2000

// Config is what the service is made of.
type Config struct {
	History History
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// New returns the service: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func New(config Config) *awsjson.Service {
	if config.Now == nil {
		config.Now = time.Now
	}
	ops := awsjson.Operations{"LookupEvents": awsjson.Op(config.lookupEvents)}
	for _, name := range refused {
		ops[name] = awsjson.Refuse(fail("UnsupportedOperationException", name+" is not supported here: there is an event history, and there are no trails, channels, dashboards or event data stores."))
	}
	return awsjson.NewService("cloudtrail", "CloudTrail_20131101", ops)
}

// refused are the other operations of CloudTrail's service model of 2013-11-01.
var refused = []string{
	"AddTags", "CancelQuery", "CreateChannel", "CreateDashboard", "CreateEventDataStore", "CreateTrail", "DeleteChannel", "DeleteDashboard",
	"DeleteEventDataStore", "DeleteResourcePolicy", "DeleteTrail", "DeregisterOrganizationDelegatedAdmin", "DescribeQuery", "DescribeTrails",
	"DisableFederation", "EnableFederation", "GenerateQuery", "GetChannel", "GetDashboard", "GetEventConfiguration", "GetEventDataStore",
	"GetEventSelectors", "GetImport", "GetInsightSelectors", "GetQueryResults", "GetResourcePolicy", "GetTrail", "GetTrailStatus",
	"ListChannels", "ListDashboards", "ListEventDataStores", "ListImportFailures", "ListImports", "ListInsightsData",
	"ListInsightsMetricData", "ListPublicKeys", "ListQueries", "ListTags", "ListTrails", "PutEventConfiguration", "PutEventSelectors",
	"PutInsightSelectors", "PutResourcePolicy", "RegisterOrganizationDelegatedAdmin", "RemoveTags", "RestoreEventDataStore",
	"SearchSampleQueries", "StartDashboardRefresh", "StartEventDataStoreIngestion", "StartImport", "StartLogging", "StartQuery",
	"StopEventDataStoreIngestion", "StopImport", "StopLogging", "UpdateChannel", "UpdateDashboard", "UpdateEventDataStore", "UpdateTrail",
}

// lookupEventsInput is the shape LookupEventsRequest.
type lookupEventsInput struct {
	LookupAttributes []lookupAttribute
	StartTime        *time.Time
	EndTime          *time.Time
	EventCategory    *string
	MaxResults       *int64
	NextToken        *string
}

type lookupAttribute struct {
	AttributeKey   string
	AttributeValue string
}

// lookupEventsOutput is the shape LookupEventsResponse.
type lookupEventsOutput struct {
	Events    []event
	NextToken string
}

// event is the shape Event. ReadOnly is a text there.
type event struct {
	EventId         string
	EventName       string
	ReadOnly        string
	AccessKeyId     string
	EventTime       time.Time
	EventSource     string
	Username        string
	Resources       []resource
	CloudTrailEvent string
}

type resource struct {
	ResourceType string
	ResourceName string
}

func (config Config) lookupEvents(ctx context.Context, c *gateway.Call, in *lookupEventsInput) (*lookupEventsOutput, error) {
	q, err := config.query(c, in)
	if err != nil {
		return nil, err
	}
	if in.EventCategory != nil {
		if *in.EventCategory != "insight" {
			return nil, fail("InvalidEventCategoryException", "Event category "+strconv.Quote(*in.EventCategory)+" is not valid. Specify insight, or leave it out for management events.")
		}
		return &lookupEventsOutput{Events: []event{}}, nil // nothing here makes Insights events
	}
	page, err := config.History.Lookup(ctx, q)
	if errors.Is(err, audit.ErrBadToken) {
		return nil, fail("InvalidNextTokenException", "Invalid NextToken: it is not one that a request with the same parameters returned.")
	}
	if err != nil {
		return nil, err
	}
	out := &lookupEventsOutput{Events: make([]event, 0, len(page.Events)), NextToken: page.NextToken}
	for _, e := range page.Events {
		out.Events = append(out.Events, shown(e))
	}
	return out, nil
}

// query checks the input. The account and the region are the caller's.
func (config Config) query(c *gateway.Call, in *lookupEventsInput) (audit.Query, error) {
	q := audit.Query{Account: c.Principal.AccountID, Region: c.Region}
	if len(in.LookupAttributes) > 1 {
		return q, fail("InvalidLookupAttributesException", "You can specify only one lookup attribute.")
	}
	for _, a := range in.LookupAttributes {
		attribute, err := attributeOf(a)
		if err != nil {
			return q, err
		}
		q.Attributes = append(q.Attributes, attribute)
	}
	if in.MaxResults != nil {
		if *in.MaxResults < 1 || *in.MaxResults > audit.MaxResults {
			return q, fail("InvalidMaxResultsException", "A max results value of "+strconv.FormatInt(*in.MaxResults, 10)+" is invalid. Specify max results between 1 and "+strconv.Itoa(audit.MaxResults)+".")
		}
		q.Limit = int(*in.MaxResults)
	}
	if in.StartTime != nil {
		q.Start = *in.StartTime
	}
	if in.EndTime != nil {
		q.End = *in.EndTime
	}
	if in.StartTime != nil && in.EndTime != nil && q.Start.After(q.End) {
		return q, fail("InvalidTimeRangeException", "The start time must be before the end time.")
	}
	q.NotBefore = config.Now().AddDate(0, 0, -historyDays)
	if in.NextToken != nil {
		if *in.NextToken == "" {
			return q, fail("InvalidNextTokenException", "Invalid NextToken: it is empty.")
		}
		q.NextToken = *in.NextToken
	}
	return q, nil
}

// lookupKeys are the values of LookupAttributeKey.
var lookupKeys = []audit.Key{
	audit.KeyEventID, audit.KeyEventName, audit.KeyReadOnly, audit.KeyUsername, audit.KeyResourceType, audit.KeyResourceName,
	audit.KeyEventSource, audit.KeyAccessKeyID,
}

func attributeOf(a lookupAttribute) (audit.Attribute, error) {
	key := audit.Key(a.AttributeKey)
	if !slices.Contains(lookupKeys, key) {
		names := make([]string, len(lookupKeys))
		for i, k := range lookupKeys {
			names[i] = string(k)
		}
		return audit.Attribute{}, fail("InvalidLookupAttributesException", "Lookup attribute key "+strconv.Quote(clip(a.AttributeKey))+" is not valid. Specify one of: "+strings.Join(names, ", ")+".")
	}
	value := a.AttributeValue
	if n := len([]rune(value)); n < 1 || n > maxValue {
		return audit.Attribute{}, fail("InvalidLookupAttributesException", "The value of lookup attribute "+string(key)+" must have between 1 and "+strconv.Itoa(maxValue)+" characters.")
	}
	if key == audit.KeyReadOnly {
		value = strings.ToLower(value)
		if value != "true" && value != "false" {
			return audit.Attribute{}, fail("InvalidLookupAttributesException", "The value of lookup attribute ReadOnly must be true or false.")
		}
	}
	return audit.Attribute{Key: key, Value: value}, nil
}

func shown(e audit.Found) event {
	out := event{
		EventId: e.ID, EventName: e.Name, ReadOnly: strconv.FormatBool(e.ReadOnly), AccessKeyId: e.AccessKeyID, EventTime: e.Time,
		EventSource: e.Source, Username: e.Username, Resources: []resource{}, CloudTrailEvent: string(e.Document),
	}
	for _, r := range e.Resources {
		out.Resources = append(out.Resources, resource{ResourceType: r.Type, ResourceName: r.Name})
	}
	return out
}

func fail(code, message string) *awserr.Error {
	return &awserr.Error{Code: code, Status: 400, Message: message}
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
