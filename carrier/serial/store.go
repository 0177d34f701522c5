package serial

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier/serial/internal/wire"
)

const (
	unfinished = ".new-"   // prefix of the names of files that are being written
	stale      = time.Hour // age at which such a file was left behind
)

// A store keeps packed dictionaries in a folder, one for each device, from one run of the hub to the next. It is a
// convenience: a dictionary that cannot be read is fetched again, one that cannot be written is logged. Several hubs may share
// a folder.
type store struct {
	dir    string // empty: nothing is kept
	log    *slog.Logger
	failed atomic.Bool // a failure was logged as a warning

	here   atomic.Int64 // devices that are connected: their dictionaries stay, however many there are
	saved  atomic.Int64
	saving [savers]sync.Mutex // one of them is held while a dictionary is saved, which keeps a thread waiting for the disk
}

const (
	maxStored = 256 // files, beside those of connected devices; as many devices as a hub remembers that are not connected
	savers    = 8   // dictionaries are saved at a time
	tidyEvery = 16  // dictionaries are saved from one look for files that are too many to the next
)

// file returns the file of a device. Its name is no longer than any folder allows, whatever the device calls itself.
func (s *store) file(uid string) string {
	sum := sha256.Sum256([]byte(uid))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:nameSize]))
}

const nameSize = 16 // bytes

// load returns the packed dictionary of a device at a start, or nil.
func (s *store) load(key dictionaryKey) []byte {
	if s.dir == "" {
		return nil
	}
	stored, packed, err := readDictionary(s.file(key.uid))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.log.Warn("a remembered dictionary cannot be used: it is fetched from the device again", "error", err)
	case stored == key:
		return packed
	}
	return nil
}

// A file contains the SHA-256 of what follows: the boot number and the hash, four bytes each, the uid, a zero, and the packed
// dictionary.
func appendDictionary(dst []byte, key dictionaryKey, packed []byte) []byte {
	content := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, key.boot), key.hash)
	content = append(append(append(content, key.uid...), 0), packed...)
	sum := sha256.Sum256(content)
	return append(append(dst, sum[:]...), content...)
}

func readDictionary(file string) (key dictionaryKey, packed []byte, err error) {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() { // a pipe would block
		return key, nil, fmt.Errorf("serial: %s must be a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return key, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, wire.MaxDictionary+1024))
	if err := errors.Join(err, f.Close()); err != nil {
		return key, nil, err
	}
	damaged := fmt.Errorf("serial: %s is damaged", file)
	if len(data) < sha256.Size+8 {
		return key, nil, damaged
	}
	sum, content := data[:sha256.Size], data[sha256.Size:]
	uid, packed, found := bytes.Cut(content[8:], []byte{0})
	if want := sha256.Sum256(content); !found || !bytes.Equal(sum, want[:]) {
		return key, nil, damaged
	}
	return dictionaryKey{string(uid), binary.BigEndian.Uint32(content), binary.BigEndian.Uint32(content[4:])}, packed, nil
}

// save writes a packed dictionary, and now and then removes the oldest ones if there are too many.
func (s *store) save(key dictionaryKey, packed []byte) {
	if s.dir == "" {
		return
	}
	file := s.file(key.uid)
	turn := &s.saving[crc32.ChecksumIEEE([]byte(file))%savers]
	turn.Lock()
	defer turn.Unlock()
	err := os.MkdirAll(s.dir, 0o755)
	if err == nil {
		err = replace(file, appendDictionary(nil, key, packed))
	}
	if err == nil && s.saved.Add(1)%tidyEvery == 1 {
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
		case isName(e.Name()):
			kept = append(kept, info)
		case strings.HasPrefix(e.Name(), unfinished) && now.Sub(info.ModTime()) > stale:
			remove = append(remove, e.Name())
		}
	}
	sort.Slice(kept, func(i, j int) bool {
		a, b := kept[i], kept[j]
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name())) < 0
	})
	for _, info := range kept[min(len(kept), maxStored+int(s.here.Load())):] {
		remove = append(remove, info.Name())
	}
	for _, name := range remove {
		if rerr := os.Remove(filepath.Join(s.dir, name)); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// isName reports whether a file's name is one that a store gives.
func isName(name string) bool {
	return len(name) == 2*nameSize && strings.Trim(name, "0123456789abcdef") == ""
}
