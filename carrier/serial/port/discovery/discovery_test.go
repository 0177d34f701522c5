package discovery

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	for text, want := range map[string]Pattern{
		"auto":             {kind: auto},
		"/dev/ttyUSB0":     {kind: exact},
		"COM3":             {kind: exact},
		"/dev/ttyUSB*":     {kind: glob},
		"/dev/ttyUSB[0-3]": {kind: glob},
		"/dev/ttyUSB?":     {kind: glob},
		"0403:6001":        {kind: usb, vendor: "0403", product: "6001"},
		"10C4:EA60":        {kind: usb, vendor: "10c4", product: "ea60"},
		"10c4:ea60:A1:b":   {kind: usb, vendor: "10c4", product: "ea60", serial: "A1:b"},
		"10c4:ea6":         {kind: exact},
		"/dev/x/0403:6001": {kind: exact},
		"automatic":        {kind: exact},
	} {
		want.text = text
		if p, err := Parse(text); err != nil || p != want || p.String() != text || p.Exact() != (want.kind == exact) {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "/dev/tty[A", `/dev/tty\` + "*\\"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func TestFolder(t *testing.T) {
	for text, want := range map[string]string{
		"auto": "/dev", "0403:6001": "/dev", "/dev/ttyUSB0": "/dev", "/dev/serial/by-id/*": "/dev/serial/by-id",
		"/dev/*/by-id/usb?": "/dev", "/x/y": "/x",
	} {
		if p, _ := Parse(text); p.folder() != want {
			t.Errorf("%s: %s", text, p.folder())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("auto")
	f.Add("0403:6001:x")
	f.Add("/dev/tty[USB]*")
	f.Add(`x*\`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		p.folder()
		if p.kind == usb && !strings.HasPrefix(strings.ToLower(text), p.vendor+":"+p.product) {
			t.Errorf("%+v", p)
		}
		if _, err := (System{Root: t.TempDir()}).Find(p); err != nil && p.kind != glob {
			t.Error(err)
		}
	})
}

// TestWatch: what appears in a folder that was not there before is told of, and so is that it goes. Each look may come
// by itself, too; then it is untold.
func TestWatch(t *testing.T) {
	s := System{Root: t.TempDir()}
	link := s.Root + "/dev/serial/by-id/usb-x"
	p, err := Parse("/dev/serial/by-id/*")
	must(t, err)
	must(t, os.Mkdir(s.Root+"/dev", 0o755))
	ctx, cancel := context.WithCancel(context.Background())
	looks := make(chan bool)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Watch(ctx, []Pattern{p}, slog.New(slog.DiscardHandler), nil, func(told bool) {
			select {
			case looks <- told:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { cancel(); <-ended }()
	await := func(what string, found int) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for told := false; ; {
			select {
			case now := <-looks:
				told = told || now
			case <-deadline:
				t.Fatalf("%s: never told", what)
			}
			if ports, err := s.Find(p); err == nil && len(ports) == found && told {
				return
			}
		}
	}
	<-looks
	must(t, os.MkdirAll(filepath.Dir(link), 0o755))
	must(t, os.Symlink("/dev/null", link))
	await("appears", 1)
	must(t, os.Remove(link))
	await("goes", 0)
	must(t, os.RemoveAll(s.Root+"/dev/serial"))
	must(t, os.MkdirAll(filepath.Dir(link), 0o755))
	must(t, os.Symlink("/dev/null", link))
	await("appears again, its folder too", 1)
	must(t, os.Chmod(filepath.Dir(link), 0o700))
	await("has other rights", 1)
}

// TestPauses: looks that take long are seldom, but one that took very long does not put off the next one for long.
func TestPauses(t *testing.T) {
	for _, c := range []struct{ took, least, unasked time.Duration }{
		{0, calm, Rescan},
		{time.Millisecond, calm, Rescan},
		{40 * time.Millisecond, 40 * time.Millisecond, 2 * time.Second},
		{time.Minute, Rescan, longest},
		{time.Hour, Rescan, longest},
	} {
		if least, unasked := pauses(c.took); least != c.least || unasked != c.unasked {
			t.Errorf("after a look of %v: %v and %v, want %v and %v", c.took, least, unasked, c.least, c.unasked)
		}
	}
}

// TestFollow: where the system reports every change, it is looked seldom.
func TestFollow(t *testing.T) {
	s := System{Root: t.TempDir()}
	must(t, os.MkdirAll(s.Root+"/dev/serial/by-id", 0o755))
	for text, want := range map[string]bool{
		"auto": true, "/dev/ttyUSB0": true, "/dev/serial/by-id/*": true, "/dev/serial/by-path/*": true, "/dev/*/by-id/*": false,
	} {
		p, err := Parse(text)
		must(t, err)
		w := watcher{log: slog.New(slog.DiscardHandler)}
		if w.name(s.Root, []Pattern{p}); w.follow() {
			t.Errorf("%s: the system reports changes before it was asked to", text)
		}
		w.start()
		if got := w.follow(); got != want {
			t.Errorf("%s: the system reports all changes: %t", text, got)
		}
		if !slices.Contains(w.notify.WatchList(), s.Root+"/dev") {
			t.Errorf("%s: nobody hears that a device file has other rights", text)
		}
		w.stop()
	}
}

// TestNearest: a folder that comes while the one above it is about to be watched is watched itself: nothing would tell of it any more.
func TestNearest(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "serial", "by-id")
	var watched []string
	err := nearest(dir, func(at string) error {
		if at == root && len(watched) == 0 {
			must(t, os.MkdirAll(dir, 0o755))
		}
		if _, err := os.Stat(at); err != nil {
			return err
		}
		watched = append(watched, at)
		return nil
	})
	if want := []string{root, dir}; err != nil || !slices.Equal(watched, want) {
		t.Errorf("%v are watched (%v), want %v", watched, err, want)
	}
	must(t, os.RemoveAll(filepath.Dir(dir)))
	refused := errors.New("there are too many")
	for at, want := range map[string]error{dir: nil, root: refused} {
		if err := nearest(at, func(at string) error {
			if _, err := os.Stat(at); err != nil {
				return err
			}
			return want
		}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", at, err, want)
		}
	}
}

// TestWatchNothing: without patterns, it is looked once and no more.
func TestWatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		looks := 0
		System{Root: t.TempDir()}.Watch(ctx, nil, slog.New(slog.DiscardHandler), nil, func(bool) { looks++ })
		if looks != 1 {
			t.Errorf("it was looked %d times", looks)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
