package carrier

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"
)

// json checks the value with which data begins, and returns what follows it.
func (k *checker) json(c jsonCodec, data []byte, depth int) ([]byte, error) {
	if len(data) == 0 {
		return nil, malformed(errJSONEnd)
	}
	switch b := data[0]; b {
	case '"':
		return jsonText(data)
	case '{', '[':
		if depth == 0 {
			return nil, refuse("nested deeper than %d", MaxDepth)
		}
		if b == '[' {
			return k.jsonArray(c, data[1:], depth-1)
		}
		return k.jsonMap(c, data[1:], depth-1)
	case 't', 'f', 'n':
		rest, err := c.skip(data, 0)
		return rest, malformed(err)
	}
	rest, err := c.skip(data, 0)
	if err != nil {
		if token := jsonToken(data); token > 0 {
			return nil, refuse("%s is not JSON, and null would be", data[:token])
		}
		return nil, malformed(err)
	}
	number := data[:len(data)-len(rest)]
	if err := checkNumber(number); err != nil {
		return nil, err
	}
	if depth == 0 && isBignum(number) { // in CBOR, a tag is around it
		return nil, refuse("nested deeper than %d", MaxDepth)
	}
	return rest, nil
}

func malformed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// jsonText checks the text with which data begins, and returns what follows it.
func jsonText(data []byte) (rest []byte, err error) {
	if n := skipPlain(data); n < len(data) && data[n] == '"' {
		return data[n+1:], nil // as most are
	}
	if rest, err = skipJSONText(data); err != nil {
		return nil, malformed(err)
	}
	quoted := data[:len(data)-len(rest)]
	if !utf8.Valid(quoted) {
		return nil, notUTF8(quoted[1 : len(quoted)-1])
	}
	if at := loneSurrogate(quoted); at >= 0 {
		return nil, refuse("a text has %s, half of a character", quoted[at:at+6])
	}
	return rest, nil
}

// loneSurrogate returns where a text has an escape of a surrogate without the other of its pair, or -1. The text is well-formed.
func loneSurrogate(quoted []byte) int {
	for i := 0; ; {
		next := bytes.IndexByte(quoted[i:], '\\')
		if next < 0 {
			return -1
		}
		i += next
		n, surrogate := jsonEscape(quoted[i:]), surrogateOf(quoted[i:])
		switch {
		case surrogate == 0:
			i += n
		case surrogate < 0xdc00 && surrogateOf(quoted[i+6:]) >= 0xdc00:
			i += 12
		default:
			return i
		}
	}
}

// surrogateOf returns the surrogate whose escape begins at data, or 0.
func surrogateOf(data []byte) int {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' || data[2]|0x20 != 'd' {
		return 0
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	if err != nil || n < 0xd800 || n > 0xdfff {
		return 0
	}
	return int(n)
}

func (k *checker) jsonArray(c jsonCodec, data []byte, depth int) ([]byte, error) {
	if data = skipSpace(data); len(data) > 0 && data[0] == ']' {
		return data[1:], nil
	}
	for i, more := 0, true; more; i++ {
		rest, err := k.json(c, data, depth)
		if err != nil {
			return nil, atIndex(err, i)
		}
		if data, more, err = skipJSONComma(rest, ']'); err != nil {
			return nil, malformed(err)
		}
	}
	return data, nil
}

func (k *checker) jsonMap(c jsonCodec, data []byte, depth int) ([]byte, error) {
	first := len(k.keys)
	if data = skipSpace(data); len(data) > 0 && data[0] == '}' {
		return data[1:], nil
	}
	for more := true; more; {
		quoted, value, err := skipJSONKey(data)
		if err != nil {
			return nil, malformed(err)
		}
		key, err := jsonKey(quoted)
		if err == nil {
			err = k.add(first, mapKey{text: key})
		}
		if err != nil {
			return nil, err
		}
		rest, err := k.json(c, value, depth)
		if err != nil {
			return nil, atKey(err, key)
		}
		if data, more, err = skipJSONComma(rest, '}'); err != nil {
			return nil, malformed(err)
		}
	}
	return data, k.end(first)
}

// jsonKey returns the text of a key.
func jsonKey(quoted []byte) ([]byte, error) {
	if _, err := jsonText(quoted); err != nil {
		return nil, err
	}
	if plain, ok := plainJSON(quoted); ok {
		return plain, nil
	}
	var text string
	err := textJSON(quoted, &text)
	return []byte(text), err
}

// isInteger reports whether a number has neither a fraction nor an exponent.
func isInteger(number []byte) bool { return !bytes.ContainsAny(number, ".eEaI") }

