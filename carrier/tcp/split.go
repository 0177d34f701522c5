package tcp

import (
	"bytes"

	"sighub/carrier"
)

// A frame is what a splitter cut from a stream: one packed message or reply.
type frame struct {
	data []byte // the packet; if err is set, its first bytes at most
	err  error  // why it cannot be unpacked
	lost bool   // where it ends is not known, so what follows cannot be read

	charged int // bytes of the account, which whoever has the frame gives back; 0 if it is small
}

// A splitter cuts a stream into frames.
type splitter interface {
	// next takes from data until a frame ends, and returns what follows the frame. If data ends first, ok is false, and
	// the frame goes on with the next call's data. The caller may keep a frame's data.
	next(data []byte) (rest []byte, f frame, ok bool)

	// partial reports whether a frame has begun and not ended.
	partial() bool

	// takeSignals lets frames pass that belong to streams of signals.
	takeSignals()

	// sound reports whether a frame that could not be unpacked ended where it should.
	sound(data []byte) bool

	// charge sets the account to which frames are charged.
	charge(a *carrier.Account)

	// salvage looks for a packet's id and kind in its first bytes.
	salvage(head []byte) salvage
}

// A salvage is what the first bytes of a damaged packet say: enough to answer it.
type salvage struct {
	id        carrier.Value
	isMessage bool
	isReply   bool
}

func (g *salvage) add(key string, v carrier.Value) {
	switch key {
	case "id":
		g.id = v
	case "method", "params":
		g.isMessage = true
	case "status":
		g.isReply = true
	}
}

// headSize is how many bytes are kept of a frame that is skipped: enough for an id and a method that stand
// first, as they do in what this package writes.
const headSize = 512

// A body gathers the bytes of one frame. It never holds more than twice of what has arrived.
type body struct {
	limit int
	size  int    // of the frame so far
	data  []byte // gathered so far; no more than headSize bytes once the frame is bad
	bad   error  // why the frame is skipped

	account *carrier.Account
	charged int // for data
}

// smallFrame is the size in bytes up to which a frame is not charged while it is gathered. There is one at a time, and the
// buffer in which it was is not charged either.
const smallFrame = smallRead

// add adds a part of the frame.
func (b *body) add(part []byte) {
	b.size += len(part)
	if b.bad == nil && b.size > b.limit {
		b.skip(tooLarge(uint64(b.size), b.limit))
	}
	if b.bad == nil && b.size > cap(b.data) && b.size > smallFrame {
		b.grow()
	}
	if b.bad != nil {
		part = part[:min(len(part), headSize-len(b.data))]
	}
	b.data = append(b.data, part...)
}

// grow makes room for the frame so far, and for as much again. It charges the room before it makes it.
func (b *body) grow() {
	room := b.size
	if b.data != nil { // more will follow
		room = min(max(room, 2*cap(b.data)), b.limit)
	}
	if err := b.account.Take(room); err != nil {
		b.skip(err)
		return
	}
	b.account.Give(b.charged)
	b.charged = room
	b.data = append(make([]byte, 0, room), b.data...)
}

// skip begins to skip the frame.
func (b *body) skip(why error) {
	if b.bad == nil {
		b.bad = why
		b.account.Give(b.charged)
		b.charged = 0
		b.data = bytes.Clone(b.data[:min(len(b.data), headSize)])
	}
}

// end returns the frame, and is ready for the next.
func (b *body) end() frame {
	f := frame{data: b.data, err: b.bad, charged: b.charged}
	b.size, b.data, b.bad, b.charged = 0, nil, nil, 0
	return f
}

func (b *body) charge(a *carrier.Account) { b.account = a }
