//go:build linux || darwin

package serial

import (
	"os"
	"strings"
	"testing"

	"sighub/carrier/serial/device"
	"sighub/carrier/serial/internal/wire"
)

// TestDictionaryRemembered: a hub knows the dictionary of a device that another hub has served since the device was started,
// and does not ask for it again.
func TestDictionaryRemembered(t *testing.T) {
	dir := t.TempDir()
	options := func(o *Options, d *device.Options) { o.Dir, d.Boot = dir, 7 }
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
	fourth.stopHub()

	// A device that was started anew may run another program: it is asked.
	fifth := newBench(t, func(o *Options, d *device.Options) { o.Dir, d.Boot = dir, 8 })
	fifth.start(t)
	acknowledged(t, fifth.report(t, 0, 3))
	if fifth.framesSent() == 0 {
		t.Error("a device that was started anew is not asked for its dictionary")
	}
}

// collide returns six characters that, behind a prefix, give a text the FNV-1a that is wanted.
func collide(t *testing.T, prefix []byte, want uint32) string {
	const prime = uint32(0x01000193)
	inverse := uint32(1)
	for range 5 {
		inverse *= 2 - prime*inverse
	}
	start := wire.HashDictionary(prefix)
	const low, high = '!', '~'
	forward := make(map[uint32][3]byte)
	triples := func(do func(a, b, c byte)) {
		for a := byte(low); a <= high; a++ {
			for b := byte(low); b <= high; b++ {
				for c := byte(low); c <= high; c++ {
					do(a, b, c)
				}
			}
		}
	}
	triples(func(a, b, c byte) {
		x := (start ^ uint32(a)) * prime
		x = (x ^ uint32(b)) * prime
		forward[(x^uint32(c))*prime] = [3]byte{a, b, c}
	})
	found := ""
	triples(func(a, b, c byte) {
		x := want*inverse ^ uint32(c)
		x = x*inverse ^ uint32(b)
		if first, ok := forward[x*inverse^uint32(a)]; ok && found == "" {
			found = string(first[:]) + string([]byte{a, b, c})
		}
	})
	if found == "" {
		t.Fatal("nothing collides")
	}
	return found
}

// TestDictionaryOfAnother: a device whose dictionary has the hash of another's does not change what the other's readings mean:
// not if it was there before, nor under the other's uid at another start, nor for the next hub that remembers.
func TestDictionaryOfAnother(t *testing.T) {
	dictionary := func(exponent int) []device.Sender {
		return []device.Sender{{Name: "boiler", Events: []device.Event{{Name: "temp", Unit: "Cel", Exponent: exponent}}}}
	}
	packed := func(exponent int) []byte {
		return wire.NewDictionary([]wire.Sender{{Name: "boiler", Events: []wire.Event{{Name: "temp", Unit: "Cel", Exponent: exponent}}}}).Pack()
	}
	good := dictionary(-1)
	evil := dictionary(-3)
	evil = append(evil, device.Sender{Name: collide(t, append(packed(-3), 1), wire.HashDictionary(packed(-1)))})
	uid := []byte{1, 2, 3}
	for name, thief := range map[string]device.Options{
		"another device":           {UID: []byte{6, 6, 6}, Boot: 5},
		"the same at another time": {UID: uid, Boot: 4},
	} {
		for _, restarts := range []bool{false, true} {
			dir := t.TempDir()
			thief.Senders, thief.Timeout = evil, watchdog
			b := newBench(t, func(o *Options, d *device.Options) { o.Dir, *d = dir, thief })
			stopHub := serve(t, b.hub, b.atHub)
			stopThief := serve(t, b.device, b.atDevice)
			b.atHub.wait(t, "connected", 1)
			stopThief()
			if restarts {
				stopHub()
				next, err := Listen(b.options)
				must(t, err)
				serve(t, next, b.atHub)
			}
			var err error
			b.device, err = device.New(b.pty.Open, device.Options{UID: uid, Boot: 5, Senders: good, Timeout: watchdog})
			must(t, err)
			serve(t, b.device, newRecorder())
			ended := make(chan error, 1)
			must(t, b.device.Report(t.Context(), "boiler", "temp", 21.5, func(err error) { ended <- err }))
			acknowledged(t, ended)
			if s := signalOf(t, b.atHub.wait(t, "signal", 1).message); s.data != 21.5 {
				t.Errorf("%s, the hub restarts: %t: 21.5 arrives as %v", name, restarts, s.data)
			}
		}
	}
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
