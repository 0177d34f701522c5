//go:build !unix

package trusted

import (
	"io/fs"
	"os"
)

// follow finds a file. Owners and modes say nothing here: the user has to see to it that nobody else may write to the file.
func follow(path string, _ []int) (place string, info fs.FileInfo, err error) {
	info, err = os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	return path, info, regular(path, info.Mode())
}

func check(path string, info fs.FileInfo, _ []int) error { return regular(path, info.Mode()) }

func open(path string) (*os.File, error) { return os.Open(path) }
