package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrDataInUse means that another dictum process works in the data folder.
var ErrDataInUse = errors.New("another dictum process uses the data folder")

// dataDir is a data folder that this process holds alone.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir makes the folder where needed, private to its owner, and locks it. The kernel
// drops the lock when the process ends, however it ends.
func openDataDir(path string) (*dataDir, error) {
	// Files that libraries make on their own, such as the database's log, are the owner's alone too.
	unix.Umask(0o077)
	// A core file would hold audio and keys. It can always be set to nothing.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w; stop it, or give --data another folder", path, ErrDataInUse)
		}
		return nil, fmt.Errorf("lock data folder %s: %w", path, err)
	}
	return &dataDir{path: path, lock: lock}, nil
}

func (d *dataDir) close() { d.lock.Close() }

// TLSDir is where a data folder has the certificates of dictum tls init.
func TLSDir(data string) string { return filepath.Join(data, "tls") }

// Addresses are the origins at which a running server listens; it leaves them in its data
// folder for dictum env.
type Addresses struct {
	API     string `json:"api"`
	Console string `json:"console"`
	Ops     string `json:"ops"`
	Region  string `json:"region"`
	// Authority is the PEM file that clients must trust, empty without TLS.
	Authority string `json:"authority,omitempty"`
}

func addressesFile(data string) string { return filepath.Join(data, "addresses.json") }

// ReadAddresses returns what the server last wrote; fs.ErrNotExist before its first start.
func ReadAddresses(data string) (Addresses, error) {
	var a Addresses
	b, err := os.ReadFile(addressesFile(data))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("read %s: %w", addressesFile(data), err)
	}
	return a, nil
}

func (d *dataDir) writeAddresses(a Addresses) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(addressesFile(d.path), append(b, '\n'))
}

// writeFile replaces name in one step, private to its owner.
func writeFile(name string, content []byte) error {
	temp := name + ".new"
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(temp, name); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), ignoreMissing(os.Remove(temp)))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
