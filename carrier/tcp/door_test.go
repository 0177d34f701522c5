package tcp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"sighub/carrier"
)

type fakeConn struct {
	net.Conn
	remote net.Addr
}

func (c fakeConn) RemoteAddr() net.Addr { return c.remote }

// TestPlaceOf: what may be one client with many connections is one place.
func TestPlaceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:1":              "192.0.2.7",
		"[::ffff:192.0.2.7]:2":     "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:3": "2001:db8:1:2::/64",
		"[2001:db8:1:2::1]:4":      "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:4":      "2001:db8:1:3::/64",
		"[fe80::1%eth0]:5":         "fe80::/64",
		"127.0.0.1:6":              thisMachine,
		"127.9.9.9:6":              thisMachine,
		"[::1]:7":                  thisMachine,
		"[::ffff:127.0.0.1]:8":     thisMachine,
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if at, local := placeOf(fakeConn{remote: a}); at != want || local != (want == thisMachine) {
			t.Errorf("%s: %s, local: %v", addr, at, local)
		}
	}
}

// TestDoor: one place has its part, silent connections make way, those first that are where most of them are, and nothing is
// left of who has gone.
func TestDoor(t *testing.T) {
	d := newDoor(8, 3)
	var conns []*conn
	enter := func(at string, speaks bool) (silent *conn, err error) {
		c := &conn{place: at}
		silent, _, err = d.admit(c, at == thisMachine)
		if err == nil {
			conns = append(conns, c)
			if speaks {
				d.spoke(c)
			}
		}
		return silent, err
	}
	must := func(at string, speaks bool, makesWay int) {
		t.Helper()
		silent, err := enter(at, speaks)
		if err != nil || (silent == nil) != (makesWay < 0) || silent != nil && silent != conns[makesWay] {
			t.Errorf("from %s: %v, %v", at, silent, err)
		}
	}
	must("a", true, -1)  // 0
	must("a", false, -1) // 1
	must("a", true, -1)  // 2
	must("a", true, 1)   // 3: the place is full, but one there is silent
	if _, err := enter("a", true); !errors.Is(err, carrier.ErrLimit) {
		t.Errorf("a fourth that speaks: %v", err)
	}
	must("b", false, -1) // 4
	must("c", false, -1) // 5
	must("c", false, -1) // 6
	must("c", false, -1) // 7: the fourth that is silent
	must("d", true, 5)   // 8: half of all are silent
	must("d", true, -1)  // 9
	must("e", true, 6)   // 10: all are there, and c has most silent ones
	d.spoke(conns[7])
	must(thisMachine, true, 4) // 11: now b has
	if d.silent != 0 || len(d.all()) != 8 {
		t.Errorf("%d are silent, of %d", d.silent, len(d.all()))
	}
	for _, c := range append(conns, conns...) {
		d.spoke(c)
		d.leave(c)
	}
	if len(d.places) != 0 || len(d.open) != 0 || d.silent != 0 {
		t.Errorf("left over: %v, %v, %d", d.places, d.open, d.silent)
	}
}

// TestDoorLocal: programs of this machine may have nearly all places, and some are left for others.
func TestDoorLocal(t *testing.T) {
	d := newDoor(160, 80)
	for i := range 200 {
		c := &conn{place: thisMachine}
		if _, _, err := d.admit(c, true); (err == nil) != (i < 150) {
			t.Fatalf("%d: %v", i, err)
		}
		d.spoke(c)
	}
	for i := range 10 {
		if _, _, err := d.admit(&conn{place: fmt.Sprint(i)}, false); err != nil {
			t.Error(err)
		}
	}
}

// TestUnixPlace: the users of a Unix socket are told apart where the system tells who they are.
func TestUnixPlace(t *testing.T) {
	h := serveHub(t, "unix://"+t.TempDir()+"/hub", Options{}, nil)
	h.greeted(Options{}).echoes()
	want := thisMachine
	if runtime.GOOS == "linux" {
		want = fmt.Sprint("user ", os.Getuid())
	}
	if c := h.door.all()[0]; c.place != want {
		t.Errorf("the place is %q, not %q", c.place, want)
	}
}
