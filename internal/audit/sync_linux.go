package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes a file's content durable, without the times in its inode.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
