package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dictum/dictum/internal/admin"
	"github.com/dictum/dictum/internal/api/cloudtrail"
	iamapi "github.com/dictum/dictum/internal/api/iam"
	kmsapi "github.com/dictum/dictum/internal/api/kms"
	"github.com/dictum/dictum/internal/api/s3"
	"github.com/dictum/dictum/internal/api/stream"
	"github.com/dictum/dictum/internal/api/sts"
	"github.com/dictum/dictum/internal/api/transcribe"
	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/audit/export"
	"github.com/dictum/dictum/internal/certs"
	"github.com/dictum/dictum/internal/console"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/kms"
	"github.com/dictum/dictum/internal/objects/embedded"
	"github.com/dictum/dictum/internal/objects/guarded"
	"github.com/dictum/dictum/internal/speech/engine/process"
	"github.com/dictum/dictum/internal/store"
	"github.com/dictum/dictum/internal/store/jobs"
	objectstore "github.com/dictum/dictum/internal/store/objects"
	"github.com/dictum/dictum/internal/store/vocabularyfilters"
	"github.com/dictum/dictum/internal/text/pii"
	"github.com/dictum/dictum/internal/transcribe/job"
	"github.com/dictum/dictum/internal/transcribe/language"
	streams "github.com/dictum/dictum/internal/transcribe/stream"
	"github.com/dictum/dictum/internal/transcribe/vocabularyfilter"
)

// Parts are what the command line knows and a configuration does not.
type Parts struct {
	Version string
	// EngineCommand starts the speech engine's process.
	EngineCommand []string
	// Ready is called once requests are answered.
	Ready func(Addresses)
}

// owner names this process as a holder of jobs. One process at a time has a data folder, so the
// name is always the same and a new process takes back at once what its predecessor held.
const owner = "dictum"

// Run serves until ctx ends, then lets requests and jobs end within the grace period and returns nil.
func Run(ctx context.Context, config Config, parts Parts) (err error) {
	if err := config.complete(); err != nil {
		return err
	}
	log := slog.Default()
	data, err := openDataDir(config.Data)
	if err != nil {
		return err
	}
	defer data.close()
	s, err := build(ctx, &config, data, parts, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.run(ctx, parts)
}

// server is one process's services, built and not yet running.
type server struct {
	config   *Config
	data     *dataDir
	log      *slog.Logger
	root     *kms.Root
	db       *store.DB
	security *security
	engine   *process.Supervisor
	streams  *streams.Sessions
	pool     *job.Pool
	keeper   *job.Keeper
	sites    *sites
	registry *prometheus.Registry
	objects  *embedded.Store
	// operators is the socket for the operator's commands.
	operators net.Listener
	// exporter is nil when the audit is not copied.
	exporter *export.Exporter
}

// build opens what is at rest and puts the services together. What it opened is closed when it fails.
func build(ctx context.Context, config *Config, data *dataDir, parts Parts, log *slog.Logger) (_ *server, err error) {
	s := &server{config: config, data: data, log: log, registry: newRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.root, err = config.openRoot(ctx); err != nil {
		return nil, err
	}
	if s.db, err = openDatabase(ctx, data.path, s.root); err != nil {
		return nil, err
	}
	if s.security, err = openSecurity(ctx, config, s.root, s.db, log); err != nil {
		return nil, err
	}
	index, err := objectstore.Open(ctx, s.db)
	if err != nil {
		return nil, err
	}
	s.objects, err = embedded.Open(embedded.Config{
		Dir: filepath.Join(data.path, "objects"), Index: index, Keys: kms.NewKeys(s.root, s.security.keys), Log: log,
	})
	if err != nil {
		return nil, err
	}
	if s.exporter, err = config.exporter(s.security.audit, s.objects, log); err != nil {
		return nil, err
	}
	// Nothing is started before the listeners are there: a port in use should stop the start early.
	if s.sites, err = openSites(ctx, config, log); err != nil {
		return nil, err
	}
	if s.operators, err = admin.Listen(ctx, data.path); err != nil {
		return nil, err
	}
	s.streams = streams.NewSessions(config.MaxStreams)
	s.engine = process.Start(process.Config{Command: parts.EngineCommand, Preload: config.Preload, Logger: log})
	jobService, filters, err := s.jobs(ctx)
	if err != nil {
		return nil, err
	}
	front, err := gateway.New(gateway.Config{
		Services:    s.services(jobService, filters),
		Credentials: s.security.credentials,
		Authorizer:  s.security.authorizer,
		Auditor:     s.security.audit,
		Used:        s.security.used,
		Observer:    newRequestMetrics(s.registry),
		SourceIP:    s.sites.sourceIP,
		PublicURL:   config.PublicURL,
		BodyTime:    3 * config.ClientTimeout,
		Log:         log,
	})
	if err != nil {
		return nil, err
	}
	s.registry.MustRegister(s.sites)
	s.registry.MustRegister(newEngineMetrics(s.engine))
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dictum_live_streams", Help: "Live streams that are open."},
		func() float64 { return float64(s.streams.Open()) }))
	s.sites.api.server.Handler = front
	if s.sites.also != nil {
		s.sites.also.server.Handler = front
	}
	s.sites.console.server.Handler = console.Handler(console.Config{
		API: s.origin(), Anywhere: config.PublicURL == "" && s.sites.api.anywhere(), Version: parts.Version, Region: config.Region,
		Languages: language.NewSet().Codes(), EntityTypes: streams.EntityTypes(),
	})
	s.sites.ops.server.Handler = opsHandler(s.registry, s.checks())
	return s, nil
}

