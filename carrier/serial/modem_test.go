//go:build linux || darwin

package serial

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// TestModemLines: DTR and RTS are set as the options say, on ports that can.
func TestModemLines(t *testing.T) {
	for _, test := range []struct {
		o    PortOptions
		want string
	}{
		{PortOptions{}, ""},
		{PortOptions{DTROff: true}, "dtr false rts true"},
		{PortOptions{DTROff: true, RTSOff: true}, "dtr false rts false"},
	} {
		p := &modemPort{}
		test.o.Opener = port.OpenerFunc(func(string, int) (port.Port, error) { return p, nil })
		got, err := (&line{options: &test.o}).open(t.Context())
		if err != nil || got != p || p.set != test.want {
			t.Errorf("%+v: %q, %v", test.o, p.set, err)
		}
	}
	for _, p := range []interface {
		port.Port
		closings() int
	}{&modemPort{err: syscall.EINVAL}, &plainPort{}} {
		o := PortOptions{RTSOff: true, Opener: port.OpenerFunc(func(string, int) (port.Port, error) { return p, nil })}
		if _, err := (&line{options: &o}).open(t.Context()); !errors.Is(err, port.ErrNoModem) || p.closings() != 1 || port.Remedy(err) != "leave dtr and rts as they are" {
			t.Errorf("%v, %d", err, p.closings())
		}
	}
}

// TestModemOpener: an opener that can keep lines down is asked to; one of two lines alone is worth a warning.
func TestModemOpener(t *testing.T) {
	for _, test := range []struct {
		dtrOff, rtsOff bool
		want           string
		warns          bool
	}{
		{false, false, "open", false},
		{true, false, "open dtr false rts true", true},
		{false, true, "open dtr true rts false", true},
		{true, true, "open dtr false rts false", false},
	} {
		o := &modemOpener{}
		log := new(logBuffer)
		s, err := Listen(Options{Logger: slog.New(slog.NewTextHandler(log, nil)),
			Ports: []PortOptions{{Port: "x", Opener: o, DTROff: test.dtrOff, RTSOff: test.rtsOff}}})
		must(t, err)
		if _, err := newLine(s, &s.options.Ports[0], discovery.Port{Path: "x"}).open(t.Context()); err != nil || o.did != test.want {
			t.Errorf("%+v: %q, %v", test, o.did, err)
		}
		if warns := strings.Contains(log.String(), "only one of DTR and RTS is off"); warns != test.warns {
			t.Errorf("%+v: %s", test, log)
		}
	}
}

type modemOpener struct{ did string }

func (o *modemOpener) Open(string, int) (port.Port, error) {
	o.did = "open"
	return &plainPort{}, nil
}

func (o *modemOpener) OpenModem(_ string, _ int, dtr, rts bool) (port.Port, error) {
	o.did = fmt.Sprint("open dtr ", dtr, " rts ", rts)
	return &plainPort{}, nil
}

type plainPort struct {
	port.Port
	closed int
}

func (p *plainPort) Close() error  { p.closed++; return nil }
func (p *plainPort) closings() int { return p.closed }

type modemPort struct {
	plainPort
	set string
	err error
}

func (p *modemPort) SetModem(dtr, rts bool) error {
	p.set = fmt.Sprint("dtr ", dtr, " rts ", rts)
	return p.err
}
