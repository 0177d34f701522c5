package carrier

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The tags of RFC 8949 that the data model knows. The content of others is taken as it is.
const (
	tagTimeText = 0
	tagTime     = 1
	tagBignum   = 2
	tagNegative = 3 // bignum
	tagDecimal  = 4 // fraction
	tagBigfloat = 5
)

// plainCBOR reports whether raw is, in CBOR, a number, a string in one piece, true, false or null, whole and well-formed, as most
// values are.
func plainCBOR(c Codec, raw []byte) bool {
	_, ok := c.(cborCodec)
	return ok && len(raw) > 0 && plainSize(raw) == len(raw)
}

// plainSize returns the size in bytes of what plainCBOR is true for, with which data begins; 0 if it begins with anything else.
func plainSize(data []byte) (size int) {
	if len(data) == 0 {
		return 0
	}
	major, low := data[0]>>5, data[0]&31
	switch {
	case (major == CBORBytes || major == CBORString) && low <= 24:
		head := 1
		if size = 1 + int(low); low == 24 {
			if len(data) < 2 {
				return 0
			}
			head, size = 2, 2+int(data[1])
		}
		if size > len(data) || major == CBORString && !utf8.Valid(data[head:size]) {
			return 0
		}
		return size
	case major <= CBORNegative && low < 24, major == CBORSimple && 20 <= low && low <= 23:
		return 1
	case major <= CBORNegative && 24 <= low && low <= 27, major == CBORSimple && 25 <= low && low <= 27:
		if size = 1 + 1<<(low-24); size <= len(data) {
			return size
		}
	}
	return 0
}

// cbor checks the value with which data begins, and returns what follows it.
func (k *checker) cbor(data []byte, depth int) ([]byte, error) {
	major, n, rest, err := cborItem(data)
	if err != nil {
		return nil, err
	}
	switch major {
	case CBORBytes, CBORString:
		_, rest, err = cborString(rest, major, n)
		return rest, err
	case CBORSimple:
		if low := data[0] & 31; low < 20 || low == 24 {
			return nil, refuse("simple value %d has no meaning here", n)
		}
		return rest, nil
	case CBORUnsigned, CBORNegative:
		return rest, nil
	}
	if depth == 0 {
		return nil, refuse("nested deeper than %d", MaxDepth)
	}
	switch major {
	case CBORArray:
		return k.cborArray(rest, n, depth-1)
	case CBORMap:
		return k.cborMap(rest, n, depth-1)
	default:
		return k.cborTag(rest, n, depth-1)
	}
}

// cborItem reads the head of an item that is not a break. n is CBORIndefinite only where a length may be.
func cborItem(data []byte) (major byte, n uint64, rest []byte, err error) {
	major, n, rest, err = CBORHead(data)
	switch {
	case err != nil:
	case data[0]&31 == 31 && (major < CBORBytes || major > CBORMap):
		err = fmt.Errorf("cbor: %#02x cannot stand here", data[0])
	case n == CBORIndefinite && data[0]&31 != 31 && CBORBytes <= major && major <= CBORMap, // a length of 2^64-1
		CBORArray <= major && major <= CBORMap && data[0]&31 != 31 && n > uint64(len(rest)): // an item has a byte at least
		err = errCBOREnd
	case data[0] == 0xf8 && n < 32:
		err = fmt.Errorf("cbor: %#02x %#02x cannot stand here", data[0], n)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return major, n, rest, err
}

// cborString returns the content of a string, in one piece, and what follows it.
func cborString(rest []byte, major byte, n uint64) (content, after []byte, err error) {
	if n == CBORIndefinite {
		return cborChunks(rest, major)
	}
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, errCBOREnd)
	}
	if content = rest[:n]; major == CBORString && !utf8.Valid(content) {
		return nil, nil, notUTF8(content)
	}
	return content, rest[n:], nil
}

func notUTF8(text []byte) error {
	return refuse("invalid UTF-8 in a text: %s", strconv.QuoteToASCII(string(text[:min(len(text), maxShown)])))
}

func cborChunks(rest []byte, major byte) (content, after []byte, err error) {
	for {
		if len(rest) > 0 && rest[0] == 0xff {
			return content, rest[1:], nil
		}
		m, n, chunk, err := cborItem(rest)
		if err == nil && (m != major || n == CBORIndefinite) {
			err = fmt.Errorf("%w: a piece of a CBOR string must be a string of the same type", ErrMalformed)
		}
		if err != nil {
			return nil, nil, err
		}
		part, after, err := cborString(chunk, major, n)
		if err != nil {
			return nil, nil, err
		}
		content, rest = append(content, part...), after
	}
}

// ended reports whether an array or map has no more items, of which n are left, and returns what follows it.
func ended(data []byte, n uint64, indefinite bool) (rest []byte, end bool) {
	if indefinite && len(data) > 0 && data[0] == 0xff {
		return data[1:], true
	}
	return data, !indefinite && n == 0
}

