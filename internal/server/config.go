// Package server builds one process out of the other packages from a Config and runs it:
// it alone knows them all. Start at Run.
package server

import (
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"time"
)

// Config is everything an operator can set. Each key is a flag of dictum serve, an environment
// variable (DICTUM_DATA, …) and a key of the YAML file.
type Config struct {
	// Data is the folder that holds the database, objects, keys and certificates.
	Data string `help:"Data folder; made at the first start." default:"${data}" type:"path"`
	// API, Console and Ops are where the listeners are, host:port. Port 0 takes a free one.
	API     string `name:"api" help:"Where the AWS APIs listen." default:"127.0.0.1:7600" placeholder:"HOST:PORT"`
	Console string `help:"Where the console listens." default:"127.0.0.1:7601" placeholder:"HOST:PORT"`
	Ops     string `help:"Where /healthz, /readyz and /metrics listen." default:"127.0.0.1:7602" placeholder:"HOST:PORT"`
	// APIAlso is where the APIs listen besides. AWS's browser client for streams goes to port 8443, whatever its endpoint says.
	APIAlso string `name:"api-also" help:"Where the AWS APIs listen besides: AWS's browser client for streams knows port 8443 only." placeholder:"HOST:PORT"`
	// PublicURL is the origin that URIs in answers carry, instead of the one the client called.
	PublicURL string `name:"public-url" help:"Origin of the URIs in answers, where a proxy hides the one clients call." placeholder:"URL"`
	// TLSCert and TLSKey are PEM files. Without them, those of dictum tls init in the data folder are used.
	TLSCert string `name:"tls-cert" help:"Server certificate, PEM." placeholder:"FILE" type:"path"`
	TLSKey  string `name:"tls-key" help:"Private key of the server certificate, PEM." placeholder:"FILE" type:"path"`
	// AllowPlaintext lifts the rule that listeners beyond loopback speak TLS only.
	AllowPlaintext bool `name:"allow-plaintext" help:"Listen beyond loopback without TLS where there is no certificate: everybody on the way can read and change what is sent."`
	// APIClientCA and ConsoleClientCA are PEM files. A listener that has one takes only clients with a
	// certificate of its authorities.
	APIClientCA     string `name:"api-client-ca" help:"Authorities of the client certificates that the API then requires, PEM." placeholder:"FILE" type:"path"`
	ConsoleClientCA string `name:"console-client-ca" help:"Authorities of the client certificates that the console then requires, PEM." placeholder:"FILE" type:"path"`
	// APIAllow, ConsoleAllow and OpsAllow are the networks from which a listener takes connections; empty means all.
	APIAllow     []string `name:"api-allow" help:"Networks from which the API takes connections; all when empty." placeholder:"CIDR"`
	ConsoleAllow []string `name:"console-allow" help:"Networks from which the console takes connections; all when empty." placeholder:"CIDR"`
	OpsAllow     []string `name:"ops-allow" help:"Networks from which operations take connections; all when empty." placeholder:"CIDR"`
	// TrustedProxy are the networks of proxies whose X-Forwarded-For header counts for aws:SourceIp.
	TrustedProxy []string `name:"trusted-proxy" help:"Networks of the proxies whose X-Forwarded-For tells where a request came from." placeholder:"CIDR"`
	// ClientTimeout is how long a client may take for its TLS handshake, and for the header of a request; three times as
	// long for the body of one that is not S3's.
	ClientTimeout time.Duration `name:"client-timeout" help:"How long a client may take for its TLS handshake, and for the header of a request; three times as long for a body outside S3." default:"10s"`
	// Region is the one that dictum env tells tools to use; every region is served.
	Region string `help:"Region that dictum env prints; every region is served." default:"us-east-1"`
	// RootKey is where the root of trust is; see RootSource.
	RootKey string `name:"root-key" help:"Root of trust: a file (root.key in the data folder when empty), env:NAME, or vault:https://HOST:8200/MOUNT/KEY." placeholder:"WHERE"`
	// Models is the folder of the models, shared by all data folders.
	Models string `help:"Models folder." env:"DICTUM_MODELS" placeholder:"DIR" type:"path"`
	// FFmpeg decodes what Go does not: MP4, M4A, AMR, WebM.
	FFmpeg string `name:"ffmpeg" help:"ffmpeg for MP4, M4A, AMR and WebM; found in PATH when empty." placeholder:"PATH"`
	// Threads is how many processor threads recognition uses; 0 means all cores.
	Threads int `help:"Processor threads for recognition; 0 means all cores." default:"0"`
	// Preload loads the models at start instead of with the first job.
	Preload bool `help:"Load the models at start."`
	// Jobs is how many jobs are worked on at the same time; their audio shares the engine's batches.
	Jobs int `help:"Jobs worked on at the same time." default:"4"`
	// Quotas is "off" or "aws".
	Quotas string `help:"Quotas: off, or aws for Amazon Transcribe's." enum:"off,aws" default:"off"`
	// MaxStreams is how many live streams an account has at once in a region, over HTTP/2 and over WebSockets each; 0 is AWS's 25.
	MaxStreams int `name:"max-streams" help:"Live streams of an account at once, over HTTP/2 and over WebSockets each." default:"25"`
	// LiveFinals is "quick" or BestFinals.
	LiveFinals string `name:"live-finals" help:"Finals of live English: quick, or best to have Whisper make them where it is fast enough; they come up to 0.3 s later then." enum:"quick,best" default:"quick"`
	// Retention is how long job records and service-managed output are kept.
	Retention time.Duration `help:"How long job records and service-managed output are kept." default:"2160h"`
	// OutputRetention is how long service-managed output is kept where that is shorter.
	OutputRetention time.Duration `name:"transcript-retention" help:"How long service-managed output is kept, where it is to go before the job record; 0 keeps it as long." default:"0"`
	// AuditRetention is how long audit records are kept; 0 keeps all.
	AuditRetention time.Duration `name:"audit-retention" help:"How long audit records are kept; 0 keeps all." default:"0"`
	// AuditSync is which events are synced to disk before the answer.
	AuditSync string `name:"audit-sync" help:"Events that are synced to disk before the answer: changes, or all; the others within 100 ms." enum:"changes,all" default:"changes"`
	// AuditExport is where audit records are copied: "stdout", or s3://BUCKET/PREFIX.
	AuditExport string `name:"audit-export" help:"Copy audit records to stdout as JSON lines, or to s3://BUCKET/PREFIX in CloudTrail's layout." placeholder:"WHERE"`
	// Grace is how long a shutdown waits for requests and jobs before it hands jobs back to the queue.
	Grace time.Duration `help:"How long a shutdown waits for jobs under way before it puts them back in the queue." default:"10s"`
}

// BestFinals is the value of Config.LiveFinals with which Whisper makes finals of live English too.
const BestFinals = "best"

// complete checks the configuration and fills what has no default in its tags.
func (c *Config) complete() error {
	if c.Threads <= 0 {
		c.Threads = runtime.NumCPU()
	}
	if c.Jobs < 1 {
		return fmt.Errorf("--jobs must be at least 1")
	}
	if c.MaxStreams < 0 {
		return fmt.Errorf("--max-streams must not be negative")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return fmt.Errorf("--tls-cert and --tls-key go together")
	}
	if c.ClientTimeout <= 0 {
		return fmt.Errorf("--client-timeout must be more than nothing, such as 10s")
	}
	if _, err := c.networks(); err != nil {
		return err
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("--public-url must be an http or https URL, such as https://dictum.example")
		}
		c.PublicURL = u.Scheme + "://" + u.Host
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("find data folder: %w", err)
	}
	c.Data = abs
	return nil
}

// domains are the host names below which clients may put a bucket's name, as SDKs do by default.
func (c *Config) domains() []string {
	names := []string{"localhost"}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	return names
}
