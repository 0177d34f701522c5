//go:build linux

package serial

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// A politeMachine has USB adapters, as sysfs tells of them, and a hub that finds them by itself.
func politeMachine(t *testing.T, look time.Duration, ports ...PortOptions) *machine {
	t.Helper()
	r := &machine{root: t.TempDir(), atHub: newRecorder(), log: new(logBuffer)}
	must(t, os.MkdirAll(r.root+"/dev", 0o755))
	var err error
	r.hub, err = Listen(Options{Ports: ports, System: discovery.System{Root: r.root}, Timeout: watchdog, Look: look,
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		Recognize: func(_ string, _ int, text string) (string, string, bool) {
			return "nmea", "to serve it, write an entry", strings.Contains(text, "$GP")
		}})
	must(t, err)
	return r
}

// adapter makes sysfs tell of a USB adapter: attributes such as idVendor=1546.
func (r *machine) adapter(t *testing.T, name string, attributes ...string) (path string) {
	t.Helper()
	usb := r.root + "/sys/devices/usb1/1-" + name
	device := usb + "/1-1:1.0/" + name
	must(t, os.MkdirAll(device+"/tty/"+name, 0o755))
	must(t, os.MkdirAll(r.root+"/sys/class/tty", 0o755))
	must(t, os.Symlink(device+"/tty/"+name, r.root+"/sys/class/tty/"+name))
	must(t, os.Symlink(device, device+"/tty/"+name+"/device"))
	for _, a := range attributes {
		key, value, _ := strings.Cut(a, "=")
		must(t, os.WriteFile(usb+"/"+key, []byte(value+"\n"), 0o600))
	}
	return r.root + "/dev/" + name
}

// A tap is the other end of a port, which notes each byte that the hub writes.
type tap struct {
	mu      sync.Mutex
	pty     *port.PTY
	written []byte
	reading sync.WaitGroup
}

func newTap(t *testing.T, path string) *tap {
	t.Helper()
	w := new(tap)
	w.plug(t, path)
	t.Cleanup(w.pull)
	return w
}

func (w *tap) plug(t *testing.T, path string) {
	t.Helper()
	pty, err := port.NewPTY(path)
	must(t, err)
	w.pty = pty
	p, err := pty.Open(t.Context())
	must(t, err)
	w.reading.Go(func() {
		buf := make([]byte, 256)
		for {
			n, err := p.Read(buf)
			w.mu.Lock()
			w.written = append(w.written, buf[:n]...)
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
}

func (w *tap) pull() {
	_ = w.pty.Close()
	w.reading.Wait()
}

func (w *tap) send(t *testing.T, b []byte) {
	t.Helper()
	p, err := w.pty.Open(t.Context())
	must(t, err)
	_, err = p.Write(b)
	must(t, err)
}

func (w *tap) heard() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.written)
}

// info waits until a port is in a state.
func (r *machine) info(t *testing.T, path string, state PortState) PortInfo {
	t.Helper()
	var last PortInfo
	for deadline := time.Now().Add(watchdog); time.Now().Before(deadline); {
		for _, p := range r.hub.Ports() {
			if p.Port == path {
				if last = p; p.State == state {
					return p
				}
			}
		}
		time.Sleep(time.Millisecond) // a kernel is involved, and tells nobody
	}
	t.Fatalf("%s is not %s: %+v\n%s", path, state, last, r.log)
	return last
}

// znp is what TI's radios say after a reset; ash what Silicon Labs' do.
var (
	znp = []byte{0xfe, 0x06, 0x41, 0x80, 0x02, 0x02, 0x00, 0x02, 0x07, 0x01, 0xc3}
	ash = []byte{0x1a, 0xc1, 0x02, 0x0b, 0x0a, 0x52, 0x7e}
	ubx = []byte{0xb5, 0x62, 0x05, 0x01, 0x02, 0x00, 0x06, 0x01, 0x0f, 0x38}
	zw  = []byte{0x01, 0x05, 0x00, 0x0a, 0x03, 0x01, 0xf2}
)

// TestLetGo: what is not the hub's is let go, with no byte written to it, and is looked at again when it is plugged in anew or when its
// file has changed.
func TestLetGo(t *testing.T) {
	noise := make([]byte, 500)
	for i := range noise {
		noise[i] = byte(i*89 + i*i*7 + 131)
	}
	for _, test := range []struct {
		name   string
		sends  []byte
		reason string
		remedy string
	}{
		{"a radio of TI", znp, "this is a radio for Zigbee or Thread, and no device has said HELLO", "under serial, write {port: "},
		{"a radio of Silicon Labs", ash, "this is a radio for Zigbee or Thread", ""},
		{"Z-Wave", zw, "this is a radio for Z-Wave", ""},
		{"u-blox", append([]byte("x\r\n"), ubx...), "this is a receiver of satellites", ""},
		{"a modem", []byte("\r\nRING\r\n"), "this is a modem", ""},
		{"a GPS", []byte("$GPGGA,081544.17,4732.4644,N,00928.3892,E,1,09,0.9,395.1,M,47.0,M,,*68\r\n"), "it prints text: ", "write an entry"},
		{"noise", noise, "what arrives is neither text nor from a device of the hub's", ""},
		{"silence", nil, "nothing has arrived", "beside auto if you have that"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := politeMachine(t, 3*time.Second, PortOptions{Port: "auto"}) // in which a busy machine has passed on what is sent
			path := r.adapter(t, "ttyUSB0", "idVendor=10c4", "idProduct=ea60")
			w := newTap(t, path)
			serve(t, r.hub, r.atHub)
			r.info(t, path, PortWaiting)
			w.send(t, test.sends)
			i := r.info(t, path, PortLeft)
			if !strings.Contains(i.Reason, test.reason) || !strings.Contains(i.Remedy, test.remedy) || i.NextTry != nil || i.USB == nil {
				t.Errorf("%+v", i)
			}
			if test.name == "a GPS" && !strings.HasSuffix(i.Reason, "; looks like nmea") {
				t.Error(i.Reason)
			}
			other, err := port.Open(path, 9600)
			if err != nil {
				t.Fatalf("another program cannot have it: %v", err)
			}
			must(t, other.Close())
			if test.name == "a radio of TI" { // the file changes: it is looked at again
				must(t, os.Chmod(path, 0o640))
				r.info(t, path, PortWaiting)
				if again := r.info(t, path, PortLeft); !again.Since.After(i.Since) {
					t.Errorf("%+v", again)
				}
			}
			if b := w.heard(); len(b) > 0 {
				t.Errorf("the hub has written % x", b)
			}
			if test.name == "silence" { // a device in its place
				w.pull()
				d := newPlug()
				serve(t, newTestDevice(t, d), newRecorder())
				d.plug(t, path)
				t.Cleanup(d.pull)
				r.info(t, path, PortConnected)
			}
		})
	}
}

