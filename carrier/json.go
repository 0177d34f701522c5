package carrier

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"sync"
	"unicode/utf8"
)

type jsonCodec struct{ legacy bool } // with NaN, Infinity and -Infinity

func (jsonCodec) Name() string { return "json" }

func (c jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	if a, ok := v.(Appender); ok {
		return a.AppendTo(dst, c)
	}
	if out, ok, err := c.appendPlain(dst, v); ok {
		return out, err
	}
	if i, ok := v.(*big.Int); ok && i != nil {
		return i.Append(dst, 10), nil
	}
	if !holdsBytes(reflect.TypeOf(v)) {
		out, err := appendAny(dst, v)
		_, badValue := errors.AsType[*json.UnsupportedValueError](err) // a float that is not finite
		bad, badType := errors.AsType[*json.UnsupportedTypeError](err)
		badKeys := badType && bad.Type.Kind() == reflect.Map // such as those of map[any]any
		if !badValue && !badKeys {
			return out, err
		}
	}
	// What encoding/json writes in another way than the data model has it, CBOR turns into plain values.
	raw, err := CBORText.Append(nil, v)
	if err != nil {
		return dst, err
	}
	var a any
	if err := CBORText.Decode(raw, &a); err != nil {
		return dst, err
	}
	return c.Append(dst, a)
}

// bytesIn remembers the answers of holdsBytes.
var bytesIn sync.Map // from reflect.Type to bool

// holdsBytes reports whether values of a type hold bytes, unless it says itself what they are in JSON. encoding/json has a form of
// its own for bytes.
func holdsBytes(t reflect.Type) bool {
	if known, ok := bytesIn.Load(t); ok {
		holds, _ := known.(bool)
		return holds
	}
	holds := lookForBytes(t, make(map[reflect.Type]bool))
	bytesIn.Store(t, holds)
	return holds
}

func lookForBytes(t reflect.Type, seen map[reflect.Type]bool) bool {
	if t == nil || seen[t] || t.Implements(marshaler) || t.Implements(textMarshaler) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return t.Elem().Kind() == reflect.Uint8 || lookForBytes(t.Elem(), seen)
	case reflect.Pointer, reflect.Map:
		return lookForBytes(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if lookForBytes(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func (c jsonCodec) AppendObject(dst []byte, o Object) ([]byte, error) { return appendObject(dst, c, o) }

func (c jsonCodec) Decode(data []byte, v any) error {
	if decodeSimpleJSON(data, v) {
		return nil
	}
	if a, ok := v.(*any); ok && a != nil {
		if err := checkValue(c, data); err != nil {
			return err
		}
		*a, _ = c.plain(skipSpace(data))
		return nil
	}
	if err := c.whole(data, MaxDepth); err != nil {
		return err
	}
	if !c.legacy || !bytes.ContainsAny(data, "NI") {
		return json.Unmarshal(data, v)
	}
	raw, err := RawValue(c, data).AppendTo(nil, CBORText) // which has NaN
	if err != nil {
		return err
	}
	return CBORText.Decode(raw, v)
}

func (c jsonCodec) Fields(data []byte, f func(key string, v Value) error) error {
	if err := c.checkFields(data); err != nil {
		return err
	}
	switch data = skipSpace(data); data[0] {
	case '{':
	case 'n':
		return errors.New("json: null where a map is expected")
	default:
		return errors.New("json: not a map")
	}
	data = skipSpace(data[1:])
	for more := data[0] != '}'; more; {
		key, value, err := skipJSONKey(data)
		if err != nil {
			return err
		}
		done := TakeTurn(len(value))
		rest, err := c.skip(value, messageDepth-1)
		done()
		if err != nil {
			return err
		}
		raw := value[: len(value)-len(rest) : len(value)-len(rest)]
		if data, more, err = skipJSONComma(rest, '}'); err != nil {
			return err
		}
		name, err := keyText(key)
		if err != nil {
			return err
		}
		if err := f(name, RawValue(c, raw)); err != nil {
			return err
		}
	}
	return nil
}

func (c jsonCodec) checkFields(data []byte) error {
	defer TakeTurn(len(data))()
	if !utf8.Valid(data) { // its values go on to others undecoded
		return errors.New("json: not UTF-8")
	}
	return c.whole(data, messageDepth)
}

// keyText returns a key, those that are common without a copy.
func keyText(quoted []byte) (string, error) {
	if plain, ok := plainJSON(quoted); ok {
		if i, ok := keyNumbers[string(plain)]; ok {
			return keys[i], nil
		}
	}
	var name string
	err := textJSON(quoted, &name)
	return name, err
}

// decodeSimpleJSON does the same as decodeSimpleCBOR. Negative integers are not simple to it.
func decodeSimpleJSON(data []byte, v any) bool {
	if text, ok := v.(*string); ok && text != nil {
		*text, ok = simpleTextJSON(data)
		return ok
	}
	n, ok := simpleJSON(data)
	return ok && setInteger(v, false, n)
}

// simpleTextJSON reads a text without escapes.
func simpleTextJSON(data []byte) (text string, ok bool) {
	rest, err := jsonCodec{}.skip(data, 0)
	if err != nil || len(rest) > 0 || data[0] != '"' {
		return "", false
	}
	plain, ok := plainJSON(data)
	if !ok || !utf8.Valid(plain) {
		return "", false
	}
	return string(plain), true
}

// simpleJSON reads a number that consists of digits only and fits into 64 bits.
func simpleJSON(data []byte) (n uint64, ok bool) {
	if len(data) == 0 || len(data) > 20 || data[0] == '0' && len(data) > 1 {
		return 0, false
	}
	for _, b := range data {
		d := uint64(b - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = 10*n + d
	}
	return n, true
}
