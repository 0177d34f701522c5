package disk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// What of the NBD protocol is used here; see doc/proto.md of the project nbd.
const (
	magicServer = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption = 0x49484156454f5054 // "IHAVEOPT"
	magicReply  = 0x3e889045565a9
	magicAsk    = 0x25609513
	magicAnswer = 0x67446698

	fixedNewstyle, noZeroes = 1, 2
	hasFlags, sendsFlush    = 1, 4
	sendsFUA                = 8

	optionAbort, optionInfo, optionGo = 2, 6, 7
	replyAck, replyInfo               = 1, 3
	replyUnsupported                  = 1<<31 + 1

	read, write, disconnect, flush = 0, 1, 2, 3
	invalid                        = 22 // EINVAL

	longest = 32 << 20 // bytes of a request
)

// Serve gives the disk to all who connect, by the NBD protocol, until the listener is closed.
func (d *Disk) Serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_ = d.serve(c) // the other end has gone, or tells what is wrong
			_ = c.Close()
		}()
	}
}

type connection struct {
	d *Disk
	r *bufio.Reader
	w *bufio.Writer
}

func (d *Disk) serve(c net.Conn) error {
	n := &connection{d: d, r: bufio.NewReaderSize(c, 1<<20), w: bufio.NewWriterSize(c, 1<<20)}
	goes, err := n.negotiate()
	if err != nil || !goes {
		return errors.Join(err, n.w.Flush())
	}
	for {
		goes, err := n.request()
		if err != nil || !goes {
			return err
		}
		if n.r.Buffered() == 0 {
			if err := n.w.Flush(); err != nil {
				return err
			}
		}
	}
}

func (n *connection) send(values ...any) error {
	for _, v := range values {
		if err := binary.Write(n.w, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return nil
}

// negotiate returns whether requests follow.
func (n *connection) negotiate() (bool, error) {
	if err := errors.Join(n.send(uint64(magicServer), uint64(magicOption), uint16(fixedNewstyle|noZeroes)), n.w.Flush()); err != nil {
		return false, err
	}
	var flags uint32
	if err := binary.Read(n.r, binary.BigEndian, &flags); err != nil {
		return false, err
	}
	for {
		var o struct {
			Magic          uint64
			Option, Length uint32
		}
		if err := binary.Read(n.r, binary.BigEndian, &o); err != nil {
			return false, err
		}
		if o.Magic != magicOption || o.Length > 1<<16 {
			return false, fmt.Errorf("nbd: not an option: %x of %d bytes", o.Magic, o.Length)
		}
		if _, err := io.CopyN(io.Discard, n.r, int64(o.Length)); err != nil { // the name of the export: there is one only
			return false, err
		}
		reply := func(kind uint32, content []byte) error {
			return n.send(uint64(magicReply), o.Option, kind, uint32(len(content)), content)
		}
		var err error
		switch o.Option {
		case optionGo, optionInfo:
			about := binary.BigEndian.AppendUint16(nil, 0) // NBD_INFO_EXPORT
			about = binary.BigEndian.AppendUint64(about, uint64(n.d.Size()))
			about = binary.BigEndian.AppendUint16(about, hasFlags|sendsFlush|sendsFUA)
			err = errors.Join(reply(replyInfo, about), reply(replyAck, nil))
		case optionAbort:
			return false, reply(replyAck, nil)
		default:
			err = reply(replyUnsupported, nil)
		}
		if err = errors.Join(err, n.w.Flush()); err != nil || o.Option == optionGo {
			return err == nil, err
		}
	}
}

// request handles one request, and returns whether others follow.
func (n *connection) request() (bool, error) {
	var q struct {
		Magic       uint32
		Flags, Kind uint16
		Handle      uint64
		At          int64
		Length      uint32
	}
	if err := binary.Read(n.r, binary.BigEndian, &q); err != nil {
		return false, err
	}
	if q.Magic != magicAsk || q.Length > longest {
		return false, fmt.Errorf("nbd: not a request: %x of %d bytes", q.Magic, q.Length)
	}
	const fua = 1
	failure := uint32(0)
	var data []byte
	inside := q.At >= 0 && q.At+int64(q.Length) <= n.d.Size()
	switch q.Kind {
	case write:
		data = make([]byte, q.Length)
		if _, err := io.ReadFull(n.r, data); err != nil {
			return false, err // it did not arrive as a whole, so it does not count
		}
		if inside {
			n.d.Write(data, q.At, q.Flags&fua != 0)
		} else {
			failure = invalid
		}
		data = nil
	case read:
		if inside {
			data = make([]byte, q.Length)
			n.d.Read(data, q.At)
		} else {
			failure = invalid
		}
	case flush:
		n.d.Flush()
	case disconnect:
		return false, n.w.Flush()
	default:
		failure = invalid
	}
	err := n.send(uint32(magicAnswer), failure, q.Handle)
	if err == nil {
		_, err = n.w.Write(data)
	}
	return true, err
}
