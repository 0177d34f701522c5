package serial

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// numberedDictionary returns a packed dictionary of one sender, and the key of a device that has it.
func numberedDictionary(n int) (packed []byte, key dictionaryKey) {
	packed = wire.NewDictionary([]wire.Sender{{Name: fmt.Sprintf("s%d", n), Events: []wire.Event{{Name: "e", Unit: "lx"}}}}).Pack()
	return packed, dictionaryKey{fmt.Sprintf("%04x", n), uint32(n), wire.HashDictionary(packed)}
}

func newStore(t *testing.T, dir string) (*store, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	return &store{dir: dir, log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, log
}

// files returns the names in a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet", "there")
	s, log := newStore(t, dir)
	packed, key := numberedDictionary(1)
	if d := s.load(key); d != nil {
		t.Errorf("%+v out of nothing", d)
	}
	s.save(key, packed)
	if got := s.load(key); !bytes.Equal(got, packed) {
		t.Errorf("%q, want %q", got, packed)
	}
	if got := files(t, dir); len(got) != 1 || !isName(got[0]) {
		t.Errorf("%q", got)
	}
	for _, other := range []dictionaryKey{{key.uid, key.boot + 1, key.hash}, {key.uid, key.boot, key.hash + 1}, {"0002", key.boot, key.hash}} {
		if d := s.load(other); d != nil {
			t.Errorf("%+v has the dictionary of %+v", other, key)
		}
	}
	later := key
	later.boot++
	s.save(later, packed)
	if s.load(key) != nil || s.load(later) == nil || len(files(t, dir)) != 1 {
		t.Errorf("a device's former dictionary is kept: %q", files(t, dir))
	}
	if log.String() != "" {
		t.Error(log)
	}
	none, log := newStore(t, "")
	none.save(key, packed)
	if none.load(key) != nil || log.String() != "" {
		t.Error("a store without a folder", log)
	}
}

// TestStoreDamaged: whatever stands where a dictionary should, it is not taken for one, and overwritten.
func TestStoreDamaged(t *testing.T) {
	packed, key := numberedDictionary(1)
	whole := appendDictionary(nil, key, packed)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-2] ^= 4
	for name, data := range map[string][]byte{
		"empty": {}, "cut short": whole[:len(whole)-1], "flipped": flipped, "longer": append(bytes.Clone(whole), 0), "a head": whole[:40],
		"much too long": bytes.Repeat([]byte("x"), 10*wire.MaxDictionary),
	} {
		s, log := newStore(t, t.TempDir())
		must(t, os.WriteFile(s.file(key.uid), data, 0o600))
		if d := s.load(key); d != nil {
			t.Errorf("%s: taken for %+v", name, d)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%s: %d warnings: %s", name, n, log)
		}
		s.save(key, packed)
		if got := s.load(key); !bytes.Equal(got, packed) {
			t.Errorf("%s: %q was not overwritten", name, got)
		}
	}
	s, _ := newStore(t, t.TempDir())
	// A folder of that name.
	must(t, os.Mkdir(s.file(key.uid), 0o700))
	if s.load(key) != nil {
		t.Error("a folder is taken for a dictionary")
	}
	s.save(key, packed)
	if got := files(t, s.dir); len(got) != 1 {
		t.Errorf("left behind: %q", got)
	}
}

// TestStoreFails: a folder that cannot be made, or written to, is one warning.
func TestStoreFails(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "a file")
	must(t, os.WriteFile(blocked, nil, 0o600))
	s, log := newStore(t, filepath.Join(blocked, "below"))
	for n := range 3 {
		packed, key := numberedDictionary(n)
		s.save(key, packed)
		if s.load(key) != nil {
			t.Error("it is remembered")
		}
	}
	if n := strings.Count(log.String(), `level=WARN msg="a dictionary cannot be remembered`); n != 1 {
		t.Errorf("%d warnings: %s", n, log)
	}
}

// TestStoreTidy: as many files are kept as there may be, the latest; what was never finished goes, what others have put there stays.
func TestStoreTidy(t *testing.T) {
	s, log := newStore(t, t.TempDir())
	now := time.Now()
	put := func(name string, age time.Duration) {
		file := filepath.Join(s.dir, name)
		must(t, os.WriteFile(file, nil, 0o600))
		must(t, os.Chtimes(file, time.Time{}, now.Add(-age)))
	}
	put("notes.txt", 1000*time.Hour)
	put(strings.Repeat("0", 31)+"G", 1000*time.Hour)
	must(t, os.Mkdir(filepath.Join(s.dir, strings.Repeat("0", 32)), 0o700))
	put(unfinished+"1", 2*time.Hour)
	put(unfinished+"2", time.Minute)
	for n := range maxStored + 40 {
		put(fmt.Sprintf("%032x", 0xabc000+n), time.Duration(n)*time.Minute)
	}
	packed, key := numberedDictionary(1)
	s.save(key, packed)
	var want []string
	for n := range maxStored - 1 {
		want = append(want, fmt.Sprintf("%032x", 0xabc000+n))
	}
	want = append(want, filepath.Base(s.file(key.uid)), "notes.txt", strings.Repeat("0", 31)+"G", strings.Repeat("0", 32), unfinished+"2")
	got := files(t, s.dir)
	if len(got) != len(want) {
		t.Errorf("%d files, want %d: %q", len(got), len(want), got)
	}
	for _, name := range want {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err != nil {
			t.Error(err)
		}
	}
	if log.String() != "" {
		t.Error(log)
	}
}

// TestStoreOfMany: the dictionaries of connected devices stay, however many there are.
func TestStoreOfMany(t *testing.T) {
	s, _ := newStore(t, t.TempDir())
	const more = 50
	s.here.Store(more)
	for n := range maxStored + more + 2*tidyEvery {
		must(t, os.WriteFile(filepath.Join(s.dir, fmt.Sprintf("%032x", n)), nil, 0o600))
	}
	for n := range tidyEvery + 1 {
		packed, key := numberedDictionary(n)
		s.save(key, packed)
	}
	if n := len(files(t, s.dir)); n != maxStored+more {
		t.Errorf("%d dictionaries are stored, not %d", n, maxStored+more)
	}
}

// TestStoreShared: hubs that share a folder do not harm each other.
func TestStoreShared(t *testing.T) {
	dir := t.TempDir()
	s, log := newStore(t, dir)
	var hubs sync.WaitGroup
	for range 4 {
		hubs.Go(func() {
			for n := range maxStored + 8 {
				packed, key := numberedDictionary(n)
				s.save(key, packed)
				s.load(key)
			}
		})
	}
	hubs.Wait()
	must(t, s.tidy(time.Now()))
	if names := files(t, dir); len(names) != maxStored {
		t.Errorf("%d files: %q", len(names), names)
	}
	if log.String() != "" {
		t.Error(log)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var key dictionaryKey
			if key, _, err = readDictionary(path); err == nil && filepath.Base(s.file(key.uid)) != e.Name() {
				t.Errorf("%s is of %+v", e.Name(), key)
			}
		}
		return err
	})
	must(t, err)
}
