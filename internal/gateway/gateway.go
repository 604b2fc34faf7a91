package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dictum/dictum/internal/audit"
	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/sigv4"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/peer"
)

const (
	// DefaultMaxBody is the largest body of a service that is not S3: 1 MiB, many times what any
	// request of the services we speak can hold.
	DefaultMaxBody = 1 << 20
	// DefaultMaxInFlight is how many requests are served at once before more are told to come back.
	DefaultMaxInFlight = 1024
	// DefaultBodyTime is how long a body of a service other than S3 may take.
	DefaultBodyTime = 30 * time.Second
)

// Config is what a Gateway is made of.
type Config struct {
	// Services by which requests are answered. Their names must differ.
	Services []Service
	// Credentials finds the keys that sign; Authorizer decides; Auditor records. All are required.
	Credentials iam.Credentials
	Authorizer  iam.Authorizer
	Auditor     audit.Recorder
	// Used may be nil; it is told of every caller whose signature was good, and must be quick.
	Used func(c iam.Caller, service string)
	// Observer may be nil.
	Observer Observer
	// SourceIP tells whose address a request came from; nil means the TCP peer's.
	SourceIP func(*http.Request) string
	// PublicURL is the scheme and authority for URIs we hand out; empty means what the client called.
	PublicURL string
	// Log gets internal failures; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// MaxBody, MaxInFlight and BodyTime have defaults when zero. BodyTime is how long a body of a service other
	// than S3 may take altogether.
	MaxBody     int64
	MaxInFlight int
	BodyTime    time.Duration
}

// Gateway is the http.Handler of the API listener.
type Gateway struct {
	config   Config
	services map[string]Service
	// fallback answers requests that no service claims: S3 owns all paths.
	fallback Service
	verifier sigv4.Verifier
	slots    chan struct{}
}

