package carrier

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (c jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case Appender:
		return v.AppendTo(dst, c)
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendJSONText(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	}
	out, err := appendJSON(dst, v)
	if unsupported := new(json.UnsupportedValueError); !errors.As(err, &unsupported) {
		return out, err
	}
	// A float somewhere in v is not finite. CBOR turns v into plain values, in which jsonable replaces such floats.
	var a any
	raw, cborErr := CBOR.Append(nil, v)
	if cborErr != nil || CBOR.Decode(raw, &a) != nil {
		return dst, err
	}
	return appendJSON(dst, a)
}

func appendJSON(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(jsonable(v)); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func (c jsonCodec) AppendObject(dst []byte, o Object) ([]byte, error) { return appendObject(dst, c, o) }

func (jsonCodec) Decode(data []byte, v any) error {
	if decodeSimpleJSON(data, v) {
		return nil
	}
	if err := wholeJSON(data); err != nil {
		return err
	}
	a, ok := v.(*any)
	if !ok {
		return json.Unmarshal(data, v)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var got any
	if err := dec.Decode(&got); err != nil {
		return err
	}
	var err error
	*a, err = numbers(got)
	return err
}

func (c jsonCodec) Fields(data []byte, f func(key string, v Value) error) error {
	if !utf8.Valid(data) { // its values go on to others undecoded
		return errors.New("json: not UTF-8")
	}
	if err := wholeJSON(data); err != nil {
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
		rest, err := skipJSON(value, MaxDepth-1)
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
	if text, ok := v.(*string); ok {
		rest, err := skipJSON(data, 0)
		return text != nil && err == nil && len(rest) == 0 && textJSON(data, text) == nil
	}
	n, ok := simpleJSON(data)
	return ok && setInteger(v, false, n)
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

// maxDigits is how many digits an integer may have: as many as the largest float64.
const maxDigits = 309

// numbers replaces each json.Number by an integer where it is one, so that a reading of 512 is the integer
// 512 in CBOR too, and by a float64 elsewhere.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		s := string(v)
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return u, nil
		}
		if len(s) <= maxDigits && !strings.ContainsAny(s, ".eE") {
			i, _ := new(big.Int).SetString(s, 10) // nothing but digits
			return i, nil
		}
		if f, err := v.Float64(); err == nil {
			return f, nil
		}
		return nil, fmt.Errorf("json: number %.40s is out of range", s)
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// compactJSON appends a value that was written over several lines as one line, as streams promise.
func compactJSON(dst, raw []byte) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	if err := json.Compact(buf, raw); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}

// jsonable replaces the values that JSON cannot express in what a codec decoded, as RFC 8949 section 6.1 advises: byte
// strings become base64url texts, and floats that are not finite become null.
func jsonable(v any) any {
	switch v := v.(type) {
	case []byte:
		return base64.RawURLEncoding.EncodeToString(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case *big.Int:
		return json.Number(v.String())
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = jsonable(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = jsonable(v[k])
		}
		return out
	}
	return v
}
