//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package socketfile

import (
	"errors"
	"os"
	"syscall"
)

// makePrivate and maskPrivate have nothing to do here: who may use a folder may connect to the sockets in it.
func makePrivate(string, string, syscall.RawConn) error { return nil }

func maskPrivate() (restore func()) { return func() {} }

// tryLock is not available here.
func tryLock(*os.File) error { return errors.ErrUnsupported }
