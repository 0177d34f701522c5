package serial

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// numberedDictionary returns a dictionary of one sender, and how it is packed.
func numberedDictionary(n int) (d *wire.Dictionary, packed []byte, h uint32) {
	d = wire.NewDictionary([]wire.Sender{{Name: fmt.Sprintf("s%d", n), Events: []wire.Event{{Name: "e", Unit: "lx"}}}})
	packed = d.Pack()
	return d, packed, wire.HashDictionary(packed)
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
	want, packed, h := numberedDictionary(1)
	if d := s.load(h); d != nil {
		t.Errorf("%+v out of nothing", d)
	}
	s.save(h, packed)
	if got := s.load(h); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := files(t, dir); !reflect.DeepEqual(got, []string{fmt.Sprintf("%08x", h)}) {
		t.Errorf("%q", got)
	}
	if log.String() != "" {
		t.Error(log)
	}
	none, log := newStore(t, "")
	none.save(h, packed)
	if none.load(h) != nil || log.String() != "" {
		t.Error("a store without a folder", log)
	}
}

// TestStoreDamaged: whatever stands where a dictionary should, it is not taken for one, and overwritten.
func TestStoreDamaged(t *testing.T) {
	want, packed, h := numberedDictionary(1)
	flipped := bytes.Clone(packed)
	flipped[3] ^= 4
	for name, data := range map[string][]byte{
		"empty": {}, "cut short": packed[:len(packed)-1], "flipped": flipped, "longer": append(bytes.Clone(packed), 0),
		"much too long": bytes.Repeat([]byte("x"), 10*wire.MaxDictionary),
	} {
		s, log := newStore(t, t.TempDir())
		must(t, os.WriteFile(s.file(h), data, 0o600))
		if d := s.load(h); d != nil {
			t.Errorf("%s: taken for %+v", name, d)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%s: %d warnings: %s", name, n, log)
		}
		s.save(h, packed)
		if got := s.load(h); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v was not overwritten", name, got)
		}
	}
	// Of the right hash, and yet no dictionary: another version of the hub may have another form of it.
	s, log := newStore(t, t.TempDir())
	foreign := []byte("\x01\xff no dictionary \x00")
	s.save(wire.HashDictionary(foreign), foreign)
	if d := s.load(wire.HashDictionary(foreign)); d != nil || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("taken for %+v: %s", d, log)
	}
	// A folder of that name.
	must(t, os.Mkdir(s.file(h), 0o700))
	if s.load(h) != nil {
		t.Error("a folder is taken for a dictionary")
	}
	s.save(h, packed)
	if got := files(t, s.dir); len(got) != 2 {
		t.Errorf("left behind: %q", got)
	}
}

// TestStoreFails: a folder that cannot be made, or written to, is one warning.
func TestStoreFails(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "a file")
	must(t, os.WriteFile(blocked, nil, 0o600))
	s, log := newStore(t, filepath.Join(blocked, "below"))
	for n := range 3 {
		_, packed, h := numberedDictionary(n)
		s.save(h, packed)
		if s.load(h) != nil {
			t.Error("it is remembered")
		}
	}
	if n := strings.Count(log.String(), `level=WARN msg="a dictionary cannot be remembered`); n != 1 {
		t.Errorf("%d warnings: %s", n, log)
	}
}

// TestStoreTidy: 64 dictionaries are kept, the latest; what was never finished goes, what others have put there stays.
func TestStoreTidy(t *testing.T) {
	s, log := newStore(t, t.TempDir())
	now := time.Now()
	put := func(name string, age time.Duration) {
		file := filepath.Join(s.dir, name)
		must(t, os.WriteFile(file, nil, 0o600))
		must(t, os.Chtimes(file, time.Time{}, now.Add(-age)))
	}
	put("notes.txt", 1000*time.Hour)
	put("0000000G", 1000*time.Hour)
	must(t, os.Mkdir(filepath.Join(s.dir, "00000000"), 0o700))
	put(unfinished+"1", 2*time.Hour)
	put(unfinished+"2", time.Minute)
	for n := range 100 {
		put(fmt.Sprintf("%08x", 0xabc000+n), time.Duration(n)*time.Minute)
	}
	_, packed, h := numberedDictionary(1)
	s.save(h, packed)
	var want []string
	for n := range maxDictionaries - 1 {
		want = append(want, fmt.Sprintf("%08x", 0xabc000+n))
	}
	want = append(want, fmt.Sprintf("%08x", h), "notes.txt", "0000000G", "00000000", unfinished+"2")
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

// TestStoreShared: hubs that share a folder do not harm each other.
func TestStoreShared(t *testing.T) {
	dir := t.TempDir()
	s, log := newStore(t, dir)
	var hubs sync.WaitGroup
	for range 4 {
		hubs.Go(func() {
			for n := range maxDictionaries + 8 {
				_, packed, h := numberedDictionary(n)
				s.save(h, packed)
				s.load(h)
			}
		})
	}
	hubs.Wait()
	must(t, s.tidy(time.Now()))
	if names := files(t, dir); len(names) != maxDictionaries {
		t.Errorf("%d files: %q", len(names), names)
	}
	if log.String() != "" {
		t.Error(log)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var h uint32
			_, err = fmt.Sscanf(e.Name(), "%x", &h)
			must(t, err)
			_, err = readDictionary(path, h)
		}
		return err
	})
	must(t, err)
}
