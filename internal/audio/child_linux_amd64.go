package audio

import "golang.org/x/sys/unix"

// legacyCalls are older forms of the denied calls, which newer architectures do not have.
var legacyCalls = []uint32{
	unix.SYS_UNLINK, unix.SYS_RMDIR, unix.SYS_MKDIR, unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_LINK, unix.SYS_SYMLINK,
	unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN,
}
