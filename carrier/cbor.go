package carrier

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

type cborCodec struct{ integerKeys bool }

// The encoding is RFC 8949's core deterministic one, so that equal values have equal bytes.
var cborEnc = must(cbor.EncOptions{
	Sort:          cbor.SortCoreDeterministic,
	ShortestFloat: cbor.ShortestFloat16,
	Time:          cbor.TimeRFC3339Nano,
	IndefLength:   cbor.IndefLengthForbidden,

	// What encoding/json asks a type for is what CBOR gets as well, so that listeners in either hear the same.
	JSONMarshalerTranscoder: transcoder{},
	TextMarshaler:           cbor.TextMarshalerTextString,
	BinaryMarshaler:         cbor.BinaryMarshalerNone,
}.EncMode())

var cborDec = must(cbor.DecOptions{
	DupMapKey:       cbor.DupMapKeyEnforcedAPF,
	MaxNestedLevels: MaxDepth,
	// JSON has no such limits, so let a message's size be the only one: each element takes a byte at least.
	MaxArrayElements: math.MaxInt32,
	MaxMapPairs:      math.MaxInt32,
	IntDec:           cbor.IntDecConvertSignedOrBigInt,
	TimeTag:          cbor.DecTagIgnored,
}.DecMode())

// A transcoder gives the CBOR library what a type has said of itself in JSON.
type transcoder struct{}

// Transcode implements cbor.Transcoder.
func (transcoder) Transcode(w io.Writer, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if data, err = RawValue(JSON, data).AppendTo(nil, CBORText); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // only for options that are constants
	}
	return v
}

func (cborCodec) Name() string { return "cbor" }

func (c cborCodec) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case Appender:
		return v.AppendTo(dst, c)
	case nil:
		return append(dst, 0xf6), nil
	case string:
		return appendCBORText(dst, v), nil
	case int:
		return appendInt(dst, false, int64(v)), nil
	case int64:
		return appendInt(dst, false, v), nil
	case uint64:
		return AppendCBORHead(dst, CBORUnsigned, v), nil
	case float64:
		return appendFloat(dst, c, v), nil
	}
	if out, ok, err := c.appendPlain(dst, v); ok {
		return out, err
	}
	raw, err := cborEnc.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, raw...), nil
}

// appendPlain appends an array or a map of any values, in which keys are names. ok is false for another value.
func (c cborCodec) appendPlain(dst []byte, v any) (_ []byte, ok bool, err error) {
	switch v := v.(type) {
	case json.Number:
		if err := jsonNumber(v); err != nil {
			return dst, true, err
		}
		dst, err = c.Append(dst, numberOf(string(v)))
		return dst, true, err
	case []any:
		if v == nil {
			return append(dst, 0xf6), true, nil
		}
		start := len(dst)
		dst = AppendCBORHead(dst, CBORArray, uint64(len(v)))
		for _, item := range v {
			if dst, err = CBORText.Append(dst, item); err != nil {
				return dst[:start], true, err
			}
		}
		return dst, true, nil
	case map[string]any:
		if v == nil {
			return append(dst, 0xf6), true, nil
		}
		start := len(dst)
		dst = AppendCBORHead(dst, CBORMap, uint64(len(v)))
		for _, key := range slices.SortedFunc(maps.Keys(v), coreOrder) {
			if dst, err = CBORText.Append(appendCBORText(dst, key), v[key]); err != nil {
				return dst[:start], true, err
			}
		}
		return dst, true, nil
	}
	return dst, false, nil
}

