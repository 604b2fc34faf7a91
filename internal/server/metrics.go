package server

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dictum/dictum/internal/api/stream"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/speech/engine"
	"github.com/dictum/dictum/internal/speech/engine/process"
	"github.com/dictum/dictum/internal/transcribe/job"
	streams "github.com/dictum/dictum/internal/transcribe/stream"
)

// requestMetrics counts requests to the AWS APIs.
type requestMetrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	control  *prometheus.HistogramVec
}

var _ gateway.Observer = (*requestMetrics)(nil)

func newRequestMetrics(r prometheus.Registerer) *requestMetrics {
	auto := promauto.With(r)
	return &requestMetrics{
		requests: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "dictum_requests_total", Help: "API requests by service, action and HTTP status.",
		}, []string{"service", "action", "status"}),
		seconds: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dictum_request_seconds", Help: "Time from an API request's headers to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30},
		}, []string{"service", "action"}),
		control: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dictum_request_control_seconds", Help: "Time that authorisation and the audit took of an API request.",
			Buckets: []float64{.0001, .0002, .0003, .0004, .0005, .0006, .0007, .0008, .0009, .001, .002, .005, .01, .05},
		}, []string{"service", "action"}),
	}
}

// Observe implements gateway.Observer.
func (m *requestMetrics) Observe(service, action string, status int, took, controlled time.Duration) {
	m.requests.WithLabelValues(service, action, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(service, action).Observe(took.Seconds())
	m.control.WithLabelValues(service, action).Observe(controlled.Seconds())
}

// jobMetrics follows transcription jobs.
type jobMetrics struct {
	depth    *prometheus.GaugeVec
	accepted prometheus.Counter
	finished *prometheus.CounterVec
	failures *prometheus.CounterVec
	retries  *prometheus.CounterVec
	audio    prometheus.Counter
	wait     prometheus.Histogram
	latency  prometheus.Histogram
	speed    prometheus.Histogram
}

var _ job.Observer = (*jobMetrics)(nil)

func newJobMetrics(r prometheus.Registerer) *jobMetrics {
	auto := promauto.With(r)
	seconds := prometheus.ExponentialBuckets(0.25, 2, 16) // to 2 h
	return &jobMetrics{
		depth: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dictum_jobs", Help: "Jobs that have not ended: queued (deferred by quota), waiting for a worker, running.",
		}, []string{"state"}),
		accepted: auto.NewCounter(prometheus.CounterOpts{
			Name: "dictum_jobs_accepted_total", Help: "Jobs accepted.",
		}),
		finished: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "dictum_jobs_finished_total", Help: "Jobs that ended, by status.",
		}, []string{"status"}),
		failures: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "dictum_job_failures_total", Help: "Failed jobs by kind of reason.",
		}, []string{"reason"}),
		retries: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "dictum_job_retries_total", Help: "Attempts that ended without an end of the job, by cause.",
		}, []string{"cause"}),
		audio: auto.NewCounter(prometheus.CounterOpts{
			Name: "dictum_job_audio_seconds_total", Help: "Length of the media of completed jobs.",
		}),
		wait: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "dictum_job_wait_seconds", Help: "Time a job waited for a worker.", Buckets: seconds,
		}),
		latency: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "dictum_job_latency_seconds", Help: "Time from the request to the end of a job.", Buckets: seconds,
		}),
		speed: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "dictum_job_realtime_factor", Help: "Seconds of media done in a second of work, per completed job.",
			Buckets: []float64{.5, 1, 2, 5, 10, 15, 20, 30, 40, 60, 80, 120},
		}),
	}
}

// Accepted implements job.Observer.
func (m *jobMetrics) Accepted(job.Job) { m.accepted.Inc() }

// Claimed implements job.Observer.
func (m *jobMetrics) Claimed(_ job.Job, waited time.Duration) { m.wait.Observe(waited.Seconds()) }

// Progressed implements job.Observer.
func (m *jobMetrics) Progressed(job.Job, time.Duration) {}

// Retried implements job.Observer.
func (m *jobMetrics) Retried(_ job.Job, cause string) { m.retries.WithLabelValues(cause).Inc() }

// Finished implements job.Observer.
func (m *jobMetrics) Finished(r job.Report) {
	m.finished.WithLabelValues(string(r.Job.Status)).Inc()
	m.latency.Observe(r.Latency.Seconds())
	if r.Job.Status == job.Failed {
		m.failures.WithLabelValues(r.Job.Failure.Kind).Inc()
		return
	}
	m.audio.Add(r.Audio.Seconds())
	if r.Busy > 0 {
		m.speed.Observe(r.Audio.Seconds() / r.Busy.Seconds())
	}
}

