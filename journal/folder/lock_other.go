//go:build !unix || solaris || aix

package folder

import (
	"io"
	"os"
)

// Lock implements Folder. There is no lock of a directory here: the user has to see to it that two hubs do not share one.
func (d Directory) Lock() (io.Closer, error) { return io.NopCloser(nil), nil }

// syncFolder does nothing: a directory that was opened for reading cannot be written to disk here.
func syncFolder(*os.File) error { return nil }
