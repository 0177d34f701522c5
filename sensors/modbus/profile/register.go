package profile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"sighub/internal/safetext"
	"sighub/sensors/modbus/frame"
)

// A Type is what the words of a register are.
type Type string

// The types. A word has 16 bits.
const (
	Bool Type = "bool" // of coils and discrete inputs
	U16  Type = "u16"
	I16  Type = "i16"
	U32  Type = "u32"
	I32  Type = "i32"
	F32  Type = "f32"
	U64  Type = "u64"
	I64  Type = "i64"
	F64  Type = "f64"
)

func types() []string { return []string{"u16", "i16", "u32", "i32", "f32", "u64", "i64", "f64"} }

// words returns how many words a type has.
func (t Type) words() int {
	switch t {
	case U32, I32, F32:
		return 2
	case U64, I64, F64:
		return 4
	}
	return 1
}

func (t Type) float() bool  { return t == F32 || t == F64 }
func (t Type) signed() bool { return t == I16 || t == I32 || t == I64 }

// An Order is the order of bytes on the line. A is the highest byte of two words; four words are ordered alike.
type Order string

// The orders.
const (
	ABCD Order = "ABCD" // as Modbus has it
	CDAB Order = "CDAB" // the low word first
	BADC Order = "BADC" // the low byte of each word first
	DCBA Order = "DCBA" // both
)

func orders() []string { return []string{string(ABCD), string(CDAB), string(BADC), string(DCBA)} }

// A Write is how a register is written.
type Write string

// The ways to write.
const (
	NoWrite  Write = ""
	Single   Write = "single"   // function 5, or 6
	Multiple Write = "multiple" // function 15, or 16
)

// A Register is a value of a device, which becomes an event.
type Register struct {
	Event    string
	Function frame.Function // with which it is read
	Address  uint16         // as it is on the line, from 0
	Type     Type
	Order    Order

	// Low and High are the bits that count of a whole number without a sign, from 0. Width 1 means true or false. Field says that
	// they are given.
	Field     bool `json:",omitempty"`
	Low, High int  `json:",omitempty"`

	Scale, Offset float64  // the value is the number times Scale plus Offset
	Unit          string   `json:",omitempty"`
	None          []uint64 `json:",omitempty"` // numbers, as bits, that mean that there is no reading
	Min, Max      *float64 `json:",omitempty"` // what the value can be
	Interval      time.Duration
	// Change is the smallest change that is reported; MaxInterval is the time after which a value is reported in any case. Both 0: every
	// value is.
	Change      float64       `json:",omitempty"`
	MaxInterval time.Duration `json:",omitempty"`
	Write       Write         `json:",omitempty"`

	own bool // Interval was given
}

// ErrNone says that a device has no reading at the moment.
var ErrNone = errors.New("modbus: the device says that it has no reading")

// ErrRange is the kind of a value that cannot be true.
var ErrRange = errors.New("modbus: out of range")

// Words returns how many words, or bits, the register has.
func (r *Register) Words() int { return r.Type.words() }

