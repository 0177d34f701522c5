package carrier

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// The functions below scan and write JSON (RFC 8259) without allocating. The meaning of texts and numbers is left to
// encoding/json.

var errJSONEnd = errors.New("json: unexpected end")

func jsonUnexpected(b byte) error { return fmt.Errorf("json: unexpected %q", b) }

// skip checks that data begins with one well-formed value that is nested no deeper than depth, and returns what
// follows it. It allocates nothing. It does not check that texts are UTF-8.
func (c jsonCodec) skip(data []byte, depth int) (rest []byte, err error) {
	if len(data) == 0 {
		return nil, errJSONEnd
	}
	switch b := data[0]; b {
	case '"':
		return skipJSONText(data)
	case '{', '[':
		if depth == 0 {
			return nil, fmt.Errorf("json: nested deeper than %d", MaxDepth)
		}
		return c.skipInner(data[1:], b == '{', depth-1)
	case 't':
		return skipJSONWord(data, "true")
	case 'f':
		return skipJSONWord(data, "false")
	case 'n':
		return skipJSONWord(data, "null")
	default:
		return c.skipNumber(data)
	}
}

// whole checks that data is one well-formed value, nested no deeper than depth.
func (c jsonCodec) whole(data []byte, depth int) error {
	rest, err := c.skip(skipSpace(data), depth)
	if err == nil && len(skipSpace(rest)) > 0 {
		err = errors.New("json: more than one value")
	}
	return err
}

// IsJSON reports whether data is one well-formed value of JSON, as [json.Valid] does, but several times as fast. Like that, it does not check
// that texts are UTF-8.
func IsJSON(data []byte) bool {
	// What is nested so deeply that it is refused anyway is left to a function that does not call itself.
	return jsonCodec{}.whole(data, MaxDepth) == nil || json.Valid(data)
}

// skipInner skips the rest of an object or array.
func (c jsonCodec) skipInner(data []byte, pairs bool, depth int) ([]byte, error) {
	last := byte(']')
	if pairs {
		last = '}'
	}
	if data = skipSpace(data); len(data) > 0 && data[0] == last {
		return data[1:], nil
	}
	for {
		var err error
		if pairs {
			if _, data, err = skipJSONKey(data); err != nil {
				return nil, err
			}
		}
		if data, err = c.skip(data, depth); err != nil {
			return nil, err
		}
		var more bool
		if data, more, err = skipJSONComma(data, last); err != nil || !more {
			return data, err
		}
	}
}

// skipJSONKey returns the key of an entry, in its quotes, and what follows the colon.
func skipJSONKey(data []byte) (key, rest []byte, err error) {
	switch {
	case len(data) == 0:
		return nil, nil, errJSONEnd
	case data[0] != '"':
		return nil, nil, jsonUnexpected(data[0])
	}
	if rest, err = skipJSONText(data); err != nil {
		return nil, nil, err
	}
	key = data[:len(data)-len(rest)]
	switch rest = skipSpace(rest); {
	case len(rest) == 0:
		return nil, nil, errJSONEnd
	case rest[0] != ':':
		return nil, nil, jsonUnexpected(rest[0])
	}
	return key, skipSpace(rest[1:]), nil
}

// skipJSONComma skips what follows an item: a comma, after which there are more items, or the closing bracket last.
func skipJSONComma(data []byte, last byte) (rest []byte, more bool, err error) {
	switch data = skipSpace(data); {
	case len(data) == 0:
		return nil, false, errJSONEnd
	case data[0] == ',':
		return skipSpace(data[1:]), true, nil
	case data[0] == last:
		return data[1:], false, nil
	}
	return nil, false, jsonUnexpected(data[0])
}

// isPlain lists the bytes that mean nothing but themselves in a text, of those in ASCII.
var isPlain = func() (t [256]bool) {
	for b := byte(0x20); b < 0x80; b++ {
		t[b] = b != '"' && b != '\\'
	}
	return t
}()