// TestNotLetGo: a device that says HELLO late, after text, stays, and is not let go when it is silent for a while.
func TestNotLetGo(t *testing.T) {
	r := politeMachine(t, watchdog, PortOptions{Port: "auto"})
	path := r.adapter(t, "ttyUSB0", "idVendor=10c4", "idProduct=ea60")
	d := newPlug()
	serve(t, newTestDevice(t, d), newRecorder())
	d.plug(t, path)
	t.Cleanup(func() {
		if d.pty != nil {
			d.pull()
		}
	})
	serve(t, r.hub, r.atHub)
	r.info(t, path, PortConnected)
	r.hub.mu.Lock()
	if l := r.hub.lines[0]; l.consider(time.Now().Add(2*watchdog)) || l.left != nil { // as it does when a while has passed
		t.Errorf("it is let go: %v", l.left)
	}
	r.hub.mu.Unlock()
	r.info(t, path, PortConnected)
}

// TestLeftAlone: what is known by its USB id, and what is excluded, is not opened, and is listed with the reason and what to do.
func TestLeftAlone(t *testing.T) {
	r := politeMachine(t, time.Minute,
		PortOptions{Port: "auto"}, PortOptions{Port: "/dev/ttyUSB2"}, PortOptions{Port: "*:*:KEEP"}, PortOptions{Port: "0403:6001", Exclude: true}, PortOptions{Port: "*:*:SECRET", Exclude: true},
		PortOptions{Port: "/dev/by-id/other", Exclude: true}, PortOptions{Port: "/dev/ttyUSB5", Exclude: true}, PortOptions{Port: "/dev/ttyUSB6"})
	paths := make(map[string]string)
	for name, attributes := range map[string][]string{
		"ttyACM0": {"idVendor=1cf1", "idProduct=0030"}, "ttyACM1": {"idVendor=10c4", "idProduct=ea60", "product=SkyConnect v1.0"},
		"ttyUSB0": {"idVendor=0403", "idProduct=6001"}, "ttyUSB1": {"idVendor=1a86", "idProduct=7523", "serial=SECRET"},
		"ttyUSB2": {"idVendor=1a86", "idProduct=7523"}, "ttyUSB3": {"idVendor=1a86", "idProduct=7523"}, "ttyUSB4": {"idVendor=0403", "idProduct=6001", "serial=KEEP"},
		"ttyUSB5": {"idVendor=1a86", "idProduct=7523"}, "ttyUSB6": {"idVendor=0403", "idProduct=6001"},
	} {
		paths[name] = r.adapter(t, name, attributes...)
		newTap(t, paths[name])
	}
	must(t, os.MkdirAll(r.root+"/dev/by-id", 0o755))
	must(t, os.Symlink("../ttyUSB2", r.root+"/dev/by-id/other"))
	serve(t, r.hub, r.atHub)
	for path, want := range map[string]string{
		"/dev/ttyACM0": "its USB id 1cf1:0030 is that of a radio for Zigbee or Thread", "/dev/ttyACM1": "is that of a radio for Zigbee",
		"/dev/ttyUSB0": "excluded", "/dev/ttyUSB1": "excluded", "/dev/by-id/other": "excluded", "/dev/ttyUSB4": "excluded", "/dev/ttyUSB5": "excluded",
	} {
		i := r.info(t, r.root+path, PortLeft)
		if !strings.Contains(i.Reason, want) || i.Remedy == "" {
			t.Errorf("%s: %+v", path, i)
		}
	}
	for _, path := range []string{"/dev/ttyUSB3", "/dev/ttyUSB6"} {
		r.info(t, r.root+path, PortWaiting)
	}
	if n := len(r.hub.Ports()); n != 9 {
		t.Errorf("%d ports: %+v", n, r.hub.Ports())
	}
}

