// Package console serves the pages that people look at in a browser: one that says what runs here and how to use it,
// and one that transcribes the microphone while somebody speaks. They are files without a build step, and show nothing
// that needs a login: the live page signs its stream itself, with keys that whoever looks at it types in. Start at Handler.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed index.html live.html assets
var files embed.FS

var pages = template.Must(template.ParseFS(files, "index.html", "live.html"))

// Config is what the pages tell.
type Config struct {
	// API is the origin of the AWS APIs.
	API string
	// Anywhere says that the API listens on all addresses: browsers then find it at the host at which they found the console.
	Anywhere bool
	Version  string
	// Region is the one that the live page proposes.
	Region string
	// Languages are the codes of the languages that streams may be in: "en-US".
	Languages []string
	// EntityTypes are the types of personal information that streams find: "PHONE".
	EntityTypes []string
}

// view is what a page's template shows.
type view struct {
	Config
	// Socket is the origin of the API's WebSockets.
	Socket string
}

// hostname is a name or an address, as it stands in a URL.
var hostname = regexp.MustCompile(`^([0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\])$`)

// Handler serves the console.
func Handler(config Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		page(w, "index.html", "default-src 'none'; style-src 'self'; img-src 'self'", view{Config: config})
	})
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, r *http.Request) {
		socket, source := config.socket(r)
		// No other page may use the microphone in this one's name, and this one reaches the API and nothing else.
		w.Header().Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=(), display-capture=()")
		page(w, "live.html", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "+source+
			"; require-trusted-types-for 'script'", view{config, socket})
	})
	for name, asset := range assets() {
		mux.Handle("GET /assets/"+name, asset)
	}
	return mux
}

// socket is the origin of the API's WebSockets for the browser that asks, and the source that a policy has for it.
func (c *Config) socket(r *http.Request) (origin, source string) {
	u, err := url.Parse(c.API)
	if err != nil {
		return "", "'none'"
	}
	at := url.URL{Host: r.Host}
	name := at.Hostname()
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if c.Anywhere && hostname.MatchString(name) {
		u.Host = name + ":" + u.Port()
	}
	scheme := strings.Replace(u.Scheme, "http", "ws", 1) + "://"
	source = scheme + u.Host
	if strings.Contains(u.Hostname(), ":") {
		source = strings.TrimSuffix(scheme+"*:"+u.Port(), ":") // CSP3 §2.3.1 has no addresses of IPv6
	}
	return scheme + u.Host, source
}

// page writes a page. Policy comes before what holds for all pages.
func page(w http.ResponseWriter, name, policy string, content view) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	harden(h)
	_ = pages.ExecuteTemplate(w, name, content) // the browser may have hung up
}

func harden(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// asset is a file that pages load.
type asset struct {
	name, kind, tag string
	content         []byte
}

// kinds are the media types of assets. The system's own table may have others for these names.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// assets reads the embedded files. A name whose type is unknown is a mistake of the build.
func assets() map[string]*asset {
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		panic(fmt.Sprintf("console: %v", err))
	}
	out := map[string]*asset{}
	for _, entry := range entries {
		name := entry.Name()
		content, err := files.ReadFile("assets/" + name)
		if err != nil || kinds[path.Ext(name)] == "" {
			panic(fmt.Sprintf("console: asset %s: %v", name, err))
		}
		sum := sha256.Sum256(content)
		out[name] = &asset{name, kinds[path.Ext(name)], `"` + hex.EncodeToString(sum[:8]) + `"`, content}
	}
	return out
}

// ServeHTTP implements http.Handler. Browsers keep assets and ask each time whether they are the same still.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", a.tag)
	harden(h)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.content))
}
