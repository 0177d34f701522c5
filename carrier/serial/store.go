package serial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sighub/carrier/serial/internal/wire"
)

const (
	unfinished = ".new-"   // prefix of the names of files that are being written
	stale      = time.Hour // age at which such a file was left behind
)

// A store keeps packed dictionaries in a folder, each in a file, from one run of the hub to the next. It is a convenience: a
// dictionary that cannot be read is fetched again, one that cannot be written is logged. Several hubs may share a folder.
type store struct {
	dir    string // empty: nothing is kept
	log    *slog.Logger
	failed atomic.Bool // a failure was logged as a warning
}

func (s *store) file(hash uint32) string { return filepath.Join(s.dir, fmt.Sprintf("%08x", hash)) }

// load returns the dictionary with this hash, or nil.
func (s *store) load(want uint32) *wire.Dictionary {
	if s.dir == "" {
		return nil
	}
	d, err := readDictionary(s.file(want), want)
	switch {
	case err == nil:
		return d
	case !errors.Is(err, fs.ErrNotExist):
		s.log.Warn("a remembered dictionary cannot be used: it is fetched from the device again", "error", err)
	}
	return nil
}

func readDictionary(file string, want uint32) (*wire.Dictionary, error) {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() { // a pipe would block
		return nil, fmt.Errorf("serial: %s must be a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	packed, err := io.ReadAll(io.LimitReader(f, wire.MaxDictionary+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if got := wire.HashDictionary(packed); got != want {
		return nil, fmt.Errorf("serial: %s is damaged: the hash of its content is %08x", file, got)
	}
	d, err := wire.ParseDictionary(packed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// save writes a packed dictionary, and removes the oldest one if there are too many.
func (s *store) save(hash uint32, packed []byte) {
	if s.dir == "" {
		return
	}
	err := os.MkdirAll(s.dir, 0o755)
	if err == nil {
		err = replace(s.file(hash), packed)
	}
	if err == nil {
		err = s.tidy(time.Now())
	}
	if err == nil {
		return
	}
	level := slog.LevelWarn
	if s.failed.Swap(true) {
		level = slog.LevelDebug // a full disk is full for the next device, too
	}
	s.log.Log(context.Background(), level,
		"a dictionary cannot be remembered; the next run of the hub will ask the device for it again",
		"folder", s.dir, "error", err)
}

// replace writes a file so that a reader finds all of it or the file before it, even after a loss of power.
func replace(file string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), unfinished)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// tidy removes the oldest files if there are too many, and those that were left behind unfinished. It leaves files of others
// alone.
func (s *store) tidy(now time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	var remove []string
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular(): // it was just removed, or is not ours
		case isHash(e.Name()):
			kept = append(kept, info)
		case strings.HasPrefix(e.Name(), unfinished) && now.Sub(info.ModTime()) > stale:
			remove = append(remove, e.Name())
		}
	}
	slices.SortFunc(kept, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range kept[min(len(kept), maxDictionaries):] {
		remove = append(remove, info.Name())
	}
	for _, name := range remove {
		if rerr := os.Remove(filepath.Join(s.dir, name)); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// isHash reports whether a file's name is one that a store gives.
func isHash(name string) bool {
	return len(name) == 8 && strings.Trim(name, "0123456789abcdef") == ""
}
