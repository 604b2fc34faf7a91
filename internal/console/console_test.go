package console_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/console"
)

var config = console.Config{
	API: "https://127.0.0.1:7600", Version: "1.2.3", Region: "eu-west-1", Languages: []string{"en-US", "fr-CA"}, EntityTypes: []string{"PHONE"},
}

// get asks a console for a page at a host.
func get(t *testing.T, c console.Config, host, path string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	console.Handler(c).ServeHTTP(w, r)
	return w, w.Body.String()
}

func TestPages(t *testing.T) {
	for path, wants := range map[string][]string{
		"/":     {"https://127.0.0.1:7600", "1.2.3", `href="/live"`},
		"/live": {`content="wss://127.0.0.1:7600"`, "1.2.3", "<option>fr-CA</option>", `value="PHONE"`, `value="eu-west-1"`},
	} {
		answer, body := get(t, config, "localhost:7601", path)
		if kind := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || kind != "text/html; charset=utf-8" {
			t.Errorf("%s answers %d, %s", path, answer.Code, kind)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %s", path, want)
			}
		}
		for _, inline := range []string{"<style", "style=", "<script>", " onclick", "javascript:"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s has %s, which its policy forbids", path, inline)
			}
		}
		h := answer.Header()
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s has the policy %s", path, policy)
			}
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s has the headers %v", path, h)
		}
	}
	if answer, _ := get(t, config, "localhost", "/elsewhere"); answer.Code != http.StatusNotFound {
		t.Errorf("/elsewhere answers %d", answer.Code)
	}
	answer, _ := get(t, config, "localhost", "/live")
	if policy := answer.Header().Get("Permissions-Policy"); !strings.Contains(policy, "microphone=(self)") {
		t.Errorf("the live page has the permissions %s", policy)
	}
}

func TestLivePageReachesTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		api, host string
		anywhere  bool
		want      string
		source    string // of the policy, where it is another
	}{
		"at its own address":                {"http://127.0.0.1:7600", "localhost:7601", false, "ws://127.0.0.1:7600", ""},
		"by TLS":                            {"https://api.example", "console.example", false, "wss://api.example", ""},
		"where the console is":              {"https://127.0.0.1:7600", "speech.example:7601", true, "wss://speech.example:7600", ""},
		"where the console is, at its port": {"https://127.0.0.1:7600", "10.1.2.3", true, "wss://10.1.2.3:7600", ""},
		"where the console is, by IPv6":     {"https://127.0.0.1:7600", "[2001:db8::1]:7601", true, "wss://[2001:db8::1]:7600", "wss://*:7600"},
		"at its own address of IPv6":        {"http://[::1]:7600", "localhost", false, "ws://[::1]:7600", "ws://*:7600"},
		"not where a policy would break":    {"https://127.0.0.1:7600", "x;script-src *:7601", true, "wss://127.0.0.1:7600", ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := get(t, console.Config{API: c.api, Anywhere: c.anywhere}, c.host, "/live")
			if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "connect-src "+cmp.Or(c.source, c.want)+";") || !strings.Contains(body, `content="`+c.want+`"`) {
				t.Errorf("the policy is %s, want %s", policy, c.want)
			}
		})
	}
}

func TestAssets(t *testing.T) {
	for path, kind := range map[string]string{
		"/assets/live.mjs": "text/javascript; charset=utf-8", "/assets/live.css": "text/css; charset=utf-8", "/assets/dictum.svg": "image/svg+xml",
	} {
		answer, body := get(t, config, "localhost", path)
		h := answer.Header()
		if h.Get("Content-Type") != kind || h.Get("X-Content-Type-Options") != "nosniff" || len(body) == 0 || h.Get("Etag") == "" {
			t.Errorf("%s answers %d with %v", path, answer.Code, h)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", h.Get("Etag"))
		w := httptest.NewRecorder()
		console.Handler(config).ServeHTTP(w, r)
		if w.Code != http.StatusNotModified {
			t.Errorf("%s answers %d to one who has it", path, w.Code)
		}
	}
	if answer, _ := get(t, config, "localhost", "/assets/"); answer.Code != http.StatusNotFound {
		t.Errorf("the folder answers %d", answer.Code)
	}
}
