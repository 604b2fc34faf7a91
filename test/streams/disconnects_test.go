package streams_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/dictum/dictum/test/harness"
)

// slack is how much more memory a process may hold after hundreds of broken streams than after as many others, which have
// made its pools and heaps as large as they become. Over 1,600 streams the engine stays within 10 MiB; the server's live
// heap does not grow, but what its collector keeps for later does, by some 5 MiB in 200 streams.
const slack = 32 << 20

// held is what a server's processes hold.
type held struct {
	server, engine                        int64 // bytes of memory
	goroutines, files, engineFiles, tasks int
}

func (h held) String() string {
	return fmt.Sprintf("server %d MiB, %d goroutines, %d files; engine %d MiB, %d threads, %d files",
		h.server>>20, h.goroutines, h.files, h.engine>>20, h.tasks, h.engineFiles)
}

func holds(t *testing.T, server *harness.Server) held {
	t.Helper()
	child := engine(t, server)
	count := func(folder string) int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", child, folder))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	return held{
		server: harness.Resident(t, server.Pid()), engine: harness.Resident(t, child),
		goroutines: int(server.Metric(t, "go_goroutines")), files: int(server.Metric(t, "process_open_fds")),
		engineFiles: count("fd"), tasks: count("task"),
	}
}

func TestAbruptDisconnects(t *testing.T) {
	server, pcm := harness.Run(t), speech(t)
	// breakOne opens a stream and breaks it: when it has just begun, while audio comes, or while results do.
	breakOne := func(open opener, kind int) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := open(ctx, t, server)
		if err != nil {
			return err
		}
		defer s.drop()
		const second = 32000
		switch kind {
		case 0:
			return nil
		case 1:
			return talk(ctx, s, pcm[:second])
		case 2:
			return talk(ctx, s, pcm[:6*second])
		default:
			return errors.Join(talk(ctx, s, pcm[:8*second]), s.hear(ctx))
		}
	}
	round := func() held {
		for name, open := range transports {
			for range 5 {
				together(20, func(i int) {
					if err := breakOne(open, i%4); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
				awaitNone(t, server)
			}
		}
		return holds(t, server)
	}
	before := round()
	t.Logf("after 200 broken streams: %v", before)
	after := round()
	t.Logf("after 400: %v", after)
	if after.server > before.server+slack || after.engine > before.engine+slack {
		t.Errorf("memory has grown from %v to %v", before, after)
	}
	// Connections that were just closed may not have been forgotten by all, and threads come and go with what is computed.
	harness.Until(t, 10*time.Second, "goroutines and files have gone", func() bool {
		after = holds(t, server)
		return after.goroutines <= before.goroutines+10 && after.files <= before.files+10 && after.engineFiles <= before.engineFiles+2 && after.tasks <= before.tasks+30
	})
	t.Logf("in the end: %v", after)

	t.Run("as many streams as ever can be opened", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for name, open := range transports {
			var all []stream
			for i := range limit {
				s, err := open(ctx, t, server)
				if err != nil {
					t.Fatalf("%s: stream %d: %v", name, i+1, err)
				}
				all = append(all, s)
			}
			more, err := open(ctx, t, server)
			if err == nil {
				err = more.wait(ctx)
			}
			if code := codeOf(err); code != "LimitExceededException" {
				t.Errorf("%s: one more ends with %v", name, err)
			}
			together(limit, func(i int) {
				if err := errors.Join(all[i].send(ctx, nil), all[i].wait(ctx)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		awaitNone(t, server)
	})
}

// codeOf is the code of what ended a stream.
func codeOf(err error) string {
	var e exception
	if errors.As(err, &e) {
		return string(e)
	}
	return harness.ErrorCode(err)
}
