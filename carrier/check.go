package carrier

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// The data model is what a [Value] may be, so that JSON and CBOR carry the same:
//
//   - null, true and false. CBOR's undefined is null.
//   - Integers from -2^256 to 2^256-1, exactly. In CBOR, those beyond 64 bits are bignums (tags 2 and 3).
//   - Floats: binary64. In JSON, a number with a point or an exponent is one, and what is out of range is refused. A float
//     without a fraction is the same number as the integer, and may arrive as that. NaN and the infinities are CBOR floats; in
//     JSON they are null, and in [LegacyJSON] NaN, Infinity and -Infinity.
//   - Texts: UTF-8, without lone surrogates.
//   - Byte strings, in CBOR. In JSON they are base64url texts without padding.
//   - Arrays and maps, nested no deeper than [MaxDepth].
//   - Keys of maps: texts, and in CBOR integers, which JSON has in decimal. No two keys of a map are the same in JSON.
//   - Tags, in CBOR. JSON has their content, as a rule. A time (tags 0 and 1) is a text as RFC 3339 has it, in UTC; a decimal
//     fraction or bigfloat (tags 4 and 5), whose parts must have 64 bits, is the nearest binary64.
//
// Anything else is refused, such as other simple values of CBOR. [CheckValue] is the one place that decides.

// maxInteger is how many bytes an integer may have without its sign. The limit keeps conversions to and from decimal cheap.
const maxInteger = 32

// CheckValue returns an error unless raw is one whole value of the data model, as codec c writes it. The error wraps [ErrValue]
// and says what is wrong where; or it wraps [ErrMalformed], if raw is not even a value. A value without large maps is checked
// without an allocation.
func CheckValue(c Codec, raw []byte) error {
	if plainCBOR(c, raw) {
		return nil
	}
	defer toConvert(len(raw))()
	return checkValue(c, raw)
}

// Large values are checked and converted one at a time. Each takes some fifty times its size of memory meanwhile, and so a crowd of
// clients that send nothing else would take all there is.
var converting = make(chan struct{}, 1)

const largeValue = 64 << 10

// toConvert waits for the turn of a value of so many bytes. The caller calls done when it has been dealt with.
func toConvert(size int) (done func()) {
	if size < largeValue {
		return noTurn
	}
	converting <- struct{}{}
	return func() { <-converting }
}

// NeedsTurn reports whether whoever goes through this many bytes may have to wait for a turn: see [TakeTurn].
func NeedsTurn(size int) bool { return size >= largeTurn }

func noTurn() {}

// turns is how many goroutines go through something large at a time: one for every two that may compute.
var turns = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// largeTurn is the size in bytes from which a turn is needed. To go through less takes some tens of microseconds.
const largeTurn = 16 << 10

// TakeTurn waits until it is the caller's turn to go through this many bytes; small ones need no turn. The caller calls done
// afterwards. Until then it neither waits for anyone nor takes another turn, nor calls anyone who may.
//
// With turns, few of those who have much to do are ready to go on at a time, however many there are. So one that has little to do
// is not behind them in the scheduler's queue. While there is a queue, the scheduler also looks for what has arrived from the
// network only every 10 ms.
func TakeTurn(size int) (done func()) {
	if !NeedsTurn(size) {
		return noTurn
	}
	turnsTaken.Add(1)
	if c := turnsWatched.Load(); c != nil {
		select {
		case *c <- struct{}{}:
		default: // it is told already
		}
	}
	turns <- struct{}{}
	return endTurn
}

var (
	turnsTaken   atomic.Uint64
	turnsWatched atomic.Pointer[chan<- struct{}]
)

// Turns returns how many turns were taken so far: see [TakeTurn].
func Turns() uint64 { return turnsTaken.Load() }

// WatchTurns has c receive, as soon as it has room, whenever a turn is taken: see [TakeTurn]. There is one such channel at a time; nil
// stands for none.
func WatchTurns(c chan<- struct{}) {
	if c == nil {
		turnsWatched.Store(nil)
		return
	}
	turnsWatched.Store(&c)
}

func endTurn() { <-turns }

// checkValue is CheckValue for who has the turn.
func checkValue(c Codec, raw []byte) error {
	var k *checker // a value without arrays and maps needs none
	if holdsOthers(c, raw) {
		k, _ = checkers.Get().(*checker)
		defer k.free()
	}
	var rest []byte
	var err error
	switch c := c.(type) {
	case cborCodec:
		rest, err = k.cbor(raw, MaxDepth)
	case jsonCodec:
		if rest, err = k.json(c, skipSpace(raw), MaxDepth); err == nil {
			rest = skipSpace(rest)
		}
	default: // of another package: its own decoding decides
		var a any
		return c.Decode(raw, &a)
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: bytes follow the value", ErrMalformed)
	}
	return err
}

