//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSettle: the settings become the bits that termios(3) names, and no others.
func TestSettle(t *testing.T) {
	for _, test := range []struct {
		s     Settings
		c, in uint32
	}{
		{Settings{}, unix.CS8, 0},
		{Settings{Data: 7, Parity: EvenParity}, unix.CS7 | unix.PARENB, unix.INPCK},
		{Settings{Data: 8, Parity: OddParity, Stop: TwoStop}, unix.CS8 | unix.PARENB | unix.PARODD | unix.CSTOPB, unix.INPCK},
		{Settings{Data: 5, Stop: OneHalfStop}, unix.CS5 | unix.CSTOPB, 0},
		{Settings{Data: 6, Parity: MarkParity}, unix.CS6 | unix.PARENB | unix.PARODD | unix.CMSPAR, unix.INPCK},
		{Settings{Parity: SpaceParity, Flow: RTSCTS}, unix.CS8 | unix.PARENB | unix.CMSPAR | unix.CRTSCTS, unix.INPCK},
		{Settings{Flow: XONXOFF}, unix.CS8, unix.IXON | unix.IXOFF},
	} {
		// What another program has left behind.
		have := unix.Termios{Cflag: unix.CS6 | unix.PARENB | unix.PARODD | unix.CRTSCTS | unix.CSTOPB, Iflag: unix.IXON | unix.INPCK}
		if test.s.settle(&have); have.Cflag != test.c || have.Iflag != test.in {
			t.Errorf("%+v: %#x, %#x, want %#x, %#x", test.s, have.Cflag, have.Iflag, test.c, test.in)
		}
	}
}

// TestOpenWith: a pseudo terminal takes any settings, because it has none. It has no direction to switch, and the error says so.
func TestOpenWith(t *testing.T) {
	pty, err := NewPTY("")
	must(t, err)
	defer pty.Close()
	opener, err := NewOpener(OpenerNative)
	must(t, err)
	o := opener.(SettingsOpener)
	p, err := o.OpenWith(pty.Path(), Settings{Baud: 300, Data: 7, Parity: EvenParity, Stop: TwoStop, Flow: XONXOFF})
	must(t, err)
	must(t, p.(RateSetter).SetBaud(9600))
	must(t, p.Close())
	if p, err := o.OpenWith(pty.Path(), Settings{Baud: 9600, RS485: &RS485{}}); !errors.Is(err, ErrSettings) || !strings.Contains(Remedy(err), "configuration") {
		t.Error(p, err)
	}
	bugst, err := NewOpener(OpenerBugst)
	must(t, err)
	p, err = bugst.(SettingsOpener).OpenWith(pty.Path(), Settings{Baud: 300, Data: 7, Parity: EvenParity, Stop: TwoStop})
	must(t, err)
	must(t, p.Close())
	if _, err := bugst.(SettingsOpener).OpenWith(pty.Path(), Settings{Baud: 300, Flow: RTSCTS}); !errors.Is(err, ErrSettings) {
		t.Error(err)
	}
}

// TestCheckSettings: what no port can have is refused before one is opened.
func TestCheckSettings(t *testing.T) {
	for _, s := range []Settings{
		{Data: 4}, {Data: 9}, {Stop: OneHalfStop}, {Data: 5, Stop: TwoStop}, {Flow: RTSCTS, RTSOff: true}, {Flow: RTSCTS, RS485: &RS485{}},
		{RS485: &RS485{Before: -1}}, {Parity: "e"}, {Stop: "3"}, {Flow: "hard"},
	} {
		if err := s.Check(); !errors.Is(err, ErrSettings) {
			t.Errorf("%+v: %v", s, err)
		}
		if s.Usual() && s.RS485 == nil && s.Data == 0 && s.Flow == "" {
			t.Errorf("%+v is usual", s)
		}
	}
}
