package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/carrier/serial/port"
)

const watchdog = time.Minute

func readAll(t *testing.T, p port.Port, n int) []byte {
	t.Helper()
	got := make([]byte, n)
	late := time.AfterFunc(watchdog, func() { _ = p.Close() })
	defer late.Stop()
	m, err := io.ReadFull(p, got)
	if err != nil {
		t.Fatalf("read %q, then %v", got[:m], err)
	}
	return got
}

// TestSettings: all settings travel, lines that are to stay down first, and are never asserted.
func TestSettings(t *testing.T) {
	for _, test := range []struct {
		s    port.Settings
		want string
	}{
		{port.Settings{Baud: 115200}, "2 8,3 1,4 1,5 1,1 115200,5 8,5 11,10 30,11 255,0 0"},
		{port.Settings{Baud: 300, Data: 7, Parity: port.EvenParity, Stop: port.TwoStop, Flow: port.XONXOFF, DTROff: true, RTSOff: true, Fresh: true},
			"5 9,5 12,2 7,3 3,4 2,5 2,1 300,10 30,11 255,0 0,12 1"},
		{port.Settings{Baud: 1_000_000, Data: 5, Stop: port.OneHalfStop, Parity: port.MarkParity, Flow: port.RTSCTS}, "2 5,3 4,4 3,5 3,1 1000000,5 8,10 30,11 255,0 0"},
		{port.Settings{Baud: 9600, Parity: port.SpaceParity}, "2 8,3 5,4 1,5 1,1 9600,5 8,5 11,10 30,11 255,0 0"},
		{port.Settings{Baud: 9600, Parity: port.OddParity, DTROff: true}, "5 9,2 8,3 2,4 1,5 1,1 9600,5 11,10 30,11 255,0 0"},
		{port.Settings{Parity: port.OddParity}, "2 8,3 2,4 1,5 1,5 8,5 11,10 30,11 255,0 0"},
		{port.Settings{Break: time.Millisecond, Fresh: true}, "2 8,3 1,4 1,5 1,5 8,5 11,10 30,11 255,0 0,12 1,5 5,5 6"},
	} {
		server := new(fakeServer)
		path := newFakeServer(t, server)
		p, err := Opener{}.OpenWith(path, test.s)
		must(t, err)
		want := strings.Split(test.want, ",")
		server.await(t, nil, want[len(want)-1])
		if got := server.said(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %q, want %q", test.s, got, want)
		}
		must(t, p.Close())
		must(t, p.Close())
	}
}

// TestTransfer: all bytes pass in both directions, byte by byte too; rate and modem lines change while data flows.
func TestTransfer(t *testing.T) {
	every := make([]byte, 0, 3*256)
	for i := range 3 * 256 {
		every = append(every, byte(i))
	}
	every = append(every, 255, 255, 255, 13, 0, 13, 10, 13)
	for _, byByte := range []bool{false, true} {
		server := &fakeServer{byByte: byByte}
		path := newFakeServer(t, server)
		p, err := Opener{}.Open(path, 115200)
		must(t, err)
		server.say(appendData(nil, every, false))
		if got := readAll(t, p, len(every)); !bytes.Equal(got, every) {
			t.Errorf("%q", got)
		}
		_, err = p.Write(every)
		must(t, err)
		server.await(t, every, "")
		must(t, p.(port.RateSetter).SetBaud(250000))
		must(t, p.(port.ModemSetter).SetModem(false, true))
		server.await(t, every, "1 250000")
		server.await(t, every, "5 9")
		server.say(appendSub(nil, comModem+fromServer, 0x30))
		server.say(appendSub(nil, comLine+fromServer, 4|8))
		server.say(appendSub(nil, comLine+fromServer, 4|1|32))
		server.say([]byte{iac, sb, 1, 2, iac, se, iac, sb, optCOM, iac, se, iac, sb, optCOM, 200, 1, iac, se, iac, sb, optCOM, 107, iac, se, 'x'})
		if got := readAll(t, p, 1); got[0] != 'x' {
			t.Errorf("%q", got)
		}
		i := p.(Describer).Info()
		if i.Server != "fake[31m server" || i.Modem != "CTS DSR" || i.Errors["parity"] != 2 || i.Errors["framing"] != 1 || len(i.Errors) != 2 ||
			i.Address != server.listener.Addr().String() {
			t.Errorf("%+v", i)
		}
		must(t, p.Close())
	}
}

