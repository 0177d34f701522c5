package tcp

import (
	"bytes"
	"sync"

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

	// gathered returns how many bytes of a frame have come that has not ended.
	gathered() int

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

// A body gathers the bytes of one frame. It never holds more than twice of what has arrived. A large frame is gathered in pieces
// that are used again, so that one that is refused or never ends leaves next to nothing to collect.
type body struct {
	limit  int
	size   int      // of the frame so far
	data   []byte   // gathered so far, if there are no pieces; no more than headSize bytes once the frame is bad
	pieces []*piece // of a frame that is larger than one and comes in parts
	room   int      // in the last piece
	bad    error    // why the frame is skipped

	account *carrier.Account
	charged int // for data and pieces
}

// smallFrame is the size in bytes up to which a frame is not charged while it is gathered. There is one at a time, and the
// buffer in which it was is not charged either.
const smallFrame = smallRead

type piece [largeRead]byte

var pieces = sync.Pool{New: func() any { return new(piece) }}

func (b *body) gathered() int { return b.size }

// add adds a part of the frame.
func (b *body) add(part []byte) {
	first := b.size == 0
	b.size += len(part)
	if b.bad == nil && b.size > b.limit {
		b.skip(tooLarge(uint64(b.size), b.limit))
	}
	if b.bad == nil && !first && b.size > len(piece{}) {
		if len(b.pieces) == 0 { // the data goes into the first one
			b.account.Give(b.charged)
			b.charged = 0
		}
		if b.addPieces(b.data) && b.addPieces(part) {
			b.data = nil
			return
		}
	}
	if b.bad == nil && b.size > cap(b.data) && b.size > smallFrame {
		b.grow()
	}
	if b.bad != nil {
		part = part[:min(len(part), headSize-len(b.data))]
	}
	b.data = append(b.data, part...)
}

// addPieces adds a part to the pieces, and reports whether it could. It charges a piece before it takes it.
func (b *body) addPieces(part []byte) bool {
	for len(part) > 0 {
		if b.room == 0 {
			if err := b.account.Take(len(piece{})); err != nil {
				b.skip(err)
				return false
			}
			p, _ := pieces.Get().(*piece)
			b.pieces, b.room = append(b.pieces, p), len(p)
			b.charged += len(p)
		}
		last := b.pieces[len(b.pieces)-1]
		n := copy(last[len(last)-b.room:], part)
		part, b.room = part[n:], b.room-n
	}
	return true
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
	if b.bad != nil {
		return
	}
	b.bad = why
	head := b.data
	if head == nil && len(b.pieces) > 0 {
		head = b.pieces[0][:]
	}
	b.data = bytes.Clone(head[:min(len(head), headSize)])
	b.account.Give(b.charged)
	b.charged = 0
	b.freePieces()
}

func (b *body) freePieces() {
	for _, p := range b.pieces {
		pieces.Put(p)
	}
	b.pieces, b.room = nil, 0
}

// end returns the frame, and is ready for the next.
func (b *body) end() frame {
	if len(b.pieces) > 0 {
		b.data = b.whole()
	}
	f := frame{data: b.data, err: b.bad, charged: b.charged}
	b.size, b.data, b.bad, b.charged = 0, nil, nil, 0
	return f
}

// whole puts the pieces together.
func (b *body) whole() []byte {
	parts := make([][]byte, len(b.pieces))
	for i, p := range b.pieces {
		parts[i] = p[:]
	}
	last := len(parts) - 1
	parts[last] = parts[last][:len(piece{})-b.room]
	data := bytes.Join(parts, nil)
	b.account.Give(b.charged - len(data))
	b.charged = len(data)
	b.freePieces()
	return data
}

func (b *body) charge(a *carrier.Account) { b.account = a }
