package carrier

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// A Value is a piece of data on its way: bytes in a codec as they arrived, or a Go value that was not encoded
// yet. It is decoded only when somebody asks. The zero Value is null. Values are not changed after they are
// made and may be used by several goroutines.
type Value struct {
	codec  Codec // nil: v is the value
	raw    []byte
	v      any
	shared *encodings // nil: nothing is remembered
}

// encodings remembers a value's encoding in each codec, so that it is encoded once for any number of receivers.
type encodings struct {
	mu    sync.Mutex
	codec [4]Codec // not only their names: CBOR and CBORText write an Object differently
	raw   [4][]byte
}

// ValueOf returns the Value of a Go value. A Value is returned as it is. For a *Value, which an interface holds without an
// allocation, ValueOf returns what it points to.
func ValueOf(v any) Value {
	switch val := v.(type) {
	case Value:
		return val
	case *Value:
		if val != nil {
			return *val
		}
		return Value{}
	}
	return Value{v: v}
}

// Set sets v to what [ValueOf] returns for x, without copying a Value. No other goroutine may use v yet.
func (v *Value) Set(x any) {
	switch val := x.(type) {
	case Value:
		*v = val
	case *Value:
		if val == nil {
			*v = Value{}
			return
		}
		// Field by field: a copy of it all reads twice as many bytes at a time as were written, and waits for a *val that was just set.
		v.codec, v.raw, v.v, v.shared = val.codec, val.raw, val.v, val.shared
	default:
		*v = Value{v: x}
	}
}

// RawValue returns the Value of bytes that are one whole value in codec c. It keeps raw.
func RawValue(c Codec, raw []byte) Value { return Value{codec: c, raw: raw} }

// setRaw sets v to RawValue(c, raw), without copying a Value.
func (v *Value) setRaw(c Codec, raw []byte) {
	v.codec, v.raw, v.v, v.shared = c, raw, nil, nil
}

// Shared returns the same value in a form that remembers its encodings, so that each codec encodes it once for all its
// receivers.
func (v Value) Shared() Value {
	if v.shared == nil {
		v.shared = new(encodings)
	}
	return v
}

// Size returns the number of bytes in which the value arrived. It is 0 for a Go value that was never encoded.
func (v Value) Size() int { return len(v.raw) }

// IsNull reports whether the value is null, or no value at all.
func (v Value) IsNull() bool {
	if v.codec == nil {
		return v.v == nil
	}
	return len(v.raw) == 0 ||
		(v.codec.Name() == JSON.Name() && bytes.Equal(bytes.TrimSpace(v.raw), []byte("null"))) ||
		(v.codec.Name() == CBOR.Name() && len(v.raw) == 1 && (v.raw[0] == 0xf6 || v.raw[0] == 0xf7))
}

// Uint returns the value if it is encoded as a plain integer that is not negative, such as the id of a message that a
// carrier has numbered. ok reports whether it is.
func (v Value) Uint() (n uint64, ok bool) {
	switch v.codec.(type) {
	case cborCodec:
		major, n, ok := simpleInt(v.raw)
		return n, ok && major == CBORUnsigned
	case jsonCodec:
		return simpleJSON(v.raw)
	}
	return 0, false
}

// Text returns the value if it is a text.
func (v Value) Text() (text string, ok bool) {
	switch v.codec.(type) {
	case cborCodec:
		if text, ok = simpleText(v.raw); ok {
			return text, true
		}
	case jsonCodec:
		if text, ok = simpleTextJSON(v.raw); ok {
			return text, true
		}
	}
	return v.decodeText()
}

// decodeText is Text for what is not simple. It is a function of its own because what Decode is given is allocated.
func (v Value) decodeText() (string, bool) {
	var text string
	if v.IsNull() || v.Decode(&text) != nil {
		return "", false
	}
	return text, true
}

// Decode decodes the value into what dst points to, as encoding/json would.
func (v Value) Decode(dst any) error {
	if v.codec != nil {
		if len(v.raw) == 0 {
			return fmt.Errorf("%w: nothing to decode", ErrMalformed)
		}
		return v.codec.Decode(v.raw, dst)
	}
	if p := reflect.ValueOf(dst); p.Kind() == reflect.Pointer && !p.IsNil() && v.v != nil &&
		reflect.TypeOf(v.v).AssignableTo(p.Type().Elem()) {
		p.Elem().Set(reflect.ValueOf(v.v))
		return nil
	}
	raw, err := CBORText.Append(nil, v.v) // with names for keys, so that an Object decodes into a struct
	if err != nil {
		return err
	}
	return CBORText.Decode(raw, dst)
}

