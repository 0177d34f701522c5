//go:build linux || darwin

package serial

import (
	"os"
	"strings"
	"testing"
)

// TestDictionaryRemembered: a hub knows the dictionary of a device that another hub has served, and does not ask for it
// again.
func TestDictionaryRemembered(t *testing.T) {
	dir := t.TempDir()
	options := func(o *Options, _ *DeviceOptions) { o.Dir = dir }
	first := newBench(t, options)
	first.start(t)
	acknowledged(t, first.report(t, 0, 3))
	first.stopHub()

	second := newBench(t, options)
	second.device.line.dictionary = nil // it has nothing to give
	second.start(t)
	acknowledged(t, second.report(t, 0, 3))
	second.counted(t, 3)
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
	if s := third.log.String(); strings.Count(s, "is of no use; it is fetched from the device again") != 1 {
		t.Error(s)
	}
	fourth := newBench(t, options)
	fourth.device.line.dictionary = nil
	fourth.start(t)
	acknowledged(t, fourth.report(t, 0, 3))
}

// TestDictionaryNotRemembered: a folder that is of no use keeps nobody from being served.
func TestDictionaryNotRemembered(t *testing.T) {
	file := t.TempDir() + "/file"
	must(t, os.WriteFile(file, nil, 0o600))
	b := newBench(t, func(o *Options, _ *DeviceOptions) { o.Dir = file })
	b.start(t)
	acknowledged(t, b.report(t, 0, 3))
	b.stopHub()
	if s := b.log.String(); strings.Count(s, "a dictionary cannot be remembered") != 1 {
		t.Error(s)
	}
}
