// Package server builds one process out of the other packages from a Config and runs it:
// it alone knows them all. Start at Run.
package server

import (
	"fmt"
	"net"
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
	// PublicURL is the origin that URIs in answers carry, instead of the one the client called.
	PublicURL string `name:"public-url" help:"Origin of the URIs in answers, where a proxy hides the one clients call." placeholder:"URL"`
	// TLSCert and TLSKey are PEM files. Without them, those of dictum tls init in the data folder are used.
	TLSCert string `name:"tls-cert" help:"Server certificate, PEM." placeholder:"FILE" type:"path"`
	TLSKey  string `name:"tls-key" help:"Private key of the server certificate, PEM." placeholder:"FILE" type:"path"`
	// Region is the one that dictum env tells tools to use; every region is served.
	Region string `help:"Region that dictum env prints; every region is served." default:"us-east-1"`
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
	// Retention is how long job records and service-managed output are kept.
	Retention time.Duration `help:"How long job records and service-managed output are kept." default:"2160h"`
	// Grace is how long a shutdown waits for requests and jobs before it hands jobs back to the queue.
	Grace time.Duration `help:"How long a shutdown waits for jobs under way before it puts them back in the queue." default:"10s"`
}

// complete checks the configuration and fills what has no default in its tags.
func (c *Config) complete() error {
	if c.Threads <= 0 {
		c.Threads = runtime.NumCPU()
	}
	if c.Jobs < 1 {
		return fmt.Errorf("--jobs must be at least 1")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return fmt.Errorf("--tls-cert and --tls-key go together")
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

// loopback tells whether an address host:port is reachable from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
