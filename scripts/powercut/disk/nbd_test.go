package disk

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// A peer speaks NBD with a disk.
type peer struct {
	t *testing.T
	net.Conn
}

func (p *peer) send(values ...any) {
	p.t.Helper()
	for _, v := range values {
		if err := binary.Write(p, binary.BigEndian, v); err != nil {
			p.t.Fatal(err)
		}
	}
}

func receive[T any](p *peer) (v T) {
	p.t.Helper()
	if err := binary.Read(p, binary.BigEndian, &v); err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *peer) option(option uint32, data string) {
	p.send(uint64(magicOption), option, uint32(len(data)), []byte(data))
}

// reply returns the kind and the content of the reply to an option.
func (p *peer) reply(option uint32) (uint32, []byte) {
	p.t.Helper()
	type head struct {
		Magic              uint64
		Option, Kind, Size uint32
	}
	h := receive[head](p)
	if h.Magic != magicReply || h.Option != option {
		p.t.Fatalf("the reply to option %d is %+v", option, h)
	}
	content := make([]byte, h.Size)
	if _, err := io.ReadFull(p, content); err != nil {
		p.t.Fatal(err)
	}
	return h.Kind, content
}

// ask sends a request and returns its error.
func (p *peer) ask(kind, flags uint16, at int64, length uint32, data []byte) uint32 {
	p.t.Helper()
	p.send(uint32(magicAsk), flags, kind, uint64(77), at, length, data)
	type head struct {
		Magic, Failure uint32
		Handle         uint64
	}
	h := receive[head](p)
	if h.Magic != magicAnswer || h.Handle != 77 {
		p.t.Fatalf("the answer is %+v", h)
	}
	return h.Failure
}

func TestNBD(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "nbd"))
	if err != nil {
		t.Fatal(err)
	}
	d := New(blank(4))
	served := make(chan struct{})
	go func() {
		d.Serve(l)
		close(served)
	}()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t, conn}
	if a, b, flags := receive[uint64](p), receive[uint64](p), receive[uint16](p); a != magicServer || b != magicOption || flags != fixedNewstyle|noZeroes {
		t.Fatalf("the greeting is %x %x %x", a, b, flags)
	}
	p.send(uint32(3))
	p.option(8, "") // structured replies
	if kind, _ := p.reply(8); kind != replyUnsupported {
		t.Errorf("an option that is not known is answered with %x", kind)
	}
	p.option(optionGo, "\x00\x00\x00\x00\x00\x00")
	if kind, about := p.reply(optionGo); kind != replyInfo || binary.BigEndian.Uint64(about[2:]) != 4*pageSize ||
		binary.BigEndian.Uint16(about[10:]) != hasFlags|sendsFlush|sendsFUA {
		t.Errorf("the export is %d %x", kind, about)
	}
	if kind, _ := p.reply(optionGo); kind != replyAck {
		t.Errorf("the last reply is %d", kind)
	}
	if p.ask(write, 0, 512, 512, fill(7, 512)) != 0 || p.ask(flush, 0, 0, 0, nil) != 0 || p.ask(write, 1, 0, 512, fill(8, 512)) != 0 {
		t.Error("what is right is refused")
	}
	if p.ask(write, 0, 4*pageSize-1, 2, []byte("xx")) != invalid || p.ask(read, 0, -1, 1, nil) != invalid || p.ask(9, 0, 0, 0, nil) != invalid {
		t.Error("what is outside is taken")
	}
	if p.ask(read, 0, 511, 2, nil) != 0 {
		t.Error("it cannot be read")
	}
	if got := receive[[2]byte](p); got != [2]byte{8, 7} {
		t.Errorf("%v was read", got)
	}
	p.send(uint32(magicAsk), uint16(0), uint16(disconnect), uint64(1), int64(0), uint32(0))
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after its end, the connection says %v", err)
	}
	d.Freeze()
	if r := d.Recording(); r.Len() != 4 || !r.log[1].flush || r.log[0].force || !r.log[2].force {
		t.Errorf("the log is %+v", r.log)
	}
	l.Close()
	<-served
}
