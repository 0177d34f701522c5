package profile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sighub/sensors/modbus/frame"
)

// round rounds to so many digits, so that a float32 has no more than it had.
func round(v float64, digits int) float64 {
	if digits >= 17 || !finite(v) {
		return v
	}
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	return r
}

// scaled returns a whole number with its scale and offset, with as many decimals as these have: 234 times 0.1 is 23.4.
func (r *Register) scaled(v float64) float64 {
	v = v*r.Scale + r.Offset
	places := max(decimals(r.Scale), decimals(r.Offset))
	if places > 15 || math.Abs(v) > exact {
		return v
	}
	s, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', places, 64), 64)
	return s
}

func decimals(v float64) int {
	_, after, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	return len(after)
}

func text(v float64, unit string) string {
	s := strconv.FormatFloat(v, 'g', 9, 64)
	if unit != "" {
		s += " " + unit
	}
	return s
}

// between says which values the register can have.
func (r *Register) between() string {
	switch {
	case r.Max == nil:
		return text(*r.Min, r.Unit) + " or more"
	case r.Min == nil:
		return text(*r.Max, r.Unit) + " or less"
	}
	return text(*r.Min, "") + " to " + text(*r.Max, r.Unit)
}

// WriteRequest returns the request that writes a value: a number, or true or false.
func (r *Register) WriteRequest(value any) (frame.Request, error) {
	q := frame.Request{Address: r.Address, Count: uint16(r.Words())}
	if r.Write == NoWrite {
		return q, errors.New("it cannot be written: its profile does not say write")
	}
	if r.Type == Bool {
		on, err := truth(value)
		if on {
			q.Data = []byte{1}
		} else {
			q.Data = []byte{0}
		}
		q.Function = frame.WriteCoil
		if r.Write == Multiple {
			q.Function = frame.WriteCoils
		}
		return q, err
	}
	v, err := number(value)
	if err == nil {
		err = r.within(v)
	}
	if err == nil {
		q.Data, err = r.encode(v)
	}
	q.Function = frame.WriteRegister
	if r.Write == Multiple {
		q.Function = frame.WriteRegisters
	}
	return q, err
}

// truth reads what a bit is to be.
func truth(value any) (bool, error) {
	if on, ok := value.(bool); ok {
		return on, nil
	}
	v, err := number(value)
	if err != nil || v != 0 && v != 1 {
		return false, errors.New("it is a bit: write true or false")
	}
	return v == 1, nil
}

func number(value any) (float64, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	}
	return 0, errors.New("it is a number: write one")
}

// encode returns the words of a value.
func (r *Register) encode(v float64) ([]byte, error) {
	n := (v - r.Offset) / r.Scale
	if !finite(n) {
		return nil, fmt.Errorf("%w: %v is not a number that it can have", ErrRange, v)
	}
	var raw uint64
	switch size := 16 * r.Words(); {
	case r.Type == F32:
		if math.Abs(n) > math.MaxFloat32 {
			return nil, fmt.Errorf("%w: %v is too large for a f32", ErrRange, v)
		}
		raw = uint64(math.Float32bits(float32(n)))
	case r.Type == F64:
		raw = math.Float64bits(n)
	default:
		n = math.Round(n)
		least, most := 0.0, math.Ldexp(1, size)-1
		if r.Type.signed() {
			least, most = -math.Ldexp(1, size-1), math.Ldexp(1, size-1)-1
		}
		if n < least || n > most || math.Abs(n) > exact {
			return nil, fmt.Errorf("%w: %v does not fit into a %s", ErrRange, v, r.Type)
		}
		if n < 0 {
			raw = uint64(int64(n))
		} else {
			raw = uint64(n)
		}
	}
	b := make([]byte, 2*r.Words())
	for i := range b {
		b[len(b)-1-i] = byte(raw >> (8 * i))
	}
	r.Order.swap(b)
	return b, nil
}

// Encode returns the words of a value as a device would have it, for simulated devices.
func (r *Register) Encode(v float64) ([]byte, error) { return r.encode(v) }