func (k *checker) cborArray(data []byte, n uint64, depth int) ([]byte, error) {
	indefinite := n == CBORIndefinite
	for i := 0; ; i++ {
		rest, end := ended(data, n, indefinite)
		if end {
			return rest, nil
		}
		rest, err := k.cbor(data, depth)
		if err != nil {
			return nil, atIndex(err, i)
		}
		data = rest
		n--
	}
}

func (k *checker) cborMap(data []byte, n uint64, depth int) ([]byte, error) {
	indefinite, first := n == CBORIndefinite, len(k.keys)
	for ; ; n-- {
		rest, end := ended(data, n, indefinite)
		if end {
			return rest, k.end(first)
		}
		key, rest, err := cborKey(data, depth)
		if err == nil {
			err = k.add(first, key)
		}
		if err != nil {
			return nil, err
		}
		if data, err = k.cbor(rest, depth); err != nil {
			return nil, atKey(err, key.text)
		}
	}
}

// cborKey reads a key: a text or an integer.
func cborKey(data []byte, depth int) (key mapKey, rest []byte, err error) {
	major, n, rest, err := cborItem(data)
	if err != nil {
		return key, nil, err
	}
	switch major {
	case CBORString:
		key.text, rest, err = cborString(rest, major, n)
		return key, rest, err
	case CBORUnsigned:
		return mapKey{strconv.AppendUint(nil, n, 10), true}, rest, nil
	case CBORNegative:
		return mapKey{appendNegative(nil, n), true}, rest, nil
	case CBORTag:
		if n > tagBigfloat && depth > 0 {
			return cborKey(rest, depth-1)
		}
	}
	return key, nil, refuse("a key of a map is %s; it must be a text or an integer", cborKind(major, data[0]))
}

// appendNegative appends -1-n in decimal.
func appendNegative(dst []byte, n uint64) []byte {
	if n == math.MaxUint64 {
		return append(dst, "-18446744073709551616"...)
	}
	return strconv.AppendUint(append(dst, '-'), n+1, 10)
}

func cborKind(major, first byte) string {
	switch major {
	case CBORBytes:
		return "a byte string"
	case CBORArray:
		return "an array"
	case CBORMap:
		return "a map"
	case CBORTag:
		return "a tag"
	}
	switch first & 31 {
	case 20, 21:
		return "true or false"
	case 22, 23:
		return "null"
	case 25, 26, 27:
		return "a float"
	}
	return "a simple value"
}

func (k *checker) cborTag(data []byte, tag uint64, depth int) ([]byte, error) {
	switch {
	case tag > tagBigfloat:
		return k.cbor(data, depth)
	case tag >= tagDecimal && depth == 0: // it holds an array
		return nil, refuse("nested deeper than %d", MaxDepth)
	}
	_, rest, err := cborTagged(tag, data)
	return rest, err
}

// cborTagged returns what a tag from 0 to 5 stands for, and what follows its content.
func cborTagged(tag uint64, data []byte) (v any, rest []byte, err error) {
	switch tag {
	case tagBignum, tagNegative:
		return cborBignum(tag == tagNegative, data)
	case tagDecimal, tagBigfloat:
		return cborFraction(tag == tagBigfloat, data)
	}
	major, n, rest, err := cborItem(data)
	if err != nil {
		return nil, nil, err
	}
	var t time.Time
	switch {
	case tag == tagTimeText && major == CBORString:
		var text []byte
		if text, rest, err = cborString(rest, major, n); err == nil {
			t, err = timeOfText(string(text))
		}
	case tag == tagTime && major == CBORUnsigned && n <= maxSecond:
		t = time.Unix(int64(n), 0)
	case tag == tagTime && major == CBORNegative && n <= maxSecond:
		t = time.Unix(-1-int64(n), 0)
	case tag == tagTime && major == CBORSimple && data[0] > 0xf8:
		t, err = timeOfSeconds(cborFloat(data[0], n))
	default:
		err = refuse("the content of tag %d is not a time", tag)
	}
	if err == nil && !inRFC3339(t) {
		err = refuse("the time in tag %d must be in the years 1 to 9999", tag)
	}
	if err != nil {
		return nil, nil, asRefused(err)
	}
	return t.UTC().Format(time.RFC3339Nano), rest, nil
}

// asRefused makes a refusal of the error of a time that is part of a value.
func asRefused(err error) error {
	if why, ok := strings.CutPrefix(err.Error(), ErrTime.Error()+": "); ok {
		return refuse("%s", why)
	}
	return err
}

// cborBignum reads the content of a bignum.
func cborBignum(negative bool, data []byte) (v any, rest []byte, err error) {
	major, n, rest, err := cborItem(data)
	switch {
	case err != nil:
		return nil, nil, err
	case major != CBORBytes || n == CBORIndefinite:
		return nil, nil, refuse("a bignum must hold a byte string in one piece")
	case n > uint64(len(rest)):
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, errCBOREnd)
	case n > maxInteger:
		return nil, nil, refuse("an integer of %d bytes; it may have %d", n, maxInteger)
	}
	i := new(big.Int).SetBytes(rest[:n])
	if negative {
		i.Not(i)
	}
	return shortest(i), rest[n:], nil
}

