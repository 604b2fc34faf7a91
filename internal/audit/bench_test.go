package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dictum/dictum/internal/audit"
)

// BenchmarkRecord measures until an event is durable, by one caller, by 64 that never rest, and by 64 that
// together make about 1,000 a second.
func BenchmarkRecord(b *testing.B) {
	for _, bm := range []struct {
		name    string
		callers int
		rest    time.Duration
	}{{"alone", 1, 0}, {"64 callers", 64, 0}, {"64 callers at 1000 a second", 64, 64 * time.Millisecond}} {
		b.Run(bm.name, func(b *testing.B) {
			callers := bm.callers
			l := open(b, audit.Config{Dir: b.TempDir(), Keys: keys(b)})
			record(b, l, start("warm"))
			times := make([][]time.Duration, callers)
			b.ResetTimer()
			var group sync.WaitGroup
			for i := range callers {
				group.Go(func() {
					time.Sleep(bm.rest * time.Duration(i) / time.Duration(callers)) // not all in one burst
					for range (b.N + callers - 1) / callers {
						began := time.Now()
						if err := l.Record(b.Context(), start("job")); err != nil {
							b.Error(err)
						}
						times[i] = append(times[i], time.Since(began))
						time.Sleep(bm.rest)
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

// BenchmarkLookup measures a page that is found at once, and one that is found nowhere in 20,000 records.
func BenchmarkLookup(b *testing.B) {
	l := open(b, audit.Config{Dir: b.TempDir(), Keys: keys(b)})
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			for range 200 {
				record(b, l, start("job"))
			}
		})
	}
	group.Wait()
	for name, attributes := range map[string][]audit.Attribute{"newest": nil, "none": {{Key: audit.KeyEventName, Value: "Nothing"}}} {
		b.Run(name, func(b *testing.B) {
			q := audit.Query{Account: "111122223333", Region: "us-west-2", Attributes: attributes}
			for b.Loop() {
				if _, err := l.Lookup(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify measures by bytes of the log.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := open(b, audit.Config{Dir: dir, Keys: keys(b)})
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			for range 200 {
				record(b, l, start("job"))
			}
		})
	}
	group.Wait()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.audit"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			b.SetBytes(info.Size())
		}
	}
	for b.Loop() {
		wantSound(b, dir)
	}
}
