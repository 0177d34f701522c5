//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

// TestModemBits: lines that are to stay down are never asserted, and are deasserted before anything else is done, but only if no
// other program has the port.
func TestModemBits(t *testing.T) {
	pty, err := NewPTY("")
	must(t, err)
	defer pty.Close()
	for _, test := range []struct {
		dtr, rts bool
		want     []string
	}{
		{true, true, []string{"lower 0", "raise 6"}},
		{false, true, []string{"lower 2", "raise 4"}},
		{true, false, []string{"lower 4", "raise 2"}},
		{false, false, []string{"lower 6", "raise 0"}},
	} {
		f, err := os.OpenFile(pty.Path(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		must(t, err)
		var got []string
		set := func(fd int, request uint, bits int) error {
			name := map[uint]string{unix.TIOCMBIC: "lower", unix.TIOCMBIS: "raise"}[request]
			if got = append(got, fmt.Sprint(name, " ", bits)); len(got) == 1 {
				before, err := readTermios(fd)
				must(t, err)
				if before.Cflag&unix.CLOCAL != 0 {
					t.Error("the settings were changed first")
				}
			}
			return nil
		}
		must(t, setUp(int(f.Fd()), Settings{Baud: 9600, DTROff: !test.dtr, RTSOff: !test.rts}, set))
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("dtr %t, rts %t: %q, want %q", test.dtr, test.rts, got, test.want)
		}
		other, err := os.OpenFile(pty.Path(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err == nil { // root can open it in any case
			got = nil
			if err := setUp(int(other.Fd()), Settings{Baud: 9600, DTROff: true, RTSOff: true}, set); !errors.Is(err, unix.EBUSY) || got != nil {
				t.Errorf("a port in use: %v, %q", err, got)
			}
			must(t, other.Close())
		}
		reset, err := readTermios(int(f.Fd()))
		must(t, err)
		reset.Cflag &^= unix.CLOCAL
		must(t, applyTermios(int(f.Fd()), reset, 9600, false))
		must(t, f.Close())
	}
	for _, name := range Openers() {
		opener, err := NewOpener(name)
		must(t, err)
		m, can := opener.(ModemOpener)
		if can != (name != OpenerTarm) {
			t.Errorf("%s can keep lines down: %t", name, can)
		}
		if !can {
			continue
		}
		if p, err := m.OpenModem(pty.Path(), 9600, false, true); !errors.Is(err, ErrNoModem) { // a pseudo terminal has no such lines
			t.Errorf("%s: %v, %v", name, p, err)
		}
		p, err := m.OpenModem(pty.Path(), 9600, true, true)
		must(t, err)
		must(t, p.Close())
	}
}
