package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
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
		"127.0.0.1:6":              ThisMachine,
		"127.9.9.9:6":              ThisMachine,
		"[::1]:7":                  ThisMachine,
		"[::ffff:127.0.0.1]:8":     ThisMachine,
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		p := peerOf(fakeConn{remote: a}, "")
		if local := want == ThisMachine; p.Place != want || p.Local != local || p.Secure != local || p.UID != -1 || p.Unix {
			t.Errorf("%s: %+v", addr, p)
		}
	}
}

func (d *door) enter(at string) (c, out *conn, err error) {
	c = &conn{peer: Peer{Place: at, Local: at == ThisMachine}}
	out, _, err = d.admit(c)
	return c, out, err
}

// TestDoor: one place has its part, strangers make way, those first that are where most of them are, and nothing is left of who
// has gone.
func TestDoor(t *testing.T) {
	d := newDoor(Options{MaxConns: 8, MaxPerAddress: 3}.withDefaults())
	var conns []*conn
	enter := func(at string, speaks bool) (out *conn, err error) {
		c, out, err := d.enter(at)
		if err == nil {
			conns = append(conns, c)
			if speaks {
				d.known(c)
			}
		}
		return out, err
	}
	must := func(at string, speaks bool, makesWay int) {
		t.Helper()
		out, err := enter(at, speaks)
		if err != nil || (out == nil) != (makesWay < 0) || out != nil && out != conns[makesWay] {
			t.Errorf("from %s: %v, %v", at, out, err)
		}
	}
	must("a", true, -1)  // 0
	must("a", false, -1) // 1
	must("a", true, -1)  // 2
	must("a", true, 1)   // 3: the place is full, but one there is a stranger
	if _, err := enter("a", true); !errors.Is(err, ErrFull) {
		t.Errorf("a fourth that is known: %v", err)
	}
	must("b", false, -1) // 4
	must("c", false, -1) // 5
	must("c", false, -1) // 6
	must("c", false, -1) // 7: the fourth stranger
	must("d", true, 5)   // 8: half of all are strangers
	must("d", true, -1)  // 9
	must("e", true, 6)   // 10: all are there, and c has most strangers
	d.known(conns[7])
	must(ThisMachine, true, 4) // 11: now b has
	if open, strangers := d.count(); open != 8 || strangers != 0 {
		t.Errorf("%d are strangers, of %d", strangers, open)
	}
	for _, c := range append(conns, conns...) {
		d.known(c)
		d.leave(c)
	}
	if len(d.places) != 0 || len(d.open) != 0 || d.others.waiting+d.here.waiting+d.others.open+d.here.open+len(d.others.places)+len(d.here.places) != 0 {
		t.Errorf("left over: %+v", d)
	}
}

