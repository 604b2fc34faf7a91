package audio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// copyBuffer is the size of the pieces that media is copied in, in bytes.
const copyBuffer = 256 << 10

// sealedCopy copies the media into memory that has no name in any file system and, once
// sealed, cannot be changed by anyone (memfd_create(2), fcntl(2) "File Sealing").
func sealedCopy(src io.Reader) (*os.File, error) {
	fd, err := unix.MemfdCreate("dictum-media", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("create a memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "media")
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{src}, make([]byte, copyBuffer))
	if err == nil {
		seals := unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("fill a memory file: %w", err)
	}
	return f, nil
}

// child is a confined process whose output is read.
type child struct {
	stdout *os.File
	cmd    *exec.Cmd
	stderr tailBuffer
	cancel context.CancelFunc
	done   chan struct{} // closed when the process has been waited for
	err    error         // how it ended; set before done is closed
	once   sync.Once
}

// startChild runs a program with media as descriptor 3 and nothing else of ours: no standard
// input, no environment, a process group of its own that dies with us, resource limits set
// before the program begins, no new privileges, no sockets.
func startChild(ctx context.Context, path string, args []string, media *os.File) (*child, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for ffmpeg: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &child{stdout: read, cancel: cancel, done: make(chan struct{})}
	// The limits are set by the shell, which then becomes the program: Go has no place between
	// fork and exec for it, and setting them from outside would come too late.
	c.cmd = exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", limitScript(), path}, args...)...)
	c.cmd.Env = []string{}
	c.cmd.Dir = "/"
	c.cmd.Stdout = write
	c.cmd.Stderr = &c.stderr
	c.cmd.ExtraFiles = []*os.File{media}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.cmd.Cancel = func() error { return syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }
	c.cmd.WaitDelay = 5 * time.Second // for standard error, should anything hold it open
	started := make(chan error)
	go c.run(started)
	err = <-started
	_ = write.Close()
	if err != nil {
		cancel()
		_ = read.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return c, nil
}

// run starts the process and waits for it on a thread of its own. A child inherits the
// confinement of the thread that forks it, and is sent its death signal when that thread
// ends; so the thread is confined first, stays until the child is gone, and is never used again:
// a goroutine that ends locked takes its thread with it.
func (c *child) run(started chan<- error) {
	runtime.LockOSThread()
	defer close(c.done)
	if err := confineThread(); err != nil {
		started <- fmt.Errorf("confine: %w", err)
		return
	}
	if err := c.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	c.err = c.cmd.Wait()
}

// stop waits for the end of the process, which must have closed its output, and returns how it
// ended. One that then lingers is killed.
func (c *child) stop() error {
	linger := time.AfterFunc(stallTimeout, c.cancel)
	defer linger.Stop()
	<-c.done
	c.cancel()
	c.once.Do(func() { _ = c.stdout.Close() })
	return c.err
}

// kill ends the process, however far it is, and waits for it.
func (c *child) kill() {
	c.cancel()
	_ = c.stop()
}

// messages is the last of what the process said on standard error. It is complete after stop.
func (c *child) messages() string { return c.stderr.String() }

// limitScript sets what the process may use, or less where we have less ourselves, and runs it.
// No file may grow, so nothing can be written but the pipe; no core is left behind.
func limitScript() string {
	var script strings.Builder
	set := func(flag string, resource int, unit, want uint64) {
		var own unix.Rlimit
		if unix.Getrlimit(resource, &own) == nil {
			want = min(want, own.Max)
		}
		script.WriteString("ulimit -" + flag + " " + strconv.FormatUint(want/unit, 10) + " && ")
	}
	set("c", unix.RLIMIT_CORE, 1, 0)
	set("f", unix.RLIMIT_FSIZE, 512, 0)
	set("n", unix.RLIMIT_NOFILE, 1, childFiles)
	set("t", unix.RLIMIT_CPU, 1, uint64(childCPU.Seconds()))
	set("v", unix.RLIMIT_AS, 1024, childMemory)
	script.WriteString(`exec "$0" "$@"`)
	return script.String()
}

// confineThread bars this thread, and all it forks, from gaining privileges (prctl(2)
// PR_SET_NO_NEW_PRIVS) and from system calls that reach beyond its own process: sockets above
// all (seccomp(2)). Kernels without seccomp leave the first.
func confineThread() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	filter := seccompFilter()
	if filter == nil {
		return nil
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	runtime.KeepAlive(filter)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("set seccomp filter: %w", err)
	}
	return nil
}

// deniedCalls fail with EPERM. It is a list of what must not be, since what a distribution's
// ffmpeg and its loader need is not ours to know.
var deniedCalls = []uint32{
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_IO_URING_SETUP, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT,
	unix.SYS_FCHMODAT, unix.SYS_FCHOWNAT, unix.SYS_TRUNCATE, unix.SYS_SETSID, unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE,
}

// seccompFilter is the list as a program for the kernel (Documentation/userspace-api/seccomp_filter.rst):
// offset 0 of what it is given is the call, 4 the architecture.
func seccompFilter() []unix.SockFilter {
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return nil
	}
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		same = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		over = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
		// x32Bit marks calls by the second numbering of x86-64, which would pass the list by.
		x32Bit = 0x40000000
	)
	calls := append(append([]uint32(nil), deniedCalls...), legacyCalls...)
	filter := []unix.SockFilter{
		{Code: load, K: 4},
		{Code: same, Jt: 1, K: arch},
		{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: 0},
		{Code: over, Jt: uint8(len(calls) + 1), K: x32Bit},
	}
	for i, call := range calls {
		filter = append(filter, unix.SockFilter{Code: same, Jt: uint8(len(calls) - i), K: call})
	}
	return append(filter,
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	)
}
