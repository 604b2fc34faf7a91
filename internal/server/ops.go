package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// check is one thing that must hold for the server to take work.
type check struct {
	name string
	run  func(ctx context.Context) error
}

// checkTimeout bounds each readiness check.
const checkTimeout = 2 * time.Second

// opsHandler answers /healthz (the process runs), /readyz (it can take work; the body says what
// it cannot) and /metrics.
func opsHandler(registry *prometheus.Registry, checks []check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerStatus(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		status, report := http.StatusOK, map[string]string{}
		for _, c := range checks {
			report[c.name] = "ok"
			if err := c.run(ctx); err != nil {
				status = http.StatusServiceUnavailable
				report[c.name] = err.Error()
			}
		}
		answerStatus(w, status, report)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, Timeout: 5 * time.Second}))
	return mux
}

func answerStatus(w http.ResponseWriter, status int, report map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report) // the prober may have hung up
}