// services are the AWS APIs.
func (s *server) services(jobService *job.Service, filters *vocabularyfilter.Service) []gateway.Service {
	return []gateway.Service{
		s3.New(s3.Config{Store: s.objects, Gate: s.security.keys, Names: s.security.directory, Domains: s.config.domains()}),
		sts.New(s.security.sts),
		iamapi.New(iamapi.Config{Directory: s.security.directory, Explainer: s.security.policies}),
		kmsapi.New(s.security.keys),
		cloudtrail.New(cloudtrail.Config{History: s.security.audit}),
		stream.New(stream.Config{
			Batch: transcribe.New(transcribe.Config{
				Jobs: jobService, Filters: filters, Presigner: links{s.security.links}, Keys: s.security.keys, Roles: s.security.directory,
			}),
			Recognizer: s.engine, Languages: language.NewSet(), Sessions: s.streams, Filters: filters, Observer: newStreamMetrics(s.registry),
			Edits: streams.Edits{Personal: streams.Personal(&pii.Detector{Tagger: s.engine})},
		}),
	}
}

// jobs puts together what requests do with jobs and the vocabulary filters that these name, the workers that run
// jobs, and the keeper that removes them.
func (s *server) jobs(ctx context.Context) (*job.Service, *vocabularyfilter.Service, error) {
	table, err := jobs.Open(ctx, s.db)
	if err != nil {
		return nil, nil, err
	}
	filterTable, err := vocabularyfilters.Open(ctx, s.db, table)
	if err != nil {
		return nil, nil, err
	}
	var quotas job.Quotas
	if s.config.Quotas == "aws" {
		quotas = job.AWSQuotas
	}
	observer := newJobMetrics(s.registry)
	rights := &job.Rights{
		Storage: guarded.New(guarded.Config{
			Objects: s.objects, Authorizer: s.security.authorizer, Gate: s.security.keys, Recorder: s.security.audit,
		}),
		Roles: s.security.sts, Keys: s.security.keys, Buckets: s.objects, Rules: guarded.NewRules(s.objects, s.security.keys),
		Authorizer: s.security.authorizer,
	}
	filters := &vocabularyfilter.Service{Store: filterTable, Rights: rights, Objects: s.objects, Buckets: s.objects, Quotas: quotas}
	s.pool = job.NewPool(job.PoolConfig{
		Queue: table, Rights: rights, Objects: s.objects, Audit: s.security.audit, Recognizer: s.engine, Observer: observer, Quotas: quotas,
		Filters: filters, Redactor: pii.Detector{Tagger: s.engine}, Audio: audio.Options{FFmpeg: s.config.FFmpeg}, Owner: owner, Workers: s.config.Jobs, Grace: s.config.Grace,
	})
	service := &job.Service{
		Store: table, Tags: table, Rights: rights, Objects: s.objects, Buckets: s.objects, Quotas: quotas, Observer: observer,
		Filters: filters, TagStores: map[string]job.TagStore{vocabularyfilter.Kind: filterTable},
		Accepted: s.pool.Wake, Deleted: s.pool.Cancel,
	}
	s.keeper = &job.Keeper{
		Service: service, Retention: s.config.Retention, OutputRetention: s.config.OutputRetention, Audit: s.security.audit,
	}
	return service, filters, nil
}

func (s *server) checks() []check {
	return []check{
		{"database", func(ctx context.Context) error { return s.db.Read().PingContext(ctx) }},
		{"audit", func(context.Context) error { return s.security.audit.Err() }},
		{"engine", func(context.Context) error {
			if s.engine.PID() == 0 {
				return errors.New("the speech engine process is being restarted")
			}
			return nil
		}},
	}
}

// origin is what clients on this machine call.
func (s *server) origin() string {
	if s.config.PublicURL != "" {
		return s.config.PublicURL
	}
	return s.sites.api.origin()
}

func (s *server) addresses() Addresses {
	a := Addresses{API: s.origin(), Console: s.sites.console.origin(), Ops: s.sites.ops.origin(), Region: s.config.Region}
	if files := certs.In(TLSDir(s.data.path)); s.config.TLSCert == "" && files.Exist() {
		a.Authority = files.Authority
	}
	return a
}

// run serves until ctx ends and everything has stopped.
func (s *server) run(ctx context.Context, parts Parts) error {
	if err := s.data.writeAccess(s.root, s.security.admin); err != nil {
		return err
	}
	if err := s.data.writeAddresses(s.addresses()); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.sites.serve(gctx, s.config.Grace) })
	group.Go(func() error {
		<-gctx.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Grace)
		defer cancel()
		s.streams.Stop(limit) // sockets are none of the listeners' requests any more
		return nil
	})
	group.Go(func() error { return s.pool.Run(gctx) })
	group.Go(func() error { return s.keeper.Run(gctx) })
	group.Go(func() error { return s.security.run(gctx, s.exporter) })
	group.Go(func() error {
		operator := admin.Local{Directory: s.security.directory, Recorder: s.security.audit, Keys: rotator{s.data.path, s.root}}
		return admin.Serve(gctx, s.operators, operator, s.log)
	})
	if parts.Ready != nil {
		parts.Ready(s.addresses())
	}
	s.log.Info("ready", "api", s.origin(), "data", s.data.path)
	err := group.Wait()
	s.log.Info("stopped")
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// close frees what build opened, in reverse.
func (s *server) close() error {
	var errs []error
	if s.sites != nil {
		s.sites.close()
	}
	if s.operators != nil {
		s.operators.Close()
	}
	if s.engine != nil {
		s.engine.Close()
	}
	if s.objects != nil {
		errs = append(errs, s.objects.Close())
	}
	if s.security != nil {
		errs = append(errs, s.security.audit.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}
