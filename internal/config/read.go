package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"sighub/internal/yamlfile"
)

// Stdin is the name of a file that stands for standard input.
const Stdin = "-"

// maxFile is the largest file that is read, in bytes. A configuration with a thousand ports has a third of that.
const maxFile = yamlfile.MaxFile

// Load reads a file, or standard input if file is [Stdin]. The error says why it could not be read, or joins an [*Error] for each
// mistake in it.
func Load(ctx context.Context, file string, stdin io.Reader) (*Config, error) {
	data, err := read(ctx, file, "--config", stdin)
	if err != nil {
		return nil, err
	}
	if file == Stdin {
		file = stdinName
	}
	return Parse(file, data)
}

// stdinName is what errors call standard input.
const stdinName = "standard input"

// read reads a file; option is the command-line option that names it. It returns when ctx is done, even if the file system does not
// answer.
func read(ctx context.Context, file, option string, stdin io.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // it ends when the file system answers, or with the process
		var r result
		if file == Stdin && stdin != nil {
			r.data, r.err = bounded(stdin)
		} else {
			r.data, r.err = readRegular(file, option)
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: reading it was interrupted: %w", file, ctx.Err())
	}
}

func readRegular(file, option string) ([]byte, error) {
	info, err := os.Stat(file) // before it is opened: opening a device may do something to it
	if err == nil {
		err = checkMode(file, info.Mode())
	}
	if err != nil {
		return nil, readError(file, option, err)
	}
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe meanwhile, which would wait
	if err != nil {
		return nil, readError(file, option, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	if info, err = f.Stat(); err == nil {
		err = checkMode(file, info.Mode())
	}
	if err != nil {
		return nil, readError(file, option, err)
	}
	data, err := bounded(f)
	if err != nil {
		return nil, readError(file, option, err)
	}
	return data, nil
}

// A modeError says that what is to be read is not a file.
type modeError struct{ text string }

func (e *modeError) Error() string { return e.text }

func checkMode(file string, mode fs.FileMode) error {
	what := "neither a file nor a folder"
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &modeError{file + ": this is a folder: name a file in it"}
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	}
	return &modeError{fmt.Sprintf("%s: this is %s: name a regular file, or write - and give the configuration on standard input", file, what)}
}

// bounded reads everything, or as much as shows that it is too much.
func bounded(in io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(in, maxFile+1)) }

func readError(file, option string, err error) error {
	var mode *modeError
	switch {
	case errors.As(err, &mode):
		return mode
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: no such file: check the path given to %s", file, option)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: permission denied: make the file readable for this user", file)
	default:
		return fmt.Errorf("configuration: %w", err)
	}
}