// skipPlain returns how many bytes of the text that begins with data, behind its quote, are plain.
func skipPlain(data []byte) int {
	i := 1
	for ; bits.UintSize == 64 && i+8 <= len(data); i += 8 { // elsewhere, 8 bytes at a time are no quicker
		if special := notPlain(binary.LittleEndian.Uint64(data[i:])); special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for i < len(data) && isPlain[data[i]] {
		i++
	}
	return i
}

// notPlain returns a word whose lowest bit that is set belongs to the first of 8 bytes that is not plain; 0 if all are.
func notPlain(w uint64) uint64 {
	const (
		each = 0x0101010101010101
		high = 0x80 * each
	)
	quote, backslash := w^'"'*each, w^'\\'*each // bytes of 0 where they are
	// A subtraction sets the high bit of the lowest byte that is too small. That byte borrows, so higher ones may be set wrongly.
	return (w | (w - ' '*each) | (quote - each) | (backslash - each)) & high
}

func skipJSONText(data []byte) ([]byte, error) {
	for i := skipPlain(data); i < len(data); i++ {
		switch b := data[i]; {
		case b == '"':
			return data[i+1:], nil
		case b < 0x20:
			return nil, jsonUnexpected(b)
		case b == '\\':
			n := jsonEscape(data[i:])
			if n == 0 {
				return nil, errors.New("json: a text has an invalid escape")
			}
			i += n - 1
		}
	}
	return nil, errJSONEnd
}

// jsonEscape returns the length of the escape at the beginning of data, or 0 if that is not a valid one.
func jsonEscape(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	switch data[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(data) < 6 {
			return 0
		}
		for _, b := range data[2:6] {
			if !isDigit(b) && (b|0x20 < 'a' || b|0x20 > 'f') {
				return 0
			}
		}
		return 6
	}
	return 0
}

func skipJSONWord(data []byte, word string) ([]byte, error) {
	if len(data) < len(word) || string(data[:len(word)]) != word {
		return nil, fmt.Errorf("json: unexpected %.5q", data)
	}
	return data[len(word):], nil
}

func (c jsonCodec) skipNumber(data []byte) ([]byte, error) {
	if !isDigit(data[0]) { // else it is no token, and it takes time to look
		if n := jsonToken(data); n > 0 && c.legacy {
			return data[n:], nil
		} else if n > 0 {
			return nil, fmt.Errorf("json: %s is not JSON, and null would be", data[:n])
		}
	}
	rest := data
	if rest[0] == '-' {
		rest = rest[1:]
	}
	whole := rest
	if rest = skipDigits(rest); len(whole) == len(rest) {
		if len(rest) == 0 {
			return nil, errJSONEnd
		}
		return nil, jsonUnexpected(rest[0])
	}
	if whole[0] == '0' { // and no digit may follow it
		rest = whole[1:]
	}
	if len(rest) > 0 && rest[0] == '.' {
		fraction := rest[1:]
		if rest = skipDigits(fraction); len(rest) == len(fraction) {
			return nil, errors.New("json: a number must have digits after its point")
		}
	}
	if len(rest) > 0 && rest[0]|0x20 == 'e' {
		exponent := rest[1:]
		if len(exponent) > 0 && (exponent[0] == '+' || exponent[0] == '-') {
			exponent = exponent[1:]
		}
		if rest = skipDigits(exponent); len(rest) == len(exponent) {
			return nil, errors.New("json: a number must have digits in its exponent")
		}
	}
	return rest, nil
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func skipDigits(data []byte) []byte {
	for len(data) > 0 && isDigit(data[0]) {
		data = data[1:]
	}
	return data
}

func skipSpace(data []byte) []byte {
	for len(data) > 0 && (data[0] == ' ' || data[0] == '\n' || data[0] == '\r' || data[0] == '\t') {
		data = data[1:]
	}
	return data
}

// plainJSON returns the text between the quotes, if it has no escapes.
func plainJSON(quoted []byte) (text []byte, ok bool) {
	text = quoted[1 : len(quoted)-1]
	return text, bytes.IndexByte(text, '\\') < 0
}

// textJSON decodes a value that is a text, which must be well-formed.
func textJSON(raw []byte, text *string) error {
	if len(raw) == 0 || raw[0] != '"' {
		return errors.New("json: a text is expected")
	}
	if plain, ok := plainJSON(raw); ok && utf8.Valid(plain) {
		*text = string(plain)
		return nil
	}
	return json.Unmarshal(raw, text)
}

// appendJSONText appends a text in quotes, as encoding/json writes it.
func appendJSONText(dst []byte, text string) []byte {
	for i := range len(text) {
		if b := text[i]; b < 0x20 || b >= 0x7f || b == '"' || b == '\\' {
			dst, _ = appendAny(dst, text) // a text can be packed
			return dst
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