// isBignum reports whether a number is an integer beyond those that CBOR has without a tag: from -2^64 to 2^64-1.
func isBignum(number []byte) bool {
	whole, negative := bytes.CutPrefix(number, []byte("-"))
	most := "18446744073709551615"
	if negative {
		most = "18446744073709551616"
	}
	return isInteger(number) && (len(whole) > len(most) || len(whole) == len(most) && string(whole) > most)
}

// The largest integers of maxInteger bytes, and how many digits they have.
const (
	largest  = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
	smallest = "115792089237316195423570985008687907853269984665640564039457584007913129639936" // with a minus sign
)

// checkNumber checks a well-formed number.
func checkNumber(number []byte) error {
	switch whole, negative := bytes.CutPrefix(number, []byte("-")); {
	case len(number) < 20: // neither too many digits nor, without an exponent, out of range
		if bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
			return nil
		}
	case !isInteger(number) && len(number) > longestNumber:
		return refuse("a number of %d characters; it may have %d", len(number), longestNumber)
	case !isInteger(number):
	case len(whole) < len(largest), len(whole) == len(largest) && !negative && string(whole) <= largest,
		len(whole) == len(largest) && negative && string(whole) <= smallest:
		return nil
	default:
		return refuse("an integer of %d digits; it may be from -2^256 to 2^256-1", len(whole))
	}
	if outOfRange(number) {
		return refuse("the number %s is out of range", shortNumber(number))
	}
	return nil
}

// tooLarge has the digits of the smallest number that is no binary64, halfway between the largest one and 2^1024.
var tooLarge = new(big.Int).Mul(big.NewInt(1<<54-1), new(big.Int).Lsh(big.NewInt(1), 970)).Append(nil, 10)

// longestNumber is how many characters a number with a fraction or an exponent may have. No binary64 has more than 767 significant
// digits, and strconv.ParseFloat reads some numbers of more than 800 wrongly.
const longestNumber = 800

// outOfRange reports whether a well-formed number is too large for a float. It compares digits, because strconv.ParseFloat takes
// as long for a short number that is near the middle of two floats as for hundreds of others.
func outOfRange(number []byte) bool {
	digits, exponent := bytes.TrimPrefix(number, []byte("-")), 0
	if i := bytes.IndexAny(digits, "eE"); i >= 0 {
		exponent, _ = strconv.Atoi(string(digits[i+1:])) // the largest int, if it has more digits
		digits = digits[:i]
	}
	whole, fraction, _ := bytes.Cut(digits, []byte("."))
	size := len(bytes.TrimLeft(whole, "0"))
	if size == 0 {
		size = len(bytes.TrimLeft(fraction, "0")) - len(fraction) // the zeros behind the point
	}
	switch exponent = max(min(exponent, 2*longestNumber), -2*longestNumber); {
	case size+exponent != len(tooLarge):
		return size+exponent > len(tooLarge) && len(bytes.Trim(digits, "0.")) > 0
	default:
		significant := bytes.TrimLeft(slices.Concat(whole, fraction), "0")
		return bytes.Compare(significant, tooLarge) >= 0
	}
}

func shortNumber(number []byte) string {
	if len(number) > maxShown {
		return string(number[:maxShown]) + "…"
	}
	return string(number)
}

// jsonToken returns the length of the NaN, Infinity or -Infinity with which data begins, or 0.
func jsonToken(data []byte) int {
	for _, token := range []string{"NaN", "Infinity", "-Infinity"} {
		if len(data) >= len(token) && string(data[:len(token)]) == token {
			return len(token)
		}
	}
	return 0
}

// plain returns the value with which data begins, in the types that [Codec] promises, and what follows it. The data has
// passed CheckValue.
func (c jsonCodec) plain(data []byte) (v any, rest []byte) {
	switch data[0] {
	case '"':
		var text string
		rest, _ := skipJSONText(data)
		_ = textJSON(data[:len(data)-len(rest)], &text)
		return text, rest
	case '[':
		return c.plainArray(skipSpace(data[1:]))
	case '{':
		return c.plainMap(skipSpace(data[1:]))
	case 't':
		return true, data[len("true"):]
	case 'f':
		return false, data[len("false"):]
	case 'n':
		return nil, data[len("null"):]
	}
	rest, _ = c.skip(data, 0)
	return numberOf(string(data[:len(data)-len(rest)])), rest
}

func (c jsonCodec) plainArray(data []byte) (v any, rest []byte) {
	list := []any{}
	for more := data[0] != ']'; more; {
		var item any
		item, rest = c.plain(data)
		list = append(list, item)
		data, more, _ = skipJSONComma(rest, ']')
	}
	if len(list) == 0 {
		data = data[1:]
	}
	return list, data
}