// coreOrder compares two keys by their encodings, whose heads tell their lengths.
func coreOrder(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func (c cborCodec) AppendObject(dst []byte, o Object) ([]byte, error) { return appendObject(dst, c, o) }

func appendCBORText(dst []byte, text string) []byte {
	text = strings.ToValidUTF8(text, "\ufffd") // as encoding/json does; a receiver may refuse the message otherwise
	return append(AppendCBORHead(dst, CBORString, uint64(len(text))), text...)
}

func (c cborCodec) Decode(data []byte, v any) error {
	if decodeSimpleCBOR(data, v) {
		return nil
	}
	if a, ok := v.(*any); ok && a != nil {
		if err := checkValue(c, data); err != nil {
			return err
		}
		*a, _ = plainValue(data)
		return nil
	}
	err := cborDec.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	// The library does not know what the data model makes of integer keys and of some tags.
	var a any
	if c.Decode(data, &a) != nil {
		return err
	}
	raw, plainErr := CBORText.Append(nil, a)
	if plainErr != nil || bytes.Equal(raw, data) || cborDec.Unmarshal(raw, v) != nil {
		return err
	}
	return nil
}

// decodeSimpleCBOR decodes what messages are mostly made of, without the library's detours. It returns false for anything
// that is not as simple as that, and for what is malformed.
func decodeSimpleCBOR(data []byte, v any) bool {
	if text, ok := v.(*string); ok && text != nil {
		*text, ok = simpleText(data)
		return ok
	}
	if f, ok := v.(*float64); ok {
		return f != nil && simpleFloat(data, f)
	}
	major, n, ok := simpleInt(data)
	return ok && setInteger(v, major == CBORNegative, n)
}

func simpleText(data []byte) (text string, ok bool) {
	major, n, rest, err := CBORHead(data)
	if err != nil || major != CBORString || n != uint64(len(rest)) || !utf8.Valid(rest) {
		return "", false
	}
	return string(rest), true
}

func simpleFloat(data []byte, f *float64) bool {
	const exact = 1 << 53 // up to here, a float has every integer
	major, n, rest, err := CBORHead(data)
	switch {
	case err != nil || len(rest) > 0:
		return false
	case major == CBORSimple && len(data) >= 3: // shorter ones are no floats
		*f = cborFloat(data[0], n)
		return true
	case major == CBORUnsigned && n <= exact:
		*f = float64(n)
		return true
	case major == CBORNegative && n < exact:
		*f = -1 - float64(n)
		return true
	}
	return false
}

func simpleInt(data []byte) (major byte, n uint64, ok bool) {
	major, n, rest, err := CBORHead(data)
	return major, n, err == nil && len(rest) == 0 && n != CBORIndefinite && (major == CBORUnsigned || major == CBORNegative)
}

// setInteger sets the integer that v points to: to n or, if negative, to -1-n, as CBOR has it. It returns false if v does not
// point to an integer in which that fits.
func setInteger(v any, negative bool, n uint64) bool {
	signed := int64(n)
	if negative {
		signed = -1 - signed
	}
	switch v := v.(type) {
	case *uint64:
		if v == nil || negative {
			return false
		}
		*v = n
	case *int64:
		if v == nil || n > math.MaxInt64 {
			return false
		}
		*v = signed
	case *int:
		if v == nil || n > math.MaxInt64 || int64(int(signed)) != signed {
			return false
		}
		*v = int(signed)
	default:
		return false
	}
	return true
}

func (c cborCodec) Fields(data []byte, f func(key string, v Value) error) error {
	n, rest, err := enterCBOR(data, CBORMap, "map") // its values go on to others undecoded
	if err != nil {
		return err
	}
	indefinite := n == CBORIndefinite
	for ; indefinite || n > 0; n-- {
		if indefinite && rest[0] == 0xff {
			return nil
		}
		value, err := skipCBOR(rest, messageDepth)
		if err != nil {
			return err
		}
		after, err := skipInTurn(value, messageDepth)
		if err != nil {
			return err
		}
		name, ok := keyName(rest[:len(rest)-len(value)])
		raw := value[: len(value)-len(after) : len(value)-len(after)]
		rest = after
		if !ok {
			continue
		}
		if err := f(name, RawValue(c, raw)); err != nil {
			return err
		}
	}
	return nil
}

// items calls f for each item of a list.
func (c cborCodec) items(data []byte, f func(v Value) error) error {
	n, rest, err := enterCBOR(data, CBORArray, "list")
	if err != nil {
		return err
	}
	indefinite := n == CBORIndefinite
	for ; indefinite || n > 0; n-- {
		if indefinite && rest[0] == 0xff {
			return nil
		}
		after, err := skipCBOR(rest, messageDepth)
		if err != nil {
			return err
		}
		raw := rest[: len(rest)-len(after) : len(rest)-len(after)]
		if err := f(RawValue(c, raw)); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// enterCBOR checks that data is one well-formed item of this major type, and returns its argument and what its head precedes.
func enterCBOR(data []byte, want byte, what string) (n uint64, rest []byte, err error) {
	after, err := skipInTurn(data, messageDepth)
	if err != nil {
		return 0, nil, err
	}
	if len(after) > 0 {
		return 0, nil, errors.New("cbor: bytes follow the value")
	}
	major, n, rest, err := CBORHead(data)
	if err == nil && major != want {
		err = fmt.Errorf("cbor: not a %s", what)
	}
	return n, rest, err
}

func skipInTurn(data []byte, depth int) ([]byte, error) {
	defer TakeTurn(len(data))()
	return skipCBOR(data, depth)
}

func keyName(raw []byte) (string, bool) {
	switch major, n, rest, _ := CBORHead(raw); major {
	case CBORString:
		if i, ok := keyNumbers[string(rest)]; ok {
			return keys[i], true // without a copy
		}
		return RawValue(CBOR, raw).Text()
	case CBORUnsigned:
		if n < uint64(len(keys)) {
			return keys[n], true
		}
	}
	return "", false
}

// The major types of RFC 8949 section 3.1.
const (
	CBORUnsigned = 0
	CBORNegative = 1
	CBORBytes    = 2
	CBORString   = 3
	CBORArray    = 4
	CBORMap      = 5
	CBORTag      = 6
	CBORSimple   = 7
)

// CBORIndefinite is the argument that [CBORHead] gives for an item of indefinite length.
const CBORIndefinite = ^uint64(0)

// CBORHead reads the head of the first item in data: its major type, its argument, and what follows the head.
func CBORHead(data []byte) (major byte, arg uint64, rest []byte, err error) {
	if len(data) == 0 {
		return 0, 0, nil, errors.New("cbor: no data")
	}
	major, low := data[0]>>5, data[0]&31
	rest = data[1:]
	if low < 24 {
		return major, uint64(low), rest, nil
	}
	if low == 31 {
		return major, CBORIndefinite, rest, nil
	}
	if low > 27 {
		return 0, 0, nil, fmt.Errorf("cbor: reserved head %#02x", data[0])
	}
	if len(rest) < 1<<(low-24) {
		return 0, 0, nil, errors.New("cbor: unexpected end")
	}
	switch low {
	case 24:
		return major, uint64(rest[0]), rest[1:], nil
	case 25:
		return major, uint64(binary.BigEndian.Uint16(rest)), rest[2:], nil
	case 26:
		return major, uint64(binary.BigEndian.Uint32(rest)), rest[4:], nil
	default:
		return major, binary.BigEndian.Uint64(rest), rest[8:], nil
	}
}

// shortHead reports whether data begins with a head of one byte: its major type and, as its argument, a number below 24. To ask first
// is quicker than [CBORHead], which is too large to be inlined.
func shortHead(data []byte) bool { return len(data) > 0 && data[0]&31 < 24 }

// CBORHeadSize returns the size in bytes of the shortest head with this argument.
func CBORHeadSize(arg uint64) int {
	switch {
	case arg < 24:
		return 1
	case arg <= 0xff:
		return 2
	case arg <= 0xffff:
		return 3
	case arg <= 0xffffffff:
		return 5
	default:
		return 9
	}
}

// AppendCBORHead appends the shortest head of an item with this major type and argument.
func AppendCBORHead(dst []byte, major byte, arg uint64) []byte {
	m := major << 5
	switch {
	case arg < 24:
		return append(dst, m|byte(arg))
	case arg <= 0xff:
		return append(dst, m|24, byte(arg))
	case arg <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, m|25), uint16(arg))
	case arg <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(dst, m|26), uint32(arg))
	default:
		return binary.BigEndian.AppendUint64(append(dst, m|27), arg)
	}
}
