package modbus

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
	"sighub/sensors/modbus/slave"
)

// pymodbus is a program that is a slave or a master with pymodbus: see there.
//
//go:embed testdata/peer.py
var pymodbus string

// patience is how long a test waits for another program on a busy machine.
const patience = 2 * time.Minute

// python starts the program. What it prints is in the log of the test.
func python(t *testing.T, args ...string) (finished func() string) {
	t.Helper()
	const interpreter = "/usr/bin/python3" // for which Debian's packages are
	if out, err := exec.CommandContext(t.Context(), interpreter, "-c", "import pymodbus, serial").CombinedOutput(); err != nil {
		t.Fatalf("pymodbus is missing: install python3-pymodbus: %v %s", err, out)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	c := exec.CommandContext(ctx, interpreter, append([]string{"-c", pymodbus}, args...)...)
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		failed = c.Wait()
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return func() string {
		<-done
		if failed != nil {
			t.Errorf("%v: %v\n%s", args, failed, &out)
		}
		return out.String()
	}
}

// join joins two pseudo terminals, so that two programs can each open a path. It returns the paths.
func join(t *testing.T) (one, other string) {
	t.Helper()
	dir := t.TempDir()
	var ends [2]port.Port
	var ptys [2]*port.PTY
	for i, name := range []string{"one", "other"} {
		var err error
		if ptys[i], err = port.NewPTY(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if ends[i], err = ptys[i].Open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{}, 2)
	for i := range 2 {
		go func() {
			_, _ = io.Copy(ends[i], ends[1-i])
			done <- struct{}{}
		}()
	}
	t.Cleanup(func() {
		for i := range 2 {
			_ = ptys[i].Close()
		}
		<-done
		<-done
	})
	return ptys[0].Path(), ptys[1].Path()
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s never comes", what)
		}
	}
}

// peerOptions are those for the slave of testdata/peer.py: unit 7 has registers that are their addresses plus 1000, and coils that are on
// at even addresses; some words are a float, and some are missing.
func peerOptions(tcp bool) Options {
	register := func(event string, f frame.Function, address uint16, kind profile.Type, order profile.Order) profile.Register {
		return profile.Register{Event: event, Function: f, Address: address, Type: kind, Order: order, Scale: 1, Interval: 50 * time.Millisecond}
	}
	scaled := register("scaled", frame.ReadInput, 5, profile.I16, profile.ABCD)
	scaled.Scale = 0.1
	coil := register("coil2", frame.ReadCoils, 2, profile.Bool, profile.ABCD)
	coil.Write = profile.Single
	several := register("coil3", frame.ReadCoils, 3, profile.Bool, profile.ABCD)
	several.Write = profile.Multiple
	word := register("word", frame.ReadHolding, 8, profile.U16, profile.ABCD)
	word.Write = profile.Single
	long := register("long", frame.ReadHolding, 20, profile.U32, profile.CDAB)
	long.Write = profile.Multiple
	return Options{TCP: tcp, Timeout: 5 * time.Second, Devices: []Device{{ID: 7, Sender: "peer", Profile: profile.Profile{Registers: []profile.Register{
		register("float", frame.ReadInput, 30, profile.F32, profile.ABCD), scaled, coil, several, word, long,
		register("on", frame.ReadDiscrete, 4, profile.Bool, profile.ABCD), register("missing", frame.ReadHolding, 5000, profile.U16, profile.ABCD),
	}}}}}
}

// master has a Speaker speak on a port, reads and writes all that the peer has, and returns what was wrong.
func master(t *testing.T, o Options, p port.Port) {
	t.Helper()
	router := hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}})
	heard := listen(t, router)
	s, err := New(o, Place{Path: "peer", Router: func() *hub.Router { return router }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextOf(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Speak(ctx, p)
	}()
	defer func() {
		stop()
		<-done
	}()
	for _, want := range []string{"peer float 230.5", "peer scaled 100.5", "peer coil2 true", "peer coil3 false", "peer word 1008", "peer on true"} {
		await(t, want, func() bool { return slices.Contains(heard.texts(), want) })
	}
	for event, value := range map[string]any{"coil2": false, "coil3": true, "word": 4711, "long": 123456789} {
		if _, err := router.Request(t.Context(), "peer", "set", map[string]any{event: value}); err != nil {
			t.Errorf("set %s: %v", event, err)
		}
		want := fmt.Sprintf("peer %s %v", event, value)
		await(t, want, func() bool { return slices.Contains(heard.texts(event), want) })
	}
	if v, err := router.Request(t.Context(), "peer", "read", "missing"); err == nil || !strings.Contains(err.Error(), "illegal data address (2)") {
		t.Errorf("%v, %v", v, err)
	}
	if len(heard.texts("missing")) > 0 {
		t.Error("a register that is missing was read")
	}
	spoken := s.Spoken(time.Now())
	for cause := range spoken.Refused {
		if cause != "exception" && cause != "timeout" { // the peer may have started late
			t.Errorf("%v", spoken.Refused)
		}
	}
}

// TestPymodbusSlaveRTU, and those below: the master and the slave of this package understand programs of others.
func TestPymodbusSlaveRTU(t *testing.T) {
	ours, theirs := join(t)
	python(t, "slave", theirs)
	p, err := port.Open(ours, 19200)
	if err != nil {
		t.Fatal(err)
	}
	o := peerOptions(false)
	o.Settings.Baud = 19200
	master(t, o, p)
}

func TestPymodbusSlaveTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	python(t, "slave", address)
	var p net.Conn
	await(t, "a server", func() bool {
		p, err = net.Dial("tcp", address)
		return err == nil
	})
	master(t, peerOptions(true), p)
}

