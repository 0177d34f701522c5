package carrier

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	}
	out, err := appendJSON(dst, v)
	if unsupported := new(json.UnsupportedValueError); !errors.As(err, &unsupported) {
		return out, err
	}
	// What is not a finite number stands somewhere in a Go value: CBOR takes it apart.
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

func (c jsonCodec) AppendObject(dst []byte, o Object) ([]byte, error) {
	var err error
	start := len(dst)
	dst = append(dst, '{')
	for i, f := range o {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = c.Append(dst, f.Key); err != nil {
			return dst[:start], err
		}
		dst = append(dst, ':')
		if dst, err = c.Append(dst, f.Value); err != nil {
			return dst[:start], fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	return append(dst, '}'), nil
}

func (jsonCodec) Decode(data []byte, v any) error {
	if err := jsonDepth(data); err != nil {
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
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("json: more than one value")
	}
	var err error
	*a, err = numbers(got)
	return err
}

func (c jsonCodec) Fields(data []byte, f func(key string, v Value) error) error {
	if err := jsonDepth(data); err != nil {
		return err
	}
	if !utf8.Valid(data) { // its values go on to others undecoded
		return errors.New("json: not UTF-8")
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	if m == nil {
		return errors.New("json: null where a map is expected")
	}
	for k, raw := range m {
		if err := f(k, RawValue(c, raw)); err != nil {
			return err
		}
	}
	return nil
}

// jsonDepth refuses what is nested deeper than MaxDepth, before anything recurses into it.
func jsonDepth(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case inString:
			if b == '\\' {
				i++
			} else if b == '"' {
				inString = false
			}
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("json: nested deeper than %d", MaxDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
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

// jsonable replaces, in what a codec decoded, the values that JSON has no form for, as RFC 8949 section 6.1
// advises: byte strings become base64url text, what is not a finite number becomes null.
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
