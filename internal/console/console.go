// Package console serves the pages that people look at in a browser. For now that is one
// page that says what runs here and how to use it; it shows nothing that needs a login.
package console

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed index.html
var pages embed.FS

var index = template.Must(template.ParseFS(pages, "index.html"))

// Page is what the start page tells.
type Page struct {
	// API is the origin of the AWS APIs.
	API     string
	Version string
}

// Handler serves the console.
func Handler(page Page) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		_ = index.Execute(w, page) // the browser may have hung up
	})
	return mux
}