// ourUnit is what the masters of others read.
func ourUnit() *slave.Bank {
	b := slave.NewBank()
	for i := range uint16(64) {
		words := []byte{byte((1000 + i) >> 8), byte(1000 + i)}
		b.Set(frame.ReadHolding, i, words)
		b.Set(frame.ReadInput, i, words)
		b.SetBit(frame.ReadCoils, i, i%2 == 0)
		b.SetBit(frame.ReadDiscrete, i, i%3 == 0)
	}
	return b
}

// serveRTU serves our unit 7 on a line, and returns the path for its master.
func serveRTU(t *testing.T) (path string, unit *slave.Bank) {
	t.Helper()
	pty, err := port.NewPTY(filepath.Join(t.TempDir(), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	end, err := pty.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unit = ourUnit()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = (&slave.Bus{Units: map[byte]slave.Unit{7: unit}}).ServeRTU(end)
	}()
	t.Cleanup(func() {
		_ = pty.Close()
		<-done
	})
	return pty.Path(), unit
}

func serveTCP(t *testing.T) (address string, unit *slave.Bank) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unit = ourUnit()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = (&slave.Bus{Units: map[byte]slave.Unit{7: unit}}).ServeTCP(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String(), unit
}

// check checks what a master has written.
func check(t *testing.T, unit *slave.Bank) {
	t.Helper()
	if unit.Word(frame.ReadHolding, 3) != 4711 || unit.Word(frame.ReadHolding, 10) != 11 || unit.Word(frame.ReadHolding, 11) != 12 ||
		!unit.Bit(frame.ReadCoils, 1) || unit.Bit(frame.ReadCoils, 4) || !unit.Bit(frame.ReadCoils, 5) {
		t.Errorf("it was not written: %d %d %d", unit.Word(frame.ReadHolding, 3), unit.Word(frame.ReadHolding, 10), unit.Word(frame.ReadHolding, 11))
	}
}

func TestPymodbusMaster(t *testing.T) {
	t.Run("RTU", func(t *testing.T) {
		path, unit := serveRTU(t)
		if said := python(t, "master", path)(); !strings.Contains(said, "all is right") {
			t.Error(said)
		}
		check(t, unit)
	})
	t.Run("TCP", func(t *testing.T) {
		address, unit := serveTCP(t)
		if said := python(t, "master", address)(); !strings.Contains(said, "all is right") {
			t.Error(said)
		}
		check(t, unit)
	})
}

// mbpoll runs a program that uses libmodbus.
func mbpoll(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("mbpoll")
	if err != nil {
		t.Fatal("mbpoll is missing: install mbpoll")
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	out, err := exec.CommandContext(ctx, path, append([]string{"-a", "7", "-0", "-o", "5", "-q"}, args...)...).CombinedOutput()
	if err != nil {
		t.Errorf("mbpoll %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestMbpoll(t *testing.T) {
	rtu, unit := serveRTU(t)
	address, other := serveTCP(t)
	host, number, _ := net.SplitHostPort(address)
	for name, line := range map[string]struct {
		how  []string
		to   string
		unit *slave.Bank
	}{
		"RTU": {[]string{"-m", "rtu", "-b", "9600", "-P", "none"}, rtu, unit},
		"TCP": {[]string{"-m", "tcp", "-p", number}, host, other},
	} {
		for _, test := range []struct {
			args, values []string
			want         string
		}{
			{[]string{"-1", "-t", "4", "-r", "2", "-c", "3"}, nil, "[4]: \t1004"},
			{[]string{"-1", "-t", "3", "-r", "0", "-c", "64"}, nil, "[63]: \t1063"},
			{[]string{"-1", "-t", "0", "-r", "4", "-c", "9"}, nil, "[12]: \t1"},
			{[]string{"-1", "-t", "1", "-r", "6", "-c", "1"}, nil, "[6]: \t1"},
			{[]string{"-t", "4", "-r", "3"}, []string{"4711"}, "Written 1 references"},
			{[]string{"-t", "4", "-r", "10"}, []string{"11", "12"}, "Written 2 references"},
			{[]string{"-t", "0", "-r", "1"}, []string{"1"}, "Written 1 references"},
			{[]string{"-t", "0", "-r", "4"}, []string{"0", "1"}, "Written 2 references"},
		} {
			args := slices.Concat(line.how, test.args, []string{line.to}, test.values)
			if said := mbpoll(t, args...); !strings.Contains(said, test.want) {
				t.Errorf("%s: mbpoll %q:\n%s", name, args, said)
			}
		}
		check(t, line.unit)
	}
}
