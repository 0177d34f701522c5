package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/carrier/serial/port"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{"tcp://10.0.0.5:4001", "tcp 10.0.0.5:4001"},
		{"rfc2217://meter.lan:23", "rfc2217 meter.lan:23"},
		{"tcp://[fd00::5]:4001", "tcp [fd00::5]:4001"},
		{"tcp://[fe80::1%eth0]:4001", "tcp [fe80::1%eth0]:4001"},
		{"tcp://fd00::5:4001", "put an IPv6 address in brackets"},
		{"tcp://10.0.0.5", "the port's number is missing"},
		{"tcp://[fd00::5]", "the port's number is missing"},
		{"tcp://:4001", "the host is missing"},
		{"tcp://10.0.0.5:0", "is not the number of a port"},
		{"tcp://10.0.0.5:65536", "is not the number of a port"},
		{"tcp://10.0.0.5:4001/", "is not the number of a port"},
		{"tcp://me@10.0.0.5:4001", "is not a host"},
		{"telnet://10.0.0.5:23", "a port elsewhere is tcp://HOST:PORT"},
		{"://", "a port elsewhere is tcp://HOST:PORT"},
	} {
		scheme, address, err := Split(test.path)
		if got := scheme + " " + address; err == nil && got != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, %v", test.path, got, err)
		}
		if !Is(test.path) {
			t.Errorf("%s is not elsewhere", test.path)
		}
	}
	if Is("/dev/ttyUSB0") || Is("COM3") || Is("0403:6001:x") {
		t.Error("a port of this machine is elsewhere")
	}
	if got := Base("tcp://[fe80::1%eth0]:4001") + " " + Base("rfc2217://meter.lan:23"); got != "fe80--1-eth0-4001 meter.lan-23" {
		t.Error(got)
	}
}

// FuzzSplit: what is accepted has a host and a number, and no short name has a sign that a name may not have.
func FuzzSplit(f *testing.F) {
	f.Add("tcp://[::1]:4001")
	f.Add("rfc2217://a:1")
	f.Fuzz(func(t *testing.T, path string) {
		if _, address, err := Split(path); err == nil {
			if host, number, err := net.SplitHostPort(address); err != nil || host == "" || number == "" {
				t.Error(address)
			}
			if strings.ContainsAny(Base(path), "[]:%/ ") {
				t.Error(Base(path))
			}
		}
	})
}

// rawServer accepts one connection after the other, and serves each.
func rawServer(t *testing.T, network string, serve func(net.Conn)) (path string) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "tcp6" {
		addr = "[::1]:0"
	}
	l, err := net.Listen(network, addr)
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return TCP + "://" + l.Addr().String()
}

// TestRaw: bytes pass as they are, over both kinds of addresses and by name.
func TestRaw(t *testing.T) {
	echo := func(conn net.Conn) {
		_, _ = conn.Write([]byte("hello\xff"))
		_, _ = io.Copy(conn, conn)
	}
	paths := []string{rawServer(t, "tcp4", echo), rawServer(t, "tcp6", echo)}
	// A name with several addresses: they are tried in turn, for nothing listens at one of them.
	for _, path := range paths {
		_, address, err := Split(path)
		must(t, err)
		_, number, err := net.SplitHostPort(address)
		must(t, err)
		if list, _ := net.LookupHost("localhost"); len(list) > 1 || strings.Contains(path, "127") {
			paths = append(paths, "tcp://localhost:"+number)
		}
	}
	for _, path := range paths {
		p, err := Opener{}.Open(path, 9600)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got := readAll(t, p, 6); string(got) != "hello\xff" {
			t.Errorf("%s: %q", path, got)
		}
		_, err = p.Write([]byte{255, 13, 0})
		must(t, err)
		if got := readAll(t, p, 3); string(got) != "\xff\r\x00" {
			t.Errorf("%s: %q", path, got)
		}
		if _, settable := p.(port.RateSetter); settable || p.(Describer).Info().Address == "" {
			t.Errorf("%s: %T", path, p)
		}
		must(t, p.Close())
		must(t, p.Close())
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestErrors: errors in plain words.
func TestErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := "tcp://" + l.Addr().String()
	must(t, l.Close())
	for _, test := range []struct {
		path   string
		s      port.Settings
		is     error
		what   string
		remedy string
	}{
		{nobody, port.Settings{}, syscall.ECONNREFUSED, "the connection is refused", "is the server of ports running there"},
		{"tcp://name.invalid:4001", port.Settings{}, nil, "name", "write the host's IP address"},
		{rawServer(t, "tcp4", func(c net.Conn) { fmt.Fprint(c, "Port already in use\r\n") }), port.Settings{}, syscall.EBUSY,
			`somebody else is connected: the server says "Port already in use"`, "close the other connection"},
		{rawServer(t, "tcp4", func(c net.Conn) {}), port.Settings{}, io.EOF, "closes the connection at once", "does the server not let this machine in"},
		{rawServer(t, "tcp4", func(c net.Conn) { fmt.Fprint(c, "\x1b[2Jgo away") }), port.Settings{}, io.EOF, `and says "[2Jgo away"`, "ask whoever runs"},
		{nobody, port.Settings{Data: 7}, port.ErrSettings, "over tcp:// the settings are those of the server", "change what the configuration says"},
		{nobody, port.Settings{DTROff: true}, port.ErrSettings, "over tcp://", ""},
		{"rfc2217://127.0.0.1:1", port.Settings{RS485: &port.RS485{}}, port.ErrSettings, "leave rs485 out", ""},
		{"rfc2217://127.0.0.1:1", port.Settings{Data: 9}, port.ErrSettings, "9 data bits", ""},
		{"udp://127.0.0.1:1", port.Settings{}, nil, "a port elsewhere is", ""},
	} {
		_, err := Opener{}.OpenWith(test.path, test.s)
		if err == nil || !strings.Contains(err.Error(), test.what) || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(port.Remedy(err), test.remedy) {
			t.Errorf("%s: %v: %s", test.path, err, port.Remedy(err))
		}
	}
	for is, what := range map[error]string{
		syscall.EHOSTUNREACH: "there is no route to this host", syscall.ENETUNREACH: "there is no route", os.ErrDeadlineExceeded: "does not answer",
		syscall.ETIMEDOUT: "does not answer", errors.New("odd"): "cannot connect: dial: odd", &net.DNSError{}: "cannot be looked up",
	} {
		if got := dialError(fmt.Errorf("dial: %w", is)); !strings.Contains(got.Error(), what) || !errors.Is(got, is) || port.Remedy(got) == "" {
			t.Errorf("%v: %v", is, got)
		}
	}
	for is, what := range map[error]string{
		syscall.EHOSTUNREACH: "there is no route to the server any more", syscall.ETIMEDOUT: "does not answer any more", syscall.EPIPE: "broken",
		net.ErrClosed: "closed", syscall.EINVAL: "invalid",
	} {
		if got := lostError(fmt.Errorf("read: %w", is)); !strings.Contains(got.Error(), what) {
			t.Errorf("%v: %v", is, got)
		}
	}
}

// TestLost: a connection that ends is told from one that is closed here.
func TestLost(t *testing.T) {
	end := make(chan struct{})
	path := rawServer(t, "tcp4", func(net.Conn) { <-end })
	p, err := Opener{}.Open(path, 9600)
	must(t, err)
	time.AfterFunc(10*time.Millisecond, func() { close(end) })
	if _, err := p.Read(make([]byte, 1)); err == nil || err.Error() != "the server has closed the connection" {
		t.Error(err)
	}
	must(t, p.Close())
}