// New checks the configuration and makes a gateway of it.
func New(config Config) (*Gateway, error) {
	switch {
	case len(config.Services) == 0:
		return nil, errors.New("gateway: no services")
	case config.Credentials == nil, config.Authorizer == nil, config.Auditor == nil:
		return nil, errors.New("gateway: credentials, authorizer and auditor are required")
	}
	if config.PublicURL != "" {
		u, err := url.Parse(config.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return nil, fmt.Errorf("gateway: public URL %q is not scheme://host[:port]", config.PublicURL)
		}
		config.PublicURL = u.Scheme + "://" + u.Host
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.SourceIP == nil {
		config.SourceIP = peer.Source(nil)
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.MaxBody == 0 {
		config.MaxBody = DefaultMaxBody
	}
	if config.BodyTime == 0 {
		config.BodyTime = DefaultBodyTime
	}
	if config.MaxInFlight == 0 {
		config.MaxInFlight = DefaultMaxInFlight
	}
	g := &Gateway{
		config:   config,
		services: make(map[string]Service, len(config.Services)),
		verifier: sigv4.Verifier{Credentials: config.Credentials, Now: config.Now, Keys: sigv4.NewKeyCache()},
		slots:    make(chan struct{}, config.MaxInFlight),
	}
	for _, s := range config.Services {
		if g.services[s.Name()] != nil {
			return nil, fmt.Errorf("gateway: two services are named %q", s.Name())
		}
		g.services[s.Name()] = s
	}
	if g.fallback = g.services["s3"]; g.fallback == nil {
		g.fallback = config.Services[0]
	}
	return g, nil
}

// exchange is one request and its answer.
type exchange struct {
	w *response
	r *http.Request
	// service speaks the client's protocol; it is set as soon as the request tells.
	service Service
	call    *Call
	claim   *sigv4.Claim
	route   Route
	err     error
	// action is the routed action, for metrics: a name from our own tables.
	action string
	body   *countingBody
	// recorded tells that the request is in the audit.
	recorded bool
	// controlled is how long deciding and recording took.
	controlled time.Duration
	// leave gives the request's slot back.
	leave func()
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := g.config.Now()
	x := &exchange{w: newResponse(w), r: r, call: &Call{Authorizer: g.config.Authorizer}}
	x.call.Caller = iam.Caller{
		Time: now, SourceIP: g.config.SourceIP(r), UserAgent: clipTo(r.UserAgent(), 256), Referer: r.Referer(), Secure: r.TLS != nil,
	}
	// What goes out first waits for the record of it.
	x.w.commit = func() error { return g.record(x, nil) }
	x.service = g.claimant(r)
	if x.service == nil {
		x.service = g.fallback
	}
	x.identify()
	began := time.Now()
	defer func() { g.finish(x, time.Since(began), recover()) }()
	select {
	case g.slots <- struct{}{}:
		x.leave = sync.OnceFunc(func() { <-g.slots })
		defer x.leave()
		x.err = g.serve(x)
	default:
		x.err = awserr.Fail(awserr.Unavailable)
	}
}

// claimant returns the service whose target header, path or form the request has, or nil.
func (g *Gateway) claimant(r *http.Request) Service {
	for _, s := range g.config.Services {
		if c, ok := s.(Claimer); ok && c.Claims(r) {
			return s
		}
	}
	return nil
}

// identify gives the request its id and the answer the header that carries it.
func (x *exchange) identify() {
	id := newRequestIDs()
	h := x.w.Header()
	if protocolOf(x.service) == awserr.S3 {
		x.call.RequestID = id.s3
		h.Set("X-Amz-Request-Id", id.s3)
		h.Set("X-Amz-Id-2", id.host)
		return
	}
	x.call.RequestID = id.uuid
	h.Set("X-Amzn-Requestid", id.uuid)
}

func protocolOf(s Service) awserr.Protocol {
	if speaker, ok := s.(Speaker); ok {
		return speaker.Protocol()
	}
	return awserr.S3
}

// serve takes the request through authentication, routing and authorisation to its handler.
func (g *Gateway) serve(x *exchange) error {
	if err := x.refuseDuplicates(); err != nil {
		return err
	}
	if err := g.authenticate(x); err != nil {
		return err
	}
	c := x.call
	c.Service = x.service.Name()
	c.Origin = g.origin(x.r)
	route, err := x.service.Route(x.r, c)
	x.route, c.Action, x.action = route, route.Action, route.Action
	if err != nil {
		return err
	}
	if c.Resource = "*"; len(route.Access) > 0 {
		c.Resource = route.Access[0].Resource
	}
	if err := x.authorize(); err != nil {
		return err
	}
	if c.Events != nil {
		x.leave() // a stream lasts for hours, and its service counts it
		x.w.live = true
	}
	return route.Handler(x.w, x.r, c)
}

// authorize asks for every permission that the route needs.
func (x *exchange) authorize() error {
	defer x.control(time.Now())
	for _, a := range x.route.Access {
		if err := x.call.Authorize(x.r.Context(), a); err != nil {
			return err
		}
	}
	return nil
}

// control adds the time since began to what deciding and recording took.
func (x *exchange) control(began time.Time) { x.controlled += time.Since(began) }

// single are headers that decide what a request is. Two of one would let a proxy and us read
// different requests.
var single = []string{"X-Amz-Target", "X-Amz-Date", "Content-Type", "Content-Length", "X-Amz-Decoded-Content-Length", "Smithy-Protocol", "X-Amz-Copy-Source"}

func (x *exchange) refuseDuplicates() error {
	for _, name := range single {
		if len(x.r.Header[name]) > 1 {
			reason := "header " + name + " occurs more than once"
			return awserr.Fail(awserr.MalformedHeader, "json", reason, "s3", reason)
		}
	}
	return nil
}

// authenticate proves who signed the request, and for which service. It leaves a request whose
// body can be read by the rules of Service.
func (g *Gateway) authenticate(x *exchange) error {
	claim, err := sigv4.Parse(x.r)
	if errors.Is(err, awserr.Fail(awserr.MissingAuth)) {
		return g.open(x, err)
	}
	if err != nil {
		return err
	}
	x.claim = claim
	x.call.Region = claim.Scope.Region
	if err := g.setService(x); err != nil {
		return err
	}
	rules := sigv4.RulesFor(x.service.Name())
	if s, ok := x.service.(Streamer); ok && s.Streams(x.r) {
		rules.Events, rules.MaxExpires = true, maxStreamExpires
	} else {
		x.pace()
	}
	var body []byte
	verified, err := g.verifier.Verify(x.r.Context(), x.r, claim, rules, func() (hash string, err error) {
		body, hash, err = readBody(x, g.config.MaxBody, g.config.BodyTime)
		return hash, err
	})
	if err != nil {
		return err
	}
	x.call.Principal = verified.Credential.Principal
	x.call.Principal.AccessKeyID = claim.AccessKeyID
	if x.call.Region == "" {
		x.call.Region = defaultRegion // Signature Version 2 names none
	}
	if g.config.Used != nil {
		g.config.Used(x.call.Caller, x.service.Name())
	}
	if rules.Events {
		x.call.Events = verified.Events(g.config.Now)
		return nil
	}
	if rules.OpaquePayload {
		return verified.OpenBody(x.r, sigv4.BodyOptions{ForeignChecksum: isCompleteMultipart(x.r)})
	}
	replay(x.r, body)
	return nil
}

// maxStreamExpires is the longest life of a presigned URL that opens a stream (Transcribe developer guide).
const maxStreamExpires = 5 * time.Minute

// maxOpenBody is the largest body that is read of a request without a signature: a token of 20,000 characters
// has room in it.
const maxOpenBody = 64 << 10

// open lets an unsigned request through if it is for an action that needs no signature, else returns refusal.
func (g *Gateway) open(x *exchange, refusal error) error {
	var openers []Opener
	for _, s := range g.config.Services {
		if o, ok := s.(Opener); ok && o.Claims(x.r) {
			openers = append(openers, o)
		}
	}
	if len(openers) == 0 || x.r.ContentLength > maxOpenBody {
		return refusal
	}
	x.pace()
	body, _, err := readBody(x, maxOpenBody, g.config.BodyTime)
	if errors.Is(err, awserr.Fail(awserr.BodyTooLarge)) {
		return refusal
	}
	if err != nil {
		return err
	}
	for _, o := range openers {
		if o.Open(x.r, body) {
			x.service = o
			x.call.Region = defaultRegion
			replay(x.r, body)
			return nil
		}
	}
	return refusal
}

// defaultRegion is S3's own: what a bucket without a location constraint is in.
const defaultRegion = "us-east-1"

// isCompleteMultipart tells POST /bucket/key?uploadId=…, whose checksum headers are the object's.
func isCompleteMultipart(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// setService finds the service by the credential's scope, and holds it against what the request
// otherwise looks like.
func (g *Gateway) setService(x *exchange) error {
	name := x.claim.Scope.Service
	scoped := g.services[name]
	claimed := g.claimant(x.r)
	if scoped == claimed && scoped != nil {
		return nil
	}
	if scoped != nil {
		if c, ok := scoped.(Claimer); claimed == nil || (ok && c.Claims(x.r)) {
			if x.service != scoped {
				x.service = scoped
				x.w.Header().Del("X-Amz-Request-Id")
				x.w.Header().Del("X-Amz-Id-2")
				x.identify()
			}
			return nil
		}
	}
	expected := x.service.Name()
	s3 := "incorrect service \"" + clip(name) + "\". This endpoint belongs to \"" + expected + "\""
	if x.claim.Presigned {
		s3 = "Error parsing the X-Amz-Credential parameter; " + s3
	}
	return awserr.Fail(awserr.WrongScope, "json", "Credential should be scoped to correct service: '"+expected+"'.", "s3", s3)
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// origin returns the scheme and authority for URIs in answers. The Host header is part of the
// signature, so it is the client's own word.
func (g *Gateway) origin(r *http.Request) string {
	if g.config.PublicURL != "" {
		return g.config.PublicURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// finish writes the error if there is one, has it on record, and tells the observer.
func (g *Gateway) finish(x *exchange, took time.Duration, panicked any) {
	if panicked != nil {
		if panicked == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel value of a panic
			x.err = errors.New("handler aborted")
		} else {
			x.err = fmt.Errorf("panic: %v", panicked)
			g.config.Log.Error("handler panicked", "service", x.call.Service, "action", x.call.Action,
				"request_id", x.call.RequestID, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
		}
	}
	if x.w.failed != nil {
		x.err = x.w.failed
	}
	abort := false
	if x.err != nil {
		if awserr.IsInternal(x.err) && panicked == nil && x.r.Context().Err() == nil {
			g.config.Log.Error("request failed", "service", x.call.Service, "action", x.call.Action,
				"request_id", x.call.RequestID, "err", x.err)
		}
		if abort = x.w.wrote || panicked == http.ErrAbortHandler; !abort { //nolint:errorlint // as above
			g.writeError(x)
		}
	} else if !x.w.wrote {
		x.w.WriteHeader(http.StatusOK)
	}
	g.recordOutcome(x)
	if g.config.Observer != nil {
		g.config.Observer.Observe(x.service.Name(), x.action, x.w.status, took, x.controlled)
	}
	if abort || x.w.failed != nil && x.w.wrote {
		// Part of a good answer is out: only a broken connection tells the client that it is not whole.
		panic(http.ErrAbortHandler)
	}
}

// writeError answers with the exchange's error, which is on record first.
func (g *Gateway) writeError(x *exchange) {
	shown := awserr.For(protocolOf(x.service), x.err)
	if x.w.failed == nil {
		if err := g.record(x, shown); err != nil {
			shown = awserr.For(protocolOf(x.service), err)
		}
	}
	x.w.commit, x.w.failed = nil, nil
	h := x.w.Header()
	for _, name := range []string{"Content-Length", "Content-Type", "Etag", "Last-Modified"} {
		h.Del(name) // of the answer that did not go out
	}
	x.service.WriteError(x.w, x.r, x.call.RequestID, shown)
}

// record has the request in the audit, once. It outlives the client's connection.
func (g *Gateway) record(x *exchange, shown *awserr.Error) error {
	if x.recorded {
		return nil
	}
	x.recorded = true
	defer x.control(time.Now())
	if err := g.config.Auditor.Record(context.WithoutCancel(x.r.Context()), x.event(shown)); err != nil {
		return fmt.Errorf("record request in the audit: %w", err)
	}
	return nil
}

// recordOutcome has on record how an act ended that went on after its answer had begun.
func (g *Gateway) recordOutcome(x *exchange) {
	if x.call.Outcome == nil {
		return
	}
	var shown *awserr.Error
	if x.call.OutcomeErr != nil {
		shown = awserr.For(protocolOf(x.service), x.call.OutcomeErr)
	}
	e := x.event(shown)
	e.Caller.Time = g.config.Now()
	for name, value := range x.call.Outcome {
		e.Additional[name] = value
	}
	if err := g.config.Auditor.Record(context.WithoutCancel(x.r.Context()), e); err != nil {
		g.config.Log.Error("record the end of a stream in the audit", "request_id", x.call.RequestID, "err", err)
	}
}

// event describes the request for the audit.
func (x *exchange) event(shown *awserr.Error) audit.Event {
	c := x.call
	e := audit.Event{
		Caller: c.Caller, Source: x.service.Name() + ".amazonaws.com", Name: c.Action, ReadOnly: x.route.ReadOnly, Data: x.route.Data,
		Request: x.route.Request, Resources: c.Resources, Additional: map[string]any{},
	}
	named := slices.ContainsFunc(c.Resources, func(r audit.Resource) bool { return r.ARN == c.Resource })
	if len(x.route.Access) > 0 && strings.HasPrefix(c.Resource, "arn:") && !named {
		owner := x.route.Access[0].Owner
		if owner == "" {
			owner = c.Principal.AccountID
		}
		e.Resources = append([]audit.Resource{{ARN: c.Resource, AccountID: owner}}, e.Resources...)
	}
	if x.claim != nil && c.Principal.AccountID == "" {
		e.ClaimedKeyID = clip(x.claim.AccessKeyID)
	}
	if x.claim != nil {
		e.Additional["AuthenticationMethod"] = "AuthHeader"
		if x.claim.Presigned {
			e.Additional["AuthenticationMethod"] = "QueryString"
		}
	}
	if x.body != nil {
		e.Additional["bytesTransferredIn"] = x.body.n
	}
	if subject := peer.ClientSubject(x.r); subject != "" {
		e.Additional["clientCertificateSubject"] = subject
	}
	if shown != nil {
		e.ErrorCode, e.ErrorMessage = shown.Code, clipTo(shown.Message, 512)
	} else {
		e.Response = c.Response
	}
	return e
}

func clipTo(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