// TestHeld: nothing is written while the server wants nothing, and Close ends the wait.
func TestHeld(t *testing.T) {
	server := new(fakeServer)
	p, err := Opener{}.Open(newFakeServer(t, server), 9600)
	must(t, err)
	hold, release := appendSub(nil, comSuspend+fromServer), appendSub(nil, comResume+fromServer)
	server.say(append(hold, 'x'))
	readAll(t, p, 1)
	wrote := make(chan error, 1)
	go func() { _, err := p.Write([]byte("late")); wrote <- err }()
	must(t, p.(port.ModemSetter).SetModem(true, false)) // commands pass
	server.await(t, nil, "5 12")
	select {
	case err := <-wrote:
		t.Fatalf("written though it is held: %v", err)
	default:
	}
	server.say(release)
	must(t, <-wrote)
	server.await(t, []byte("late"), "")
	server.say(append(hold, 'x'))
	readAll(t, p, 1)
	go func() { _, err := p.Write([]byte("never")); wrote <- err }()
	must(t, p.Close())
	if err := <-wrote; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// TestUnread: a reader that does not read holds up neither a command nor Close, and nothing is lost of what waits.
func TestUnread(t *testing.T) {
	server := new(fakeServer)
	p, err := Opener{}.Open(newFakeServer(t, server), 9600)
	must(t, err)
	much := bytes.Repeat([]byte("0123456789abcdef"), maxData/16+1000)
	sent := make(chan struct{})
	go func() { server.say(much); close(sent) }()
	c := p.(*comPort)
	c.mu.Lock()
	for len(c.data) < maxData { // then the reader waits
		c.changed.Wait()
	}
	c.mu.Unlock()
	must(t, p.(port.RateSetter).SetBaud(19200)) // its answer comes behind the data
	if got := readAll(t, p, len(much)); !bytes.Equal(got, much) {
		t.Error("what was read is not what was sent")
	}
	<-sent
	go server.say(bytes.Repeat(much, 100))
	must(t, p.Close())
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// TestMisbehaving: what is wrong is said in plain words, with a remedy.
func TestMisbehaving(t *testing.T) {
	usual := func(_ byte, value []byte) []byte { return value }
	except := func(code byte, wrong []byte) func(byte, []byte) []byte {
		return func(c byte, value []byte) []byte {
			if c == code {
				return wrong
			}
			return usual(c, value)
		}
	}
	full := port.Settings{Baud: 9600, Data: 7, Parity: port.EvenParity}
	for _, test := range []struct {
		name     string
		server   *fakeServer
		settings port.Settings
		is       error
		what     string
		remedy   string
	}{
		{"refuses", &fakeServer{refuse: true}, full, ErrNotRFC2217, "this is not RFC 2217: the server speaks Telnet and refuses", "or write tcp://127.0.0.1:"},
		{"raw", &fakeServer{deaf: true, greeting: []byte("temp:21\r\n")}, full, ErrNotRFC2217, "the server does not answer as such a server does", "or write tcp://"},
		{"other baud", &fakeServer{answer: except(comBaud, baudValue(19200))}, full, port.ErrSettings, "does not take 9600 baud, and says that it has 19200", "change what the configuration says"},
		{"odd answer", &fakeServer{answer: except(comBaud, []byte{1})}, full, port.ErrSettings, "does not take 9600 baud", ""},
		{"other size", &fakeServer{answer: except(comData, []byte{8})}, full, port.ErrSettings, "does not take 7 data bits", ""},
		{"no parity", &fakeServer{answer: except(comParity, []byte{})}, full, port.ErrSettings, "does not take the parity even", ""},
		{"silent", &fakeServer{answer: except(comStop, nil)}, full, os.ErrDeadlineExceeded, "has not answered within 2s when it was to set 1 stop bits", "tried again"},
		{"no DTR", &fakeServer{answer: except(comControl, []byte{controlDTROn})}, port.Settings{Baud: 9600, DTROff: true}, port.ErrNoModem, "does not set DTR", "leave dtr and rts as they are"},
		{"busy", &fakeServer{greeting: []byte("Port already in use\r\n"), deaf: true, hangUp: 255}, full, syscall.EBUSY, `somebody else is connected: the server says "Port already in use"`, "close the other connection"},
		{"closes", &fakeServer{hangUp: comBaud}, full, io.EOF, "closes the connection at once", "somebody else"},
		{"floods", &fakeServer{greeting: bytes.Repeat([]byte{iac, will, 99}, 1<<20)}, full, nil, "", ""},
		{"endless", &fakeServer{greeting: append([]byte{iac, sb, optCOM}, bytes.Repeat([]byte{7}, 1<<20)...)}, full, nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := test.server
			if test.name == "busy" {
				s.greeting = append(s.greeting, 0)
			}
			path := newFakeServer(t, s)
			if test.name == "busy" { // it closes at once
				l, err := net.Listen("tcp", "127.0.0.1:0")
				must(t, err)
				defer l.Close()
				path = RFC2217 + "://" + l.Addr().String()
				go func() {
					if conn, err := l.Accept(); err == nil {
						_, _ = conn.Write(s.greeting)
						_ = conn.(*net.TCPConn).CloseWrite()
						_, _ = io.Copy(io.Discard, conn)
						_ = conn.Close()
					}
				}()
			}
			p, err := Opener{}.OpenWith(path, test.settings)
			if err == nil {
				defer p.Close()
			}
			if test.what == "" { // it may work or not, but it ends
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.what) || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(port.Remedy(err), test.remedy) {
				t.Errorf("%v: %s", err, port.Remedy(err))
			}
		})
	}
}

// TestTakenBack: the server changes its mind, or the connection is lost; Read, Write and SetBaud all say so.
func TestTakenBack(t *testing.T) {
	for name, say := range map[string]func(*fakeServer){
		"takes RFC 2217 back":   func(s *fakeServer) { s.say([]byte{iac, dont, optCOM}) },
		"closed the connection": func(s *fakeServer) { _ = s.conn.(*net.TCPConn).CloseWrite() },
		"broken":                func(s *fakeServer) { _ = s.conn.(*net.TCPConn).SetLinger(0); _ = s.conn.Close() },
	} {
		server := new(fakeServer)
		p, err := Opener{}.Open(newFakeServer(t, server), 9600)
		must(t, err)
		say(server)
		if _, err := p.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.Write([]byte("x")); err == nil {
			t.Errorf("%s: Write returns nil", name)
		}
		if err := p.(port.RateSetter).SetBaud(19200); err == nil {
			t.Errorf("%s: SetBaud returns nil", name)
		}
		must(t, p.Close())
	}
}

// TestGivesUp: opening ends when the context does, whatever the server does not do.
func TestGivesUp(t *testing.T) {
	server := &fakeServer{deaf: true}
	path := newFakeServer(t, server)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	start := time.Now()
	if _, err := (Opener{}).OpenContext(ctx, path, port.Settings{Baud: 9600}); !errors.Is(err, why) || time.Since(start) > optionTimeout {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
