// Package slave is the other end of a Modbus bus: units that answer, for simulations and tests.
package slave

import (
	"errors"
	"io"
	"sync"
	"time"

	"sighub/sensors/modbus/frame"
)

// A Unit answers requests. Refuse it by an [*frame.ExceptionError]; another error means that it says nothing. Data of a read is as in an
// answer.
type Unit interface {
	Serve(r frame.Request) (data []byte, err error)
}

// ErrSilent is returned by a unit that does not answer.
var ErrSilent = errors.New("modbus: no answer")

// Bank is a [Unit] with registers and bits that are read and written.
type Bank struct {
	mu sync.Mutex
	// Words are holding and input registers, by function and address; Bits are coils and discrete inputs.
	words map[key]uint16
	bits  map[key]bool
	reads map[frame.Function]int
}

type key struct {
	function frame.Function
	address  uint16
}

// NewBank returns a Bank without registers: it refuses what was not set.
func NewBank() *Bank {
	return &Bank{words: make(map[key]uint16), bits: make(map[key]bool), reads: make(map[frame.Function]int)}
}

// Set sets registers from an address on; f is how they are read.
func (b *Bank) Set(f frame.Function, address uint16, words []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := 0; i+1 < len(words); i += 2 {
		b.words[key{f, address + uint16(i/2)}] = uint16(words[i])<<8 | uint16(words[i+1])
	}
}

// SetBit sets a bit.
func (b *Bank) SetBit(f frame.Function, address uint16, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bits[key{f, address}] = on
}

// Bit returns a bit.
func (b *Bank) Bit(f frame.Function, address uint16) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bits[key{f, address}]
}

// Word returns a register.
func (b *Bank) Word(f frame.Function, address uint16) uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.words[key{f, address}]
}

// Serve implements [Unit].
func (b *Bank) Serve(r frame.Request) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stored := r.Function
	switch r.Function {
	case frame.WriteCoil, frame.WriteCoils:
		stored = frame.ReadCoils
	case frame.WriteRegister, frame.WriteRegisters:
		stored = frame.ReadHolding
	}
	for i := range r.Count {
		k := key{stored, r.Address + i}
		_, word := b.words[k]
		_, bit := b.bits[k]
		if !word && !bit {
			return nil, &frame.ExceptionError{Function: r.Function, Code: frame.IllegalAddress}
		}
	}
	b.reads[r.Function]++
	if !r.Function.Reads() {
		for i := range int(r.Count) {
			k := key{stored, r.Address + uint16(i)}
			if r.Function.Bits() {
				b.bits[k] = frame.Bit(r.Data, i)
			} else {
				b.words[k] = uint16(r.Data[2*i])<<8 | uint16(r.Data[2*i+1])
			}
		}
		return nil, nil
	}
	if !r.Function.Bits() {
		var data []byte
		for i := range r.Count {
			w := b.words[key{stored, r.Address + i}]
			data = append(data, byte(w>>8), byte(w))
		}
		return data, nil
	}
	data := make([]byte, (int(r.Count)+7)/8)
	for i := range int(r.Count) {
		if b.bits[key{stored, r.Address + uint16(i)}] {
			data[i/8] |= 1 << (i % 8)
		}
	}
	return data, nil
}

// Asked returns how often a function was asked for and done.
func (b *Bank) Asked(f frame.Function) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads[f]
}

// answer returns the message with which a unit answers; nil: it says nothing.
func answer(u Unit, pdu []byte) []byte {
	r, err := frame.ParseRequest(pdu)
	var data []byte
	if err == nil {
		data, err = u.Serve(r)
	}
	if e, ok := errors.AsType[*frame.ExceptionError](err); ok {
		return e.Append(nil)
	}
	if err != nil {
		return nil
	}
	if r.Function.Reads() {
		return append([]byte{byte(r.Function), byte(len(data))}, data...)
	}
	return pdu[:5:5] // what was written, or where and how much
}

// A Bus has units by their number.
type Bus struct {
	Units map[byte]Unit
	// Heard is called for each frame of RTU that has arrived whole, if it is not nil, with the time of its first byte.
	Heard func(unit byte, at time.Time)
	// Said is called before each answer is written, if it is not nil.
	Said func(unit byte, at time.Time)
}

// quiet ends what began no frame.
const quiet = 100 * time.Millisecond

// ServeRTU answers the frames on a line until it is lost.
func (b *Bus) ServeRTU(line io.ReadWriter) error {
	var got []byte
	var first, last time.Time
	buffer := make([]byte, 1024)
	for {
		n, err := line.Read(buffer)
		now := time.Now()
		if len(got) > 0 && now.Sub(last) > quiet {
			got = got[:0]
		}
		if last = now; len(got) == 0 {
			first = now
		}
		got = append(got, buffer[:n]...)
		for len(got) > 0 {
			size, ok := frame.RequestAt(got)
			if !ok { // noise, or an answer of somebody else
				got = got[1:]
				continue
			}
			if size == 0 {
				break
			}
			request := got[:size]
			got = got[size:]
			if b.Heard != nil {
				b.Heard(request[0], first)
			}
			first = now
			if err := b.reply(line, request[0], request[1:size-2]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

func (b *Bus) reply(line io.Writer, unit byte, pdu []byte) error {
	u := b.Units[unit]
	if u == nil {
		return nil
	}
	said := answer(u, pdu)
	if said == nil {
		return nil
	}
	if b.Said != nil {
		b.Said(unit, time.Now())
	}
	_, err := line.Write(frame.AppendRTU(nil, unit, said))
	return err
}

// ServeTCP answers the messages on a connection until it is lost. A unit that is not there is told by [frame.NoResponse], as by a gateway.
func (b *Bus) ServeTCP(connection io.ReadWriter) error {
	var got []byte
	buffer := make([]byte, 1024)
	for {
		n, err := connection.Read(buffer)
		got = append(got, buffer[:n]...)
		for {
			m, size, err := frame.NextTCP(got)
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			said := (&frame.ExceptionError{Function: frame.Function(m.PDU[0]), Code: frame.NoResponse}).Append(nil)
			if u := b.Units[m.Unit]; u != nil {
				said = answer(u, m.PDU)
			}
			if said != nil {
				if _, err := connection.Write(frame.AppendTCP(nil, m.Number, m.Unit, said)); err != nil {
					return err
				}
			}
			got = got[size:]
		}
		if err != nil {
			return err
		}
	}
}