// Depth implements job.Observer.
func (m *jobMetrics) Depth(d job.Depth) {
	m.depth.WithLabelValues("queued").Set(float64(d.Queued))
	m.depth.WithLabelValues("waiting").Set(float64(d.Waiting))
	m.depth.WithLabelValues("running").Set(float64(d.Running))
}

// streamMetrics counts live streams.
type streamMetrics struct {
	ended *prometheus.CounterVec
	audio *prometheus.CounterVec
}

var _ stream.Observer = (*streamMetrics)(nil)

func newStreamMetrics(r prometheus.Registerer) *streamMetrics {
	auto := promauto.With(r)
	return &streamMetrics{
		ended: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "dictum_live_streams_ended_total", Help: "Live streams that ended: completed, disconnected, or by the code of an exception.",
		}, []string{"operation", "transport", "outcome"}),
		audio: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "dictum_live_audio_seconds_total", Help: "Audio of live streams that ended.",
		}, []string{"operation", "transport"}),
	}
}

// StreamEnded implements stream.Observer.
func (m *streamMetrics) StreamEnded(operation string, transport streams.Transport, outcome string, audio time.Duration) {
	m.ended.WithLabelValues(operation, string(transport), outcome).Inc()
	m.audio.WithLabelValues(operation, string(transport)).Add(audio.Seconds())
}

// engineMetrics asks the engine process for its figures when it is scraped. The engine's own
// counters start anew with its process, as Prometheus expects of counters.
type engineMetrics struct {
	engine   *process.Supervisor
	up       *prometheus.Desc
	restarts *prometheus.Desc
	audio    *prometheus.Desc
	busy     *prometheus.Desc
	windows  *prometheus.Desc
	tokens   *prometheus.Desc
	retries  *prometheus.Desc
	dropped  *prometheus.Desc
	waiting  *prometheus.Desc
	streams  *prometheus.Desc
	partials *prometheus.Desc
	spoken   *prometheus.Desc
	finals   *prometheus.Desc
	refined  *prometheus.Desc
}

var _ prometheus.Collector = (*engineMetrics)(nil)

func newEngineMetrics(engine *process.Supervisor) *engineMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("dictum_engine_"+name, help, labels, nil)
	}
	return &engineMetrics{
		engine:   engine,
		up:       desc("up", "1 when the speech engine process answers."),
		restarts: desc("restarts_total", "Engine processes that died unasked."),
		audio:    desc("audio_seconds_total", "Audio recognised by the running engine process."),
		busy:     desc("busy_seconds_total", "Time the running engine process spent in models, by part.", "part"),
		windows:  desc("windows_total", "Windows of speech recognised."),
		tokens:   desc("tokens_total", "Text tokens decoded."),
		retries:  desc("window_retries_total", "Windows decoded again because their text was not credible."),
		dropped:  desc("window_drops_total", "Windows whose text was thrown away because nobody spoke."),
		waiting:  desc("windows_waiting", "Windows that wait, by priority.", "priority"),
		streams:  desc("streams", "Live sessions, one for each channel of a stream."),
		partials: desc("live_partials_total", "Partial results of live sessions; speech by these is how far apart they are."),
		spoken:   desc("live_speech_seconds_total", "Speech of live sessions that has its final."),
		finals:   desc("live_final_delay_seconds", "From when the end of speech came to the final."),
		refined:  desc("live_finals_refined_total", "Finals of English whose text Whisper made in time."),
	}
}

// Describe implements prometheus.Collector.
func (m *engineMetrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *engineMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	counter(m.restarts, float64(m.engine.Restarts()))
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	s, err := m.engine.Stats(ctx)
	if err != nil {
		gauge(m.up, 0)
		return
	}
	gauge(m.up, 1)
	counter(m.audio, s.AudioSeconds)
	counter(m.busy, s.EncodeSeconds, "encode")
	counter(m.busy, s.DecodeSeconds, "decode")
	counter(m.windows, float64(s.Windows))
	counter(m.tokens, float64(s.Tokens))
	counter(m.retries, float64(s.Retries))
	counter(m.dropped, float64(s.Dropped))
	gauge(m.streams, float64(s.Streams))
	counter(m.partials, float64(s.LivePartials))
	counter(m.spoken, s.LiveSpeechSeconds)
	counter(m.refined, float64(s.LiveRefined))
	within := make(map[float64]uint64)
	for i, n := range s.LiveFinalsWithin[:min(len(s.LiveFinalsWithin), len(engine.LiveDelays))] {
		within[engine.LiveDelays[i]] = uint64(n)
	}
	ch <- prometheus.MustNewConstHistogram(m.finals, uint64(s.LiveFinals), s.LiveFinalSeconds, within)
	gauge(m.waiting, float64(s.QueuedLive), "live")
	gauge(m.waiting, float64(s.QueuedInteractive), "interactive")
	gauge(m.waiting, float64(s.QueuedBatch), "batch")
}

// newRegistry has the collectors of the Go runtime and the process.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
