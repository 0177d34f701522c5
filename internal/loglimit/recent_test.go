package loglimit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

func told(list []Line) (text string) {
	for _, l := range list {
		text += l.Level + " " + l.Message + fmt.Sprint(l.Attrs) + "\n"
	}
	return text
}

// TestRecent: what is written is kept as well, with all that it is about, and is found by name, address and level.
func TestRecent(t *testing.T) {
	var out bytes.Buffer
	l := Open(&out, "info", "text")
	defer l.Close()
	device := l.With("port", "/dev/ttyUSB0").With("device", "shaky")
	device.Warn("device gone", "reason", "unplugged", "error", errors.New("it is\x1b[31m red"))
	l.Debug("nobody wants this")
	l.Info("client connected", "client", "Page (ws://10.0.0.7:4711)", "hello", true)
	l.WithGroup("disk").Error("full", "left", 3, "stack", strings.Repeat("x", 10000))
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Fatalf("%d lines are written: %s", n, out.String())
	}
	all := l.Recent.Lines(slog.LevelDebug, nil, nil, 10)
	if want := "error full" + fmt.Sprint(map[string]string{"disk.left": "3", "disk.stack": all[0].Attrs["disk.stack"]}) + "\n" +
		"info client connectedmap[client:Page (ws://10.0.0.7:4711) hello:true]\n" +
		"warn device gonemap[device:shaky error:it is\\x1b[31m red port:/dev/ttyUSB0 reason:unplugged]\n"; told(all) != want {
		t.Errorf("kept is\n%s, not\n%s", told(all), want)
	}
	if n := len(all[0].Attrs["disk.stack"]); n > maxText+10 {
		t.Errorf("%d bytes of one attribute are kept", n)
	}
	for about, want := range map[string]string{
		"shaky": "device gone", "/dev/ttyUSB0": "device gone", "Page": "client connected", "ws://10.0.0.7:4711": "client connected",
		"unplugged": "", "Pag": "", "": "",
	} {
		got := ""
		for _, l := range l.Recent.Lines(slog.LevelDebug, []string{"nobody", about}, nil, 10) {
			got += l.Message
		}
		if got != want {
			t.Errorf("about %q there is %q, not %q", about, got, want)
		}
	}
	for words, want := range map[string]string{
		"gone": "device gone", "vice": "device gone", "shaky red unplugged": "device gone", "shaky page": "", "page": "client connected", "hello=true": "client connected",
		"client": "client connected", "left=3 full": "full", "debug": "", "": "full client connected device gone",
	} {
		var got []string
		for _, l := range l.Recent.Lines(slog.LevelDebug, nil, strings.Fields(words), 10) {
			got = append(got, l.Message)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("with %q there is %q, not %q", words, got, want)
		}
	}
	if n, m := len(l.Recent.Lines(slog.LevelWarn, nil, nil, 10)), len(l.Recent.Lines(slog.LevelDebug, nil, nil, 2)); n != 2 || m != 2 {
		t.Errorf("%d of level warn, and %d of two", n, m)
	}
}

// TestRecentBounded: however much is logged, and by however many at once, little is kept, and the latest of it.
func TestRecentBounded(t *testing.T) {
	for _, size := range []int{1, 10 << 10} {
		r := new(Recent)
		log := slog.New(&recorder{Handler: slog.DiscardHandler, recent: r})
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				for i := range 300 {
					args := []any{"device", fmt.Sprint("d", g)}
					for k := range 20 {
						args = append(args, fmt.Sprint("key", k), strings.Repeat("é", size/20+1))
					}
					_ = log.Handler().Handle(t.Context(), record(fmt.Sprint("m", i), args))
					if i%100 == 0 {
						r.Lines(slog.LevelInfo, []string{"d1"}, []string{"m1"}, 50)
					}
				}
			})
		}
		all.Wait()
		bytes := 0
		for _, l := range r.lines {
			bytes += int(unsafe.Sizeof(l)) + len(l.Message)
			if len(l.Attrs) > recentAttrs {
				t.Fatalf("%d attributes", len(l.Attrs))
			}
			for k, v := range l.Attrs {
				bytes += len(k) + len(v)
			}
		}
		if len(r.lines) > recentLines || len(r.lines) < 10 || bytes > recentBytes || r.bytes > recentBytes {
			t.Errorf("%d lines of %d bytes, counted %d, are kept", len(r.lines), bytes, r.bytes)
		}
		if last := r.lines[len(r.lines)-1].Message; last != "m299" {
			t.Errorf("the last line is %s", last)
		}
	}
}

func record(message string, args []any) slog.Record {
	r := slog.Record{Message: message, Level: slog.LevelInfo}
	r.Add(args...)
	return r
}
