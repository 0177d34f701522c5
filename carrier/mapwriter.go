package carrier

import (
	"fmt"
	"time"
)

// A MapWriter appends a map entry by entry. It writes what [Codec].AppendObject writes for an [Object], but needs no
// Object. With the codecs of this package, an entry allocates nothing.
//
//	w := carrier.NewMapWriter(dst, codec, 2)
//	w.Text("sender", "light")
//	w.Value("params", params)
//	return w.End()
type MapWriter struct {
	dst     []byte
	start   int
	codec   Codec
	want    int // entries
	entries int // that were appended
	object  Object
	err     error
}

// NewMapWriter begins a map that will have the given number of entries.
func NewMapWriter(dst []byte, c Codec, entries int) MapWriter {
	w := MapWriter{dst: dst, start: len(dst), codec: c, want: entries}
	switch c.(type) {
	case cborCodec:
		w.dst = AppendCBORHead(w.dst, CBORMap, uint64(entries))
	case jsonCodec:
		w.dst = append(w.dst, '{')
	default:
		w.object = make(Object, 0, entries)
	}
	return w
}

// key appends an entry's key. It returns false if the value must not follow: after an error, or with a codec of another
// package.
func (w *MapWriter) key(key string) bool {
	if w.err != nil {
		return false
	}
	switch c := w.codec.(type) {
	case cborCodec:
		n, ok := uint64(0), false
		if c.integerKeys {
			n, ok = keyNumbers[key]
		}
		if ok {
			w.dst = AppendCBORHead(w.dst, CBORUnsigned, n)
		} else {
			w.dst = appendCBORText(w.dst, key)
		}
	case jsonCodec:
		w.dst = append(appendJSONText(comma(w.dst, w.entries > 0), key), ':')
	default:
		return false
	}
	w.entries++
	return true
}

// ended records the outcome of an entry.
func (w *MapWriter) ended(key string, dst []byte, err error) {
	if err != nil {
		w.err = fmt.Errorf("%s: %w", key, err)
		return
	}
	w.dst = dst
}

// Value appends an entry with a Value.
func (w *MapWriter) Value(key string, v Value) {
	if w.key(key) {
		dst, err := v.AppendTo(w.dst, w.codec)
		w.ended(key, dst, err)
		return
	}
	w.other(key, v)
}

// Text appends an entry with a text.
func (w *MapWriter) Text(key, text string) {
	if w.key(key) {
		w.dst = appendText(w.dst, isJSON(w.codec), text)
		return
	}
	w.other(key, text)
}

// Int appends an entry with an integer.
func (w *MapWriter) Int(key string, n int64) {
	if w.key(key) {
		w.dst = appendInt(w.dst, isJSON(w.codec), n)
		return
	}
	w.other(key, n)
}

// Uint appends an entry with an integer that is not negative.
func (w *MapWriter) Uint(key string, n uint64) {
	if w.key(key) {
		w.dst = appendUint(w.dst, isJSON(w.codec), n)
		return
	}
	w.other(key, n)
}

// Float appends an entry with a float.
func (w *MapWriter) Float(key string, f float64) {
	if w.key(key) {
		w.dst = appendFloat(w.dst, w.codec, f)
		return
	}
	w.other(key, f)
}

// Time appends an entry with a time: in nanoseconds since 1970 where they are told apart from other units, else as a text (RFC 3339),
// and in JSON always as a text.
func (w *MapWriter) Time(key string, t time.Time) {
	if w.codec.Name() == JSON.Name() || !TellsNanoseconds(t) {
		w.Text(key, t.UTC().Format(time.RFC3339Nano))
		return
	}
	w.Int(key, t.UnixNano())
}

// Any appends an entry with any Go value or [Appender].
func (w *MapWriter) Any(key string, v any) {
	if w.key(key) {
		dst, err := w.codec.Append(w.dst, v)
		w.ended(key, dst, err)
		return
	}
	w.other(key, v)
}

// other keeps an entry for a codec of another package.
func (w *MapWriter) other(key string, v any) {
	if w.err == nil {
		w.object = append(w.object, Field{key, v})
	}
}

// End ends the map and returns dst with it. After an error, it returns dst as it was.
func (w *MapWriter) End() ([]byte, error) {
	switch w.codec.(type) {
	case cborCodec:
	case jsonCodec:
		w.dst = append(w.dst, '}')
	default:
		return w.codec.AppendObject(w.dst, w.object)
	}
	if w.err == nil && w.entries != w.want {
		w.err = fmt.Errorf("carrier: a map begun with %d entries has %d", w.want, w.entries)
	}
	if w.err != nil {
		return w.dst[:w.start], w.err
	}
	return w.dst, nil
}

func appendObject(dst []byte, c Codec, o Object) ([]byte, error) {
	w := NewMapWriter(dst, c, len(o))
	for _, f := range o {
		w.Any(f.Key, f.Value)
	}
	return w.End()
}