// TestDoorLocal: programs of this machine may have nearly all places, and so may those of others; some are left for the others.
func TestDoorLocal(t *testing.T) {
	for _, local := range []bool{true, false} {
		d := newDoor(Options{MaxConns: 160, MaxPerAddress: 80}.withDefaults())
		place := func(i int, local bool) string {
			if local {
				return ThisMachine
			}
			return fmt.Sprint(i)
		}
		for i := range 200 {
			c, _, err := d.enter(place(i, local))
			if (err == nil) != (i < 150) {
				t.Fatalf("%d: %v", i, err)
			}
			d.known(c)
		}
		for i := range 10 {
			if _, _, err := d.enter(place(i, !local)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestDoorTies: among strangers from many places, the oldest makes way, and not one that has just come.
func TestDoorTies(t *testing.T) {
	d := newDoor(Options{}.withDefaults())
	begin := time.Now()
	var all []*conn
	for i := range 1000 {
		c := &conn{peer: Peer{Place: fmt.Sprint(i)}, by: begin.Add(time.Duration(i))}
		out, _, err := d.admit(c)
		all = append(all, c)
		if err != nil || (out != nil) != (i >= 256) || out != nil && out != all[i-256] {
			t.Fatalf("%d: %v, %v", i, out, err)
		}
	}
}

// TestEvicted: who is to make way, or is late, is not admitted any more from that moment on, and is told why.
func TestEvicted(t *testing.T) {
	d := newDoor(Options{MaxConns: 2}.withDefaults())
	s := &Server{door: d}
	enter := func() (c, out *conn) {
		c = &conn{peer: Peer{Place: "a"}, server: s}
		out, _, err := d.admit(c)
		if err != nil {
			t.Fatal(err)
		}
		return c, out
	}
	first, _ := enter()
	late, out := enter()
	if err := first.Admit(); out != first || !errors.Is(err, ErrMadeWay) {
		t.Errorf("who has made way: %v", err)
	}
	if list, more := d.overdue(late.by.Add(1)); len(list) != 1 || list[0] != late || more {
		t.Errorf("%v are late", list)
	}
	if err := late.Admit(); !errors.Is(err, ErrLate) {
		t.Errorf("who is late: %v", err)
	}
}

// TestPatient: as long as only those wait who may, nobody looks at the time; that somebody's begins is told.
func TestPatient(t *testing.T) {
	changed := make(chan struct{}, 1)
	d := newDoor(Options{Changed: changed}.withDefaults())
	told := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	c := &conn{peer: Peer{Place: "a"}, server: &Server{door: d}, patient: true}
	if _, _, err := d.admit(c); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if list, more := d.overdue(now); len(list) > 0 || more || told(d.knocked) || !told(changed) {
		t.Errorf("one who is patient: %v are late, %t", list, more)
	}
	d.begin(c, now.Add(1))
	if list, more := d.overdue(now); len(list) > 0 || !more || !told(d.knocked) {
		t.Errorf("one whose time has begun: %v are late, %t", list, more)
	}
	if list, more := d.overdue(now.Add(2)); len(list) != 1 || more || !told(changed) {
		t.Errorf("one who is late: %v are late, %t", list, more)
	}
	if _, _, err := d.admit(&conn{peer: Peer{Place: "b"}}); err != nil || !told(d.knocked) || !told(changed) {
		t.Errorf("one who is not patient: nobody was told, or %v", err)
	}
}

// TestDoorStrangers: strangers from elsewhere are few, in all and from one place, and never keep out the next one; the oldest
// goes that is where most are. Those of this machine do not count among them.
func TestDoorStrangers(t *testing.T) {
	d := newDoor(Options{}.withDefaults())
	var flood []*conn
	for i := range 1000 {
		c, out, err := d.enter("flood")
		flood = append(flood, c)
		if err != nil || (out != nil) != (i >= 64) || out != nil && out != flood[i-64] {
			t.Fatalf("%d: %v, %v", i, out, err)
		}
		if _, _, err := d.enter(ThisMachine); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 256 - 64 {
		if _, out, err := d.enter(fmt.Sprint(i)); out != nil || err != nil {
			t.Fatalf("%d: %v, %v", i, out, err)
		}
	}
	good, out, err := d.enter("good")
	if err != nil || out != flood[1000-64] {
		t.Errorf("%v, %v", out, err)
	}
	for i := range 62 {
		if _, out, err = d.enter(fmt.Sprint("more", i)); err != nil || out == nil || out.peer.Place != "flood" {
			t.Errorf("%d: %v, %v", i, out, err)
		}
	}
	if !d.known(good) || d.known(out) {
		t.Error("who has gone is known, or who has not is not")
	}
	if _, strangers := d.count(); strangers != 1000+256-1 {
		t.Errorf("%d strangers", strangers)
	}
}

// TestPassing: what is wrong with one connection does not end a Server.
func TestPassing(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.EMFILE: true, syscall.ECONNABORTED: true, syscall.EPERM: true, syscall.EHOSTUNREACH: true, syscall.EBADF: false, syscall.EINVAL: false,
	} {
		if passing(&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}) != want {
			t.Errorf("%v may pass: %v", err, !want)
		}
	}
}
