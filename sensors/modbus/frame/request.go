package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Function is what a request wants.
type Function byte

// The functions of this package.
const (
	ReadCoils      Function = 1
	ReadDiscrete   Function = 2
	ReadHolding    Function = 3
	ReadInput      Function = 4
	WriteCoil      Function = 5
	WriteRegister  Function = 6
	WriteCoils     Function = 15
	WriteRegisters Function = 16
)

// Bits reports whether the function is about bits, and not about registers of 16 bits.
func (f Function) Bits() bool {
	return f == ReadCoils || f == ReadDiscrete || f == WriteCoil || f == WriteCoils
}

// Reads reports whether the function reads.
func (f Function) Reads() bool { return f >= ReadCoils && f <= ReadInput }

// How much one request may read or write, by section 6 of the application protocol.
const (
	MaxReadBits       = 2000
	MaxReadRegisters  = 125
	MaxWriteBits      = 1968
	MaxWriteRegisters = 123
)

// MaxUnit is the highest number of a unit on a serial line. 0 is a broadcast, which nobody answers.
const MaxUnit = 247

// failed is set in the function of an exception.
const failed = 0x80

// MaxPDU is the size of the longest message without its address and checksum.
const MaxPDU = 253

// ErrAnswer says that a message is no answer to the request.
var ErrAnswer = errors.New("modbus: not the answer to this request")

// ErrRequest says that a request cannot be made or understood.
var ErrRequest = errors.New("modbus: malformed request")

// A Request asks a unit to read or to write.
type Request struct {
	Function Function
	Address  uint16
	Count    uint16 // of bits or registers
	// Data is what is written: registers with the high byte first, or bits from the lowest of the first byte on.
	Data []byte
}

// Check returns what is wrong with the request.
func (r *Request) Check() error {
	most, data := 1, 0
	switch r.Function {
	case ReadCoils, ReadDiscrete:
		most = MaxReadBits
	case ReadHolding, ReadInput:
		most = MaxReadRegisters
	case WriteCoil:
		data = 1
	case WriteRegister:
		data = 2
	case WriteCoils:
		most, data = MaxWriteBits, bytesOf(r.Count)
	case WriteRegisters:
		most, data = MaxWriteRegisters, 2*int(r.Count)
	default:
		return fmt.Errorf("%w: there is no function %d", ErrRequest, r.Function)
	}
	switch {
	case r.Count < 1 || int(r.Count) > most:
		return fmt.Errorf("%w: function %d takes 1 to %d, not %d", ErrRequest, r.Function, most, r.Count)
	case int(r.Address)+int(r.Count) > 1<<16:
		return fmt.Errorf("%w: address %d and %d more go beyond 65535", ErrRequest, r.Address, r.Count-1)
	case len(r.Data) != data:
		return fmt.Errorf("%w: function %d with a count of %d has %d bytes of data, not %d", ErrRequest, r.Function, r.Count, data, len(r.Data))
	}
	return nil
}

// bytesOf returns how many bytes so many bits take.
func bytesOf(bits uint16) int { return (int(bits) + 7) / 8 }

// Same reports whether two requests are about the same registers. Data is not compared.
func (r *Request) Same(o *Request) bool {
	return r.Function == o.Function && r.Address == o.Address && r.Count == o.Count
}

// coil is how function 5 writes a bit.
func coil(on bool) uint16 {
	if on {
		return 0xff00
	}
	return 0
}

// Append appends the message, without address and checksum. The request must be one that Check has nothing against.
func (r *Request) Append(b []byte) []byte {
	b = append(b, byte(r.Function))
	b = binary.BigEndian.AppendUint16(b, r.Address)
	switch r.Function {
	case WriteCoil:
		return binary.BigEndian.AppendUint16(b, coil(r.Data[0]&1 != 0))
	case WriteRegister:
		return append(b, r.Data...)
	case WriteCoils, WriteRegisters:
		b = binary.BigEndian.AppendUint16(b, r.Count)
		b = append(b, byte(len(r.Data)))
		return append(b, r.Data...)
	}
	return binary.BigEndian.AppendUint16(b, r.Count)
}