// shortest returns an integer as an int64, a uint64 or a *big.Int: the first in which it fits.
func shortest(i *big.Int) any {
	switch {
	case i.IsInt64():
		return i.Int64()
	case i.IsUint64():
		return i.Uint64()
	}
	return i
}

// cborFraction reads the content of a decimal fraction or bigfloat: an exponent and a mantissa.
func cborFraction(binary bool, data []byte) (v any, rest []byte, err error) {
	major, n, rest, err := cborItem(data)
	if err == nil && (major != CBORArray || n != 2) {
		err = refuse("a decimal fraction or bigfloat must hold an array of two integers")
	}
	var parts [2][]byte // in decimal
	for i := range parts {
		if err != nil {
			return nil, nil, err
		}
		item := rest
		if major, n, rest, err = cborItem(item); err != nil {
			continue
		}
		switch major {
		case CBORUnsigned:
			parts[i] = strconv.AppendUint(nil, n, 10)
		case CBORNegative:
			parts[i] = appendNegative(nil, n)
		default:
			err = refuse("the parts of a decimal fraction or bigfloat must be integers of 64 bits")
		}
	}
	if err != nil {
		return nil, nil, err
	}
	exponent, mantissa := string(parts[0]), string(parts[1])
	if !binary {
		f := decimalFraction(mantissa + "e" + exponent)
		if outOfRange([]byte(f)) {
			return nil, nil, refuse("the number %s is out of range", f)
		}
		return f, rest, nil
	}
	text := hexMantissa(mantissa) + "p" + exponent
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, nil, refuse("the number %s is out of range", text)
	}
	return f, rest, nil
}

// A decimalFraction is one whose float has not been found yet, which takes its time: see [outOfRange].
type decimalFraction string

func (f decimalFraction) float() float64 {
	n, _ := strconv.ParseFloat(string(f), 64) // it is in range
	return n
}

func hexMantissa(decimal string) string {
	i, _ := new(big.Int).SetString(decimal, 10) // an integer of ours
	if i.Sign() < 0 {
		return "-0x" + i.Neg(i).Text(16)
	}
	return "0x" + i.Text(16)
}

// cborFloat returns the float with this first byte and these bits.
func cborFloat(first byte, bits uint64) float64 {
	switch first {
	case 0xf9:
		return halfFloat(uint16(bits))
	case 0xfa:
		return float64(math.Float32frombits(uint32(bits)))
	default:
		return math.Float64frombits(bits)
	}
}

func halfFloat(bits uint16) float64 {
	f := float64(bits & 0x3ff)
	switch e := int(bits >> 10 & 31); e {
	case 0:
		f = math.Ldexp(f, -24)
	case 31:
		if f = math.Inf(1); bits&0x3ff != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(f+1024, e-25)
	}
	if bits&0x8000 != 0 {
		f = math.Copysign(f, -1)
	}
	return f
}

// plainValue returns the value with which data begins, in the types that [Codec] promises, and what follows it. The data has
// passed CheckValue.
func plainValue(data []byte) (v any, rest []byte) {
	major, n, rest, _ := CBORHead(data)
	switch major {
	case CBORUnsigned:
		if n > math.MaxInt64 {
			return n, rest
		}
		return int64(n), rest
	case CBORNegative:
		if n > math.MaxInt64 {
			i := new(big.Int).SetUint64(n)
			return i.Not(i), rest
		}
		return -1 - int64(n), rest
	case CBORBytes:
		content, rest, _ := cborString(rest, major, n)
		return append([]byte{}, content...), rest
	case CBORString:
		content, rest, _ := cborString(rest, major, n)
		return string(content), rest
	case CBORArray:
		return plainArray(rest, n)
	case CBORMap:
		return plainMap(rest, n)
	case CBORTag:
		if n <= tagBigfloat {
			v, rest, _ = cborTagged(n, rest)
			if f, ok := v.(decimalFraction); ok {
				v = f.float()
			}
			return v, rest
		}
		return plainValue(rest)
	}
	switch data[0] {
	case 0xf4, 0xf5:
		return data[0] == 0xf5, rest
	case 0xf6, 0xf7:
		return nil, rest
	}
	return cborFloat(data[0], n), rest
}

func plainArray(data []byte, n uint64) (v any, rest []byte) {
	list, indefinite := []any{}, n == CBORIndefinite
	if !indefinite {
		list = make([]any, 0, n) // each has a byte at least
	}
	for ; ; n-- {
		rest, end := ended(data, n, indefinite)
		if end {
			return list, rest
		}
		var item any
		item, data = plainValue(data)
		list = append(list, item)
	}
}

func plainMap(data []byte, n uint64) (v any, rest []byte) {
	m, indefinite := map[string]any{}, n == CBORIndefinite
	for ; ; n-- {
		rest, end := ended(data, n, indefinite)
		if end {
			return m, rest
		}
		key, rest, _ := cborKey(data, MaxDepth)
		m[string(key.text)], data = plainValue(rest)
	}
}
