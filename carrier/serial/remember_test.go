//go:build linux || darwin

package serial

import (
	"os"
	"strings"
	"testing"

	"sighub/carrier/serial/device"
)

// TestDictionaryRemembered: a hub knows the dictionary of a device that another hub has served, and does not ask for it
// again.
func TestDictionaryRemembered(t *testing.T) {
	dir := t.TempDir()
	options := func(o *Options, _ *device.Options) { o.Dir = dir }
	first := newBench(t, options)
	first.start(t)
	acknowledged(t, first.report(t, 0, 3))
	first.stopHub()

	second := newBench(t, options)
	second.start(t)
	acknowledged(t, second.report(t, 0, 3))
	second.counted(t, 3)
	second.nothingFetched(t)
	second.stopHub()

	// If it is damaged, the device is asked.
	names := files(t, dir)
	if len(names) != 1 {
		t.Fatalf("%q", names)
	}
	must(t, os.Truncate(dir+"/"+names[0], 5))
	third := newBench(t, options)
	third.start(t)
	acknowledged(t, third.report(t, 0, 3))
	third.stopHub()
	if s := third.log.String(); strings.Count(s, "cannot be used: it is fetched from the device again") != 1 {
		t.Error(s)
	}
	fourth := newBench(t, options)
	fourth.start(t)
	acknowledged(t, fourth.report(t, 0, 3))
	fourth.nothingFetched(t)
}

// nothingFetched checks that the hub has asked the device for nothing.
func (b *bench) nothingFetched(t *testing.T) {
	t.Helper()
	if n := b.framesSent(); n > 0 {
		t.Errorf("%d frames went to the device", n)
	}
}

// TestDictionaryNotRemembered: devices are served even if the folder cannot be used.
func TestDictionaryNotRemembered(t *testing.T) {
	file := t.TempDir() + "/file"
	must(t, os.WriteFile(file, nil, 0o600))
	b := newBench(t, func(o *Options, _ *device.Options) { o.Dir = file })
	b.start(t)
	acknowledged(t, b.report(t, 0, 3))
	b.stopHub()
	if s := b.log.String(); strings.Count(s, "a dictionary cannot be remembered") != 1 {
		t.Error(s)
	}
}