// AnswerSize returns the length of the message that answers the request, unless it is an exception, which has two bytes.
func (r *Request) AnswerSize() int {
	switch r.Function {
	case ReadCoils, ReadDiscrete:
		return 2 + bytesOf(r.Count)
	case ReadHolding, ReadInput:
		return 2 + 2*int(r.Count)
	}
	return 5
}

// Answer returns what was read, which is within pdu. If the unit refuses the request, the error is an [*ExceptionError]. If the message is not
// its answer, the error wraps [ErrAnswer].
func (r *Request) Answer(pdu []byte) ([]byte, error) {
	if len(pdu) == 2 && pdu[0] == byte(r.Function)|failed {
		return nil, &ExceptionError{r.Function, Code(pdu[1])}
	}
	if len(pdu) != r.AnswerSize() || pdu[0] != byte(r.Function) {
		return nil, fmt.Errorf("%w: %d bytes that begin with %x", ErrAnswer, len(pdu), pdu[:min(len(pdu), 4)])
	}
	if r.Function.Reads() {
		if int(pdu[1]) != len(pdu)-2 {
			return nil, fmt.Errorf("%w: it says that %d bytes follow, and %d do", ErrAnswer, pdu[1], len(pdu)-2)
		}
		return pdu[2:], nil
	}
	value := r.Count
	switch r.Function {
	case WriteCoil:
		value = coil(r.Data[0]&1 != 0)
	case WriteRegister:
		value = binary.BigEndian.Uint16(r.Data)
	}
	if at, is := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:]); at != r.Address || is != value {
		return nil, fmt.Errorf("%w: it is about address %d and %d", ErrAnswer, at, is)
	}
	return nil, nil
}

// Bit returns a bit of what was read or is to be written.
func Bit(data []byte, i int) bool { return data[i/8]>>(i%8)&1 != 0 }

// ParseRequest reads a message as a unit gets it. The error is an [*ExceptionError] with which the unit answers. The request's data is within pdu.
func ParseRequest(pdu []byte) (r Request, err error) {
	if len(pdu) == 0 {
		return r, ErrRequest
	}
	r.Function = Function(pdu[0])
	refuse := func(c Code) (Request, error) { return r, &ExceptionError{r.Function, c} }
	size, ok := requestSize(pdu)
	switch {
	case !ok && len(pdu) < 7:
		if r.Function.known() {
			return refuse(IllegalValue)
		}
		return refuse(IllegalFunction)
	case !ok, len(pdu) != size:
		return refuse(IllegalValue)
	}
	r.Address = binary.BigEndian.Uint16(pdu[1:])
	value := binary.BigEndian.Uint16(pdu[3:])
	switch r.Function {
	case WriteCoil:
		if value != 0 && value != 0xff00 {
			return refuse(IllegalValue)
		}
		r.Count, r.Data = 1, []byte{byte(value >> 8 & 1)}
	case WriteRegister:
		r.Count, r.Data = 1, pdu[3:5]
	case WriteCoils, WriteRegisters:
		r.Count, r.Data = value, pdu[6:]
	default:
		r.Count = value
	}
	if r.Check() != nil {
		return refuse(IllegalValue)
	}
	return r, nil
}

func (f Function) known() bool {
	return f.Reads() || f >= WriteCoil && f <= WriteRegister || f == WriteCoils || f == WriteRegisters
}

// requestSize returns the length of the request that begins with b; ok is false if that is not known, or not yet.
func requestSize(b []byte) (size int, ok bool) {
	f := Function(b[0])
	switch {
	case f == WriteCoils || f == WriteRegisters:
		if len(b) < 6 {
			return 0, false
		}
		return 6 + int(b[5]), true
	case f.known():
		return 5, true
	}
	return 0, false
}
