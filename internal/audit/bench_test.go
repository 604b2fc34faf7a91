package audit_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
)

// BenchmarkRecord measures until an event is durable, by one caller and by 64 at the same time.
func BenchmarkRecord(b *testing.B) {
	for name, callers := range map[string]int{"alone": 1, "64 callers": 64} {
		b.Run(name, func(b *testing.B) {
			l := open(b, audit.Config{Dir: b.TempDir(), Keys: keys(b)})
			record(b, l, start("warm"))
			times := make([][]time.Duration, callers)
			b.ResetTimer()
			var group sync.WaitGroup
			for i := range callers {
				group.Go(func() {
					for range (b.N + callers - 1) / callers {
						began := time.Now()
						if err := l.Record(b.Context(), start("job")); err != nil {
							b.Error(err)
						}
						times[i] = append(times[i], time.Since(began))
					}
				})
			}
			group.Wait()
			b.StopTimer()
			all := slices.Concat(times...)
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
		})
	}
}