// Check checks the value as [CheckValue] does. The error begins with what the value is, such as "data". A Go value that was
// never encoded is checked when it is encoded.
func (v Value) Check(what string) error {
	if v.codec == nil {
		return nil
	}
	if len(v.raw) == 0 {
		return nil // null
	}
	err := CheckValue(v.codec, v.raw)
	switch e := err.(type) { //nolint:errorlint // CheckValue returns it as it is
	case nil:
		return nil
	case *valueError:
		e.path = what + e.path
		return e
	}
	if why, ok := strings.CutPrefix(err.Error(), ErrMalformed.Error()+": "); ok {
		return fmt.Errorf("%w: %s: %s", ErrMalformed, what, why)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// A valueError says what is outside of the data model, and where.
type valueError struct {
	path string // such as data.h[3]
	text string
}

// Error implements error.
func (e *valueError) Error() string {
	if e.path == "" {
		return ErrValue.Error() + ": " + e.text
	}
	return ErrValue.Error() + ": " + strings.TrimPrefix(e.path, ".") + ": " + e.text
}

// Unwrap makes errors.Is find ErrValue.
func (e *valueError) Unwrap() error { return ErrValue }

func refuse(format string, args ...any) error { return &valueError{text: fmt.Sprintf(format, args...)} }

// atIndex and atKey say where in an array or a map an error is.
func atIndex(err error, i int) error { return within(err, "["+strconv.Itoa(i)+"]") }

func atKey(err error, key []byte) error {
	if isWord(key) {
		return within(err, "."+string(key))
	}
	return within(err, "["+quoteKey(key)+"]")
}

func within(err error, step string) error {
	if e, ok := err.(*valueError); ok { //nolint:errorlint // it is not wrapped yet
		if len(e.path) < maxPath {
			e.path = step + e.path
		} else if !strings.HasPrefix(e.path, "…") {
			e.path = "…" + e.path
		}
	}
	return err
}

// maxPath bounds the path in an error, in bytes. maxShown bounds a key in it.
const (
	maxPath  = 120
	maxShown = 40
)

func isWord(key []byte) bool {
	for _, b := range key {
		if b != '_' && (b|0x20 < 'a' || b|0x20 > 'z') && !isDigit(b) {
			return false
		}
	}
	return len(key) > 0 && len(key) <= maxShown
}

func quoteKey(key []byte) string {
	if len(key) > maxShown {
		return strconv.QuoteToASCII(string(key[:maxShown])) + "…"
	}
	return strconv.Quote(string(key))
}

// A checker checks one value.
type checker struct {
	keys []mapKey // of the maps around the present item, the innermost last
}

var checkers = sync.Pool{New: func() any { return new(checker) }}

// holdsOthers reports whether a value may hold others.
func holdsOthers(c Codec, raw []byte) bool {
	switch c.(type) {
	case cborCodec:
		return len(raw) > 0 && CBORArray <= raw[0]>>5 && raw[0]>>5 <= CBORTag
	case jsonCodec:
		raw = skipSpace(raw)
		return len(raw) > 0 && (raw[0] == '[' || raw[0] == '{')
	}
	return false
}

// free gives the checker back. It keeps no part of the value.
func (k *checker) free() {
	if clear(k.keys); cap(k.keys) <= keptKeys {
		k.keys = k.keys[:0]
		checkers.Put(k)
	}
}

// keptKeys is how many keys a checker that is not in use has room for.
const keptKeys = 256

// A mapKey is the key of a map as JSON has it.
type mapKey struct {
	text   []byte
	number bool // it was an integer
}

func (k mapKey) String() string {
	if k.number {
		return string(k.text)
	}
	return quoteKey(k.text)
}

// fewKeys is how many keys are compared one by one. The keys of a larger map are sorted.
const fewKeys = 16

// add adds a key of the map whose keys begin at first.
func (k *checker) add(first int, key mapKey) error {
	if len(k.keys)-first < fewKeys {
		for _, other := range k.keys[first:] {
			if bytes.Equal(other.text, key.text) {
				return sameKeys(other, key)
			}
		}
	}
	k.keys = append(k.keys, key)
	return nil
}

// end ends the map whose keys begin at first.
func (k *checker) end(first int) error {
	own := k.keys[first:]
	if len(own) > fewKeys {
		slices.SortFunc(own, func(a, b mapKey) int { return bytes.Compare(a.text, b.text) })
		for i := range own[1:] {
			if bytes.Equal(own[i].text, own[i+1].text) {
				return sameKeys(own[i], own[i+1])
			}
		}
	}
	clear(own)
	k.keys = k.keys[:first]
	return nil
}

func sameKeys(a, b mapKey) error {
	if a.number == b.number {
		return refuse("key %s is there twice", a.String())
	}
	return refuse("key %s and key %s are the same", a.String(), b.String())
}

// modelled reports whether a Go value is in the data model whatever it holds, so that its encoding need not be checked. Texts
// are, because encoding makes them UTF-8. An [Object] is a message, or a part of one, with values that are checked themselves.
func modelled(v any) bool {
	switch v.(type) {
	case nil, bool, int, int64, uint64, float64, string, []byte, Object, Value, Appender:
		return true
	}
	return false
}