func (c jsonCodec) plainMap(data []byte) (v any, rest []byte) {
	m := map[string]any{}
	for more := data[0] != '}'; more; {
		quoted, value, _ := skipJSONKey(data)
		var key string
		_ = textJSON(quoted, &key)
		m[key], rest = c.plain(value)
		data, more, _ = skipJSONComma(rest, '}')
	}
	if len(m) == 0 {
		data = data[1:]
	}
	return m, data
}

// numberOf returns the value of a number: an integer, so that a reading of 512 is the integer 512 in CBOR too, or a float64.
func numberOf(text string) any {
	if !isInteger([]byte(text)) {
		f, _ := strconv.ParseFloat(text, 64) // it knows NaN and Infinity as well
		return f
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return u
	}
	i, _ := new(big.Int).SetString(text, 10) // nothing but digits
	return i
}

// appendPlain appends a value of the types that [Codec] promises. ok is false for another.
func (c jsonCodec) appendPlain(dst []byte, v any) (_ []byte, ok bool, err error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), true, nil
	case bool:
		return strconv.AppendBool(dst, v), true, nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true, nil
	case int64:
		return strconv.AppendInt(dst, v, 10), true, nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), true, nil
	case float64:
		return c.appendFloat(dst, v), true, nil
	case string:
		return appendJSONText(dst, v), true, nil
	case json.Number:
		if err := jsonNumber(v); err != nil {
			return dst, true, err
		}
		return append(dst, v...), true, nil
	case []byte:
		if v == nil {
			return append(dst, "null"...), true, nil
		}
		dst = append(dst, '"')
		return append(base64.RawURLEncoding.AppendEncode(dst, v), '"'), true, nil
	case []any:
		if v == nil {
			return append(dst, "null"...), true, nil
		}
		dst, err = c.appendArray(dst, v)
		return dst, true, err
	case map[string]any:
		if v == nil {
			return append(dst, "null"...), true, nil
		}
		dst, err = c.appendMap(dst, v)
		return dst, true, err
	}
	return dst, false, nil
}

func (c jsonCodec) appendArray(dst []byte, list []any) (_ []byte, err error) {
	start := len(dst)
	dst = append(dst, '[')
	for i, item := range list {
		if dst, err = c.Append(comma(dst, i > 0), item); err != nil {
			return dst[:start], err
		}
	}
	return append(dst, ']'), nil
}

func (c jsonCodec) appendMap(dst []byte, m map[string]any) (_ []byte, err error) {
	start := len(dst)
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		dst = append(appendJSONText(comma(dst, i > 0), key), ':')
		if dst, err = c.Append(dst, m[key]); err != nil {
			return dst[:start], err
		}
	}
	return append(dst, '}'), nil
}

// jsonNumber returns an error unless a Go value is a number.
func jsonNumber(n json.Number) error {
	rest, err := jsonCodec{}.skipNumber([]byte(n + " "))
	if err == nil && len(rest) == 1 {
		return checkNumber([]byte(n))
	}
	return refuse("%s is not a number", quoteKey([]byte(n)))
}

// exactFloat is the number up to which the digits of a float are those of the integer.
const exactFloat = 1 << 53

// appendFloat appends a float. One without a fraction looks like an integer where it is the same number. One that is not, and
// -0.0, has a point or an exponent, so that nobody takes it for one.
func (c jsonCodec) appendFloat(dst []byte, f float64) []byte {
	switch {
	case !c.legacy && (math.IsNaN(f) || math.IsInf(f, 0)):
		return append(dst, "null"...)
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= exactFloat) {
		format = 'e'
	}
	if f == 0 && math.Signbit(f) {
		return append(dst, "-0.0"...)
	}
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if n := len(dst); format == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-09 is written as e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendRaw appends JSON that arrived, on one line if it was written over several, as streams promise. From legacy JSON, strict
// JSON gets null for NaN and the infinities.
func (c jsonCodec) appendRaw(dst []byte, from jsonCodec, raw []byte) []byte {
	lines := !c.legacy && (bytes.IndexByte(raw, '\n') >= 0 || bytes.IndexByte(raw, '\r') >= 0)
	tokens := from.legacy && !c.legacy && bytes.ContainsAny(raw, "NI")
	if !lines && !tokens {
		return append(dst, raw...)
	}
	for len(raw) > 0 {
		n := 1
		switch b := raw[0]; {
		case b == '"':
			if rest, err := skipJSONText(raw); err == nil {
				n = len(raw) - len(rest)
			}
			dst = append(dst, raw[:n]...)
		case tokens && jsonToken(raw) > 0:
			n = jsonToken(raw)
			dst = append(dst, "null"...)
		case !isJSONSpace(b):
			dst = append(dst, b)
		}
		raw = raw[n:]
	}
	return dst
}

func isJSONSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// appendAny appends the JSON of any Go value, as encoding/json writes it.
func appendAny(dst []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