// TestHeldByOthers: a port that another program has is not touched, and it is said whose it is; the hub takes it when it is free.
func TestHeldByOthers(t *testing.T) {
	r := politeMachine(t, time.Minute, PortOptions{Port: "auto"})
	path := r.adapter(t, "ttyUSB0", "idVendor=10c4", "idProduct=ea60")
	newTap(t, path)
	other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	must(t, err)
	must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	serve(t, r.hub, r.atHub)
	i := r.info(t, path, PortFailed)
	if !strings.Contains(i.Reason, fmt.Sprintf("process %d", os.Getpid())) || i.Remedy != "another program has it open: close that one" {
		t.Errorf("%+v", i)
	}
	must(t, other.Close())
	r.info(t, path, PortWaiting)
}

// TestBusyForLong: a port that others have for long is let go.
func TestBusyForLong(t *testing.T) {
	r := politeMachine(t, time.Minute, PortOptions{Port: "auto"})
	l := newLine(r.hub, &r.hub.options.Ports[0], discovery.Port{Path: "/dev/ttyUSB0"})
	err := &os.PathError{Op: "open", Path: "/dev/ttyUSB0", Err: unix.EBUSY}
	now := time.Now()
	l.fail(PortFailed, err)
	if l.busyFor(now.Add(busyPatience/2), err) || !l.busyFor(now.Add(2*busyPatience), err) || !strings.Contains(l.left.remedy, "{port: /dev/ttyUSB0}") {
		t.Errorf("%+v", l.left)
	}
}

// TestStaysAway: that a port was wanted before it was let go is no reason to open it again.
func TestStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Listen(Options{Ports: []PortOptions{{Port: discovery.Auto}}})
		if err != nil {
			t.Fatal(err)
		}
		l := newLine(s, &s.options.Ports[0], discovery.Port{Path: "/dev/ttyUSB0"})
		l.left = &leftError{"nothing has arrived", ""}
		l.wanted.Give()
		away := true
		var staying sync.WaitGroup
		staying.Go(func() {
			l.stayAway(t.Context())
			away = false
		})
		synctest.Wait()
		if !away {
			t.Error("it is opened again")
		}
		l.wanted.Give()
		synctest.Wait()
		if away {
			t.Error("it is not opened when it is plugged in anew")
		}
		staying.Wait()
	})
}

// TestStranger: half of what is known is nothing, nor is what has another checksum, and nothing panics.
func TestStranger(t *testing.T) {
	for _, b := range [][]byte{znp, ash, ash[1:], ubx, zw, []byte("a\r\n+CREG: 1\r\n"), []byte("start\r\necho:Marlin 2.1\r\n")} {
		if stranger(b) == "" || stranger(append([]byte{0, 7}, b...)) == "" && b[0] != 'a' {
			t.Errorf("% x is not known", b)
		}
		if b[0] >= 'a' && b[0] < 'z' {
			continue
		}
		for n := range b {
			if what := stranger(b[:n]); what != "" {
				t.Errorf("% x is %s", b[:n], what)
			}
			damaged := bytes.Clone(b)
			damaged[n] ^= 0x10
			if what := stranger(damaged); what != "" && !bytes.Equal(b, ash) {
				t.Errorf("% x is %s", damaged, what)
			}
		}
	}
}

func FuzzStranger(f *testing.F) {
	for _, b := range [][]byte{znp, ash, ubx, zw} {
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { stranger(b) })
}

// TestRealPaths: the machine of these tests is what discovery sees.
func TestRealPaths(t *testing.T) {
	r := politeMachine(t, time.Minute)
	path := r.adapter(t, "ttyUSB0", "idVendor=10c4", "idProduct=ea60")
	if ports, err := r.hub.options.System.Ports(); err != nil || len(ports) != 1 || ports[0].Path != path || filepath.Base(path) != "ttyUSB0" {
		t.Errorf("%+v, %v", ports, err)
	}
}

func newTestDevice(t *testing.T, at *plug) *device.Device {
	t.Helper()
	d, err := device.New(at.open, device.Options{UID: []byte{7}, Senders: lightSenders, Timeout: watchdog,
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}})
	must(t, err)
	return d
}