// Check returns what is wrong with the register.
func (r *Register) Check() error {
	if err := safetext.CheckName(r.Event); err != nil {
		return fmt.Errorf("%q cannot name an event: %w", safetext.Short(r.Event, 64), err)
	}
	bits := r.Function.Bits()
	switch {
	case !r.Function.Reads():
		return errors.New("it does not say what is read: write read: and input, holding, coil or discrete")
	case bits != (r.Type == Bool):
		return errors.New("coils and discrete inputs are bits, which have no type: leave it out")
	case int(r.Address)+r.Words() > 1<<16:
		return fmt.Errorf("address %d: a %s has %d words, which go beyond 65535", r.Address, r.Type, r.Words())
	case bits && (r.Field || r.Scale != 1 || r.Offset != 0 || len(r.None) > 0 || r.Order != ABCD || r.Min != nil || r.Max != nil || r.Change != 0):
		return errors.New("a bit has neither bits, order, scale, offset, none, min, max nor change: leave them out")
	case r.Field && (r.Type.float() || r.Type.signed()):
		return errors.New("bits are those of u16, u32 or u64")
	case r.Field && (r.Low < 0 || r.High < r.Low || r.High >= 16*r.Words()):
		return fmt.Errorf("bits %d-%d: a %s has the bits 0 to %d", r.Low, r.High, r.Type, 16*r.Words()-1)
	case r.Field && r.Low == r.High && (r.Scale != 1 || r.Offset != 0):
		return errors.New("a single bit is true or false: leave scale and offset out")
	case r.Words() == 1 && (r.Order == CDAB || r.Order == DCBA):
		return fmt.Errorf("order %s: it has one word, so there are ABCD and BADC", r.Order)
	case !finite(r.Scale) || !finite(r.Offset) || r.Scale == 0:
		return errors.New("scale must be a number other than 0, and offset a number")
	case r.Min != nil && r.Max != nil && *r.Max <= *r.Min:
		return fmt.Errorf("it can be from %v to %v: max must be larger than min", *r.Min, *r.Max)
	case r.Write != NoWrite && (r.Function == frame.ReadInput || r.Function == frame.ReadDiscrete):
		return errors.New("input registers and discrete inputs cannot be written: leave write out")
	case r.Write != NoWrite && r.Field:
		return errors.New("bits of a register cannot be written alone: leave write out")
	case r.Write == Single && r.Words() > 1:
		return fmt.Errorf("a %s has more than one word: write it with write: multiple", r.Type)
	case r.Change < 0 || r.MaxInterval > 0 && r.Change == 0:
		return errors.New("change must not be negative, and max_interval is for what has a change")
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Request returns the request that reads this register alone.
func (r *Register) Request() frame.Request {
	return frame.Request{Function: r.Function, Address: r.Address, Count: uint16(r.Words())}
}

// number returns the bits of the register's words in the usual order.
func (r *Register) number(words []byte) (v uint64) {
	b := slices.Clone(words)
	r.Order.swap(b)
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// swap changes bytes from an order into the usual one, or back.
func (o Order) swap(b []byte) {
	if o == CDAB || o == DCBA {
		for i, j := 0, len(b)-2; i < j; i, j = i+2, j-2 {
			b[i], b[i+1], b[j], b[j+1] = b[j], b[j+1], b[i], b[i+1]
		}
	}
	if o == BADC || o == DCBA {
		for i := 0; i+1 < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
}

// Value returns what the words of the register mean: a float64, or a bool for a single bit, or a uint64 or int64 where a float64 is not
// exact. The error wraps [ErrNone] or [ErrRange].
func (r *Register) Value(words []byte) (any, error) {
	raw := r.number(words)
	if slices.Contains(r.None, raw) {
		return nil, ErrNone
	}
	if r.Field {
		raw = raw >> r.Low & (1<<(r.High-r.Low+1) - 1)
		if r.Low == r.High {
			return raw != 0, nil
		}
	}
	var v float64
	plain := r.Scale == 1 && r.Offset == 0
	digits := 17
	switch r.Type {
	case F32:
		v, digits = float64(math.Float32frombits(uint32(raw))), 7
	case F64:
		v = math.Float64frombits(raw)
	case I16:
		v = float64(int16(raw))
	case I32:
		v = float64(int32(raw))
	case I64:
		v = float64(int64(raw))
		if plain && math.Abs(v) > exact {
			return int64(raw), r.within(v)
		}
	default:
		v = float64(raw)
		if plain && v > exact {
			return raw, r.within(v)
		}
	}
	switch {
	case math.IsNaN(v):
		return nil, ErrNone // what thermometers without a probe say
	case math.IsInf(v, 0):
		return nil, fmt.Errorf("%w: it is %v", ErrRange, v)
	case r.Type.float():
		v = round(v*r.Scale+r.Offset, digits)
	case !plain:
		v = r.scaled(v)
	}
	if !finite(v) {
		return nil, fmt.Errorf("%w: with its scale it is %v", ErrRange, v)
	}
	return v + 0, r.within(v) // + 0 makes -0 a 0
}

// exact is the largest whole number up to which a float64 is exact.
const exact = 1 << 53

// within returns an error if a value is none that the register can have.
func (r *Register) within(v float64) error {
	if (r.Min == nil || v >= *r.Min) && (r.Max == nil || v <= *r.Max) {
		return nil
	}
	return fmt.Errorf("%w: it is %s, but can only be %s", ErrRange, text(v, r.Unit), r.between())
}
