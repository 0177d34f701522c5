// Package socketfile listens at Unix sockets whose files are in order: who may connect is said by mode and group, a file is
// removed by the program whose it is, and one that nobody answers at is replaced.
package socketfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	ownerMode = 0o600 // of a socket's file, unless the caller says something else
	groupMode = 0o660 // the same if it is given to a group
)

// A socket is a listening socket whose file is removed when it is closed, unless the file is another socket's by then.
type socket struct {
	net.Listener
	path   string
	file   os.FileInfo
	remove func()
}

// Listen listens at a path. Who may connect is who may write to its file: by default its owner, and the group if there is one.
// Before mode and group are set, only the owner may.
//
// A socket file that nobody answers at is replaced. The folder is locked meanwhile, so that of two programs which are started
// at once one finds the other. The error is [syscall.EADDRINUSE] then, or [ErrNoGroup], or the system's.
func Listen(path string, mode fs.FileMode, group string) (net.Listener, error) {
	defer lockFolder(filepath.Dir(path))()
	config := net.ListenConfig{Control: makePrivate}
	listen := func() (net.Listener, error) {
		defer maskPrivate()()
		return config.Listen(context.Background(), "unix", path)
	}
	l, err := listen()
	if errors.Is(err, syscall.EADDRINUSE) {
		if err = removeStale(path, err); err == nil {
			l, err = listen()
		}
	}
	if err != nil {
		return nil, err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	s := &socket{Listener: l, path: path}
	s.remove = sync.OnceFunc(s.removeOwn)
	s.file, err = os.Lstat(path)
	if err == nil {
		err = admitTo(path, mode, group)
	}
	if err != nil {
		if s.file != nil {
			_ = os.Remove(path) // it was made just now, and the error matters more
		}
		_ = l.Close()
		return nil, err
	}
	return s, nil
}

// removeStale removes the file of a socket that nobody answers at. Otherwise it returns taken, or what is in the way.
func removeStale(path string, taken error) error {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%w: the file there is not a socket", taken)
	}
	if nc, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			_ = nc.Close() // it was opened to see whether somebody answers
		}
		return taken
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("a socket that nobody answers at cannot be removed: %w", err)
	}
	return nil
}

// admitTo sets who may connect.
func admitTo(path string, mode fs.FileMode, group string) error {
	if group != "" {
		gid, err := groupID(group)
		if err != nil {
			return err
		}
		if err := os.Lchown(path, -1, gid); err != nil {
			return fmt.Errorf("the socket cannot be given to the group %s: %w", group, err)
		}
	}
	switch {
	case mode != 0:
	case group != "":
		mode = groupMode
	default:
		mode = ownerMode
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("the mode of the socket cannot be set: %w", err)
	}
	return nil
}

func groupID(group string) (int, error) {
	if g, err := user.LookupGroup(group); err == nil {
		group = g.Gid
	}
	gid, err := strconv.ParseUint(group, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", ErrNoGroup, group)
	}
	return int(gid), nil
}

// ErrNoGroup is the error of a group that there is not.
var ErrNoGroup = errors.New("there is no such group")

// Close removes the file and ends listening.
func (s *socket) Close() error {
	s.remove()
	return s.Listener.Close()
}

// removeOwn removes the file while it is this socket's. As long as that listens, no other file has its number.
func (s *socket) removeOwn() {
	defer lockFolder(filepath.Dir(s.path))()
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		_ = os.Remove(s.path) // a file that is left is replaced by the next hub
	}
}

const (
	lockTime  = 2 * time.Second      // bounds the wait for another hub that makes or removes its socket in the same folder
	lockPause = 5 * time.Millisecond // between two looks whether it has
)

// lockFolder locks a folder and returns what unlocks it. If that does not work, because the system has no locks, or the folder
// may not be read, or somebody keeps it locked, two hubs that are started at once may not find each other, and that is all.
func lockFolder(folder string) (unlock func()) {
	f, err := os.Open(folder)
	if err != nil {
		return func() {}
	}
	late := time.NewTimer(lockTime)
	defer late.Stop()
	again := time.NewTicker(lockPause)
	defer again.Stop()
	for errors.Is(tryLock(f), syscall.EWOULDBLOCK) {
		select {
		case <-again.C:
			continue
		case <-late.C:
		}
		break
	}
	return func() { _ = f.Close() } // which unlocks it
}