// Any returns the value as a Go value. One that was never encoded is returned as it is, others as [Codec].Decode decodes
// them.
func (v Value) Any() (any, error) {
	if v.codec == nil {
		return v.v, nil
	}
	var a any
	err := v.Decode(&a)
	return a, err
}

// Fields calls f for each entry of a value that is a map: see [Codec].
func (v Value) Fields(f func(key string, v Value) error) error {
	if o, ok := v.v.(Object); ok {
		for _, field := range o {
			if err := f(field.Key, ValueOf(field.Value)); err != nil {
				return err
			}
		}
		return nil
	}
	if v.codec == nil {
		raw, err := CBOR.Append(nil, v.v)
		if err != nil {
			return err
		}
		return CBOR.Fields(raw, f)
	}
	return v.codec.Fields(v.raw, f)
}

// Items calls f for each item of a value that is a list, in order, until f returns an error.
func (v Value) Items(f func(v Value) error) error {
	if v.IsNull() {
		return errors.New("carrier: null where a list is expected")
	}
	if c, ok := v.codec.(cborCodec); ok {
		return c.items(v.raw, f)
	}
	var list []Value
	if err := v.Decode(&list); err != nil {
		return err
	}
	for _, item := range list {
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// AppendTo appends the value's encoding in c: its own bytes if it came in that codec.
func (v Value) AppendTo(dst []byte, c Codec) ([]byte, error) { return v.appendTo(dst, c) }

// appendTo is AppendTo without a copy of v.
func (v *Value) appendTo(dst []byte, c Codec) ([]byte, error) {
	if len(v.raw) > 0 {
		switch from := v.codec.(type) {
		case cborCodec:
			if _, ok := c.(cborCodec); ok {
				return append(dst, v.raw...), nil
			}
		case jsonCodec:
			if to, ok := c.(jsonCodec); ok {
				return to.appendRaw(dst, from, v.raw), nil
			}
		default:
			if v.codec != nil && v.codec.Name() == c.Name() {
				return append(dst, v.raw...), nil
			}
		}
	}
	if v.shared == nil {
		return v.transcode(dst, c)
	}
	raw, err := v.shared.in(c, *v)
	if err != nil {
		return dst, err
	}
	return append(dst, raw...), nil
}

func (e *encodings) in(c Codec, v Value) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	free := -1
	for i, have := range e.codec {
		if have == c {
			return e.raw[i], nil
		}
		if have == nil && free < 0 {
			free = i
		}
	}
	raw, err := v.transcode(nil, c)
	if err == nil && free >= 0 {
		e.codec[free], e.raw[free] = c, raw
	}
	return raw, err
}

func (v Value) transcode(dst []byte, c Codec) ([]byte, error) {
	if v.codec == nil || len(v.raw) == 0 {
		out, err := c.Append(dst, v.v)
		if err == nil && !modelled(v.v) {
			err = checkValue(c, out[len(dst):])
		}
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	defer toConvert(len(v.raw))()
	a, err := v.Any()
	if err != nil {
		return dst, err
	}
	return c.Append(dst, a)
}

// MarshalJSON implements json.Marshaler, so that a Value can stand inside other Go values.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendTo(nil, JSON) }

// UnmarshalJSON implements json.Unmarshaler: the value keeps the bytes undecoded.
func (v *Value) UnmarshalJSON(data []byte) error {
	*v = RawValue(JSON, bytes.Clone(data))
	return nil
}

// MarshalCBOR implements cbor.Marshaler.
func (v Value) MarshalCBOR() ([]byte, error) { return v.AppendTo(nil, CBORText) }

// UnmarshalCBOR implements cbor.Unmarshaler: the value keeps the bytes undecoded.
func (v *Value) UnmarshalCBOR(data []byte) error {
	*v = RawValue(CBOR, bytes.Clone(data))
	return nil
}

// String returns the value as JSON, for people to read.
func (v Value) String() string {
	raw, err := v.AppendTo(nil, JSON)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(raw)
}
