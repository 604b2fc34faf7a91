package streams_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dictum/dictum/test/harness"
)

// TestClientsFasterThanSpeech has as many clients as fit send all they can: they are slowed to what is recognised, and what
// waits takes no memory to speak of.
func TestClientsFasterThanSpeech(t *testing.T) {
	server, pcm := harness.Run(t), speech(t)
	const clients, lasts = 8, 6 * time.Second
	// What a connection's buffers hold on both sides, in bytes.
	const inConnections = clients * 16 << 20
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			recognised := server.Total(t, "dictum_live_audio_seconds_total")
			pumping, cancel := context.WithCancel(t.Context())
			defer cancel()
			var sent atomic.Int64
			var group sync.WaitGroup
			for range clients {
				s, err := open(t.Context(), t, server)
				if err != nil {
					t.Fatal(err)
				}
				stop := context.AfterFunc(pumping, s.drop)
				defer stop()
				group.Go(func() { _ = s.wait(t.Context()) }) // it is broken off
				group.Go(func() {
					for at := 0; s.send(t.Context(), pcm[at:at+atOnce]) == nil; at = (at + atOnce) % (len(pcm) - atOnce) {
						sent.Add(atOnce)
					}
				})
			}
			time.Sleep(lasts / 3) // models are loaded, and buffers are full
			before := holds(t, server)
			time.Sleep(lasts * 2 / 3)
			after := holds(t, server)
			cancel()
			group.Wait()
			awaitNone(t, server)
			recognised = server.Total(t, "dictum_live_audio_seconds_total") - recognised
			t.Logf("%.0f s of audio were taken and %.0f s recognised in %v; %v, then %v", float64(sent.Load())/32000, recognised, lasts, before, after)
			if waiting := sent.Load() - int64(recognised*32000); waiting > inConnections {
				t.Errorf("%d bytes of audio were taken and not recognised", waiting)
			}
			if after.server > before.server+slack || after.engine > before.engine+slack {
				t.Errorf("memory has grown from %v to %v", before, after)
			}
		})
	}
}

// TestAnEngineThatDies has streams end as they do when the server stops; those that come after are served.
func TestAnEngineThatDies(t *testing.T) {
	server, pcm := harness.Run(t), speech(t)
	const second = 32000
	var all []stream
	for _, open := range transports {
		s, err := open(t.Context(), t, server)
		if err != nil {
			t.Fatal(err)
		}
		if err := talk(t.Context(), s, pcm[:8*second]); err != nil {
			t.Fatal(err)
		}
		if err := s.hear(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := syscall.Kill(engine(t, server), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, s := range all {
		if err := s.wait(ctx); codeOf(err) != "ServiceUnavailableException" {
			t.Errorf("the stream ends with %v", err)
		}
	}
	for name, open := range transports {
		s, err := open(ctx, t, server)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := talk(ctx, s, pcm[:8*second]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.hear(ctx); err != nil {
			t.Errorf("%s: the next stream: %v", name, err)
		}
		s.drop()
	}
	awaitNone(t, server)
}
