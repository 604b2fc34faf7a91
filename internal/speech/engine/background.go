package engine

import (
	"log/slog"
	"runtime"

	"golang.org/x/sys/unix"
)

// background is how much nicer Whisper's threads are than those of the low-latency model: where both want a processor,
// the latter gets it three times out of four. A window takes too long to encode for a live final to wait for it.
const background = 5

// beNice makes the thread of the goroutine, and all threads that it starts, nicer for good: a process may not take that
// back. So the goroutine keeps its thread, and the thread ends with it.
func beNice(log *slog.Logger) {
	runtime.LockOSThread()
	thread := unix.Gettid()
	now, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
	if err == nil {
		// The system call gives 20 - niceness; getpriority(2).
		err = unix.Setpriority(unix.PRIO_PROCESS, thread, min(20-now+background, 19))
	}
	if err != nil {
		log.Debug("make recognition in the background nicer", "err", err)
	}
}
