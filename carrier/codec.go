package carrier

// MaxDepth is how deeply arrays, maps and tags may be nested in a value. What is nested deeper is refused.
const MaxDepth = 32

// messageDepth is how deeply a message may be nested: two maps stand around a value.
const messageDepth = MaxDepth + 2

// A Codec turns values into bytes and back. Codecs have no state, can be compared, and are safe for use by several
// goroutines. Decode and Fields accept bytes from anywhere. They return an error for bytes that they cannot read, and use
// memory in proportion to the number of bytes.
type Codec interface {
	// Name is the encoding's name: values encoded under the same name need no re-encoding.
	Name() string

	// Append appends the encoding of v, a Go value or an [Appender]. After an error, dst is as it was.
	Append(dst []byte, v any) ([]byte, error)

	// AppendObject appends a map with these fields, in this order.
	AppendObject(dst []byte, o Object) ([]byte, error)

	// Decode decodes data, which must be one whole value nested no deeper than [MaxDepth], into what v
	// points to. Into an *any go nil, bool, int64 (uint64 or *big.Int where that is too small), float64,
	// string, []byte, []any and map[string]any.
	Decode(data []byte, v any) error

	// Fields calls f for each entry of a map until f returns an error, which it then returns. It reports data that is not
	// one whole map before the first call. Keys that are small integers are given by the name they stand for (see
	// [Keys]); a key of another type, or an unknown integer, is skipped.
	Fields(data []byte, f func(key string, v Value) error) error
}

// The codecs. JSON is RFC 8259, the default on streams. CBOR is RFC 8949 with small integers for the keys in
// [Keys]; CBORText is the same with the keys' names, for peers that want to read them. Both read both. LegacyJSON is JSON with
// NaN, Infinity and -Infinity, as Python writes and reads it.
var (
	JSON     Codec = jsonCodec{}
	CBOR     Codec = cborCodec{integerKeys: true}
	CBORText Codec = cborCodec{}

	LegacyJSON Codec = jsonCodec{legacy: true}
)

// An Appender encodes itself in any codec.
type Appender interface {
	// AppendTo appends the encoding to dst.
	AppendTo(dst []byte, c Codec) ([]byte, error)
}

// An Object is a map whose fields are encoded in the order in which they stand. The receiver reads it with the Fields
// method of a [Codec] or a [Value]. Decoded in another way, the keys that [CBOR] wrote are integers; so package hub writes
// names in an Object that is the data of an event, the params of a request or a response.
type Object []Field

// sameCodec reports whether two codecs are equal. It is several times as quick as ==, which asks the runtime how their type is compared.
func sameCodec(a, b Codec) bool {
	switch a := a.(type) {
	case cborCodec:
		b, ok := b.(cborCodec)
		return ok && a == b
	case jsonCodec:
		b, ok := b.(jsonCodec)
		return ok && a == b
	}
	return a == b
}

// A Field is one entry of an Object. Its value is any Go value or an [Appender].
type Field struct {
	Key   string
	Value any
}

// AppendTo implements [Appender].
func (o Object) AppendTo(dst []byte, c Codec) ([]byte, error) { return c.AppendObject(dst, o) }

// MarshalJSON implements json.Marshaler, so that an Object can stand inside other Go values.
func (o Object) MarshalJSON() ([]byte, error) { return o.AppendTo(nil, JSON) }

// MarshalCBOR implements cbor.Marshaler. Inside other Go values the keys are names.
func (o Object) MarshalCBOR() ([]byte, error) { return o.AppendTo(nil, CBORText) }

// keys lists the names that [CBOR] writes as small integers in an [Object]: a name's integer is its place in
// the list. The list only ever grows at its end.
var keys = [...]string{
	"id", "method", "params", "status", "response", "exception",
	"info", "data", "listener_id", "sender", "event", "time", "uncertainty", "seq",
	"events", "requests", "reason", "client", "list_events", "connected",
	"protocol", "name", "window", "max_message", "version", "signals",
}

var keyNumbers = func() map[string]uint64 {
	m := make(map[string]uint64, len(keys))
	for i, k := range keys {
		m[k] = uint64(i)
	}
	return m
}()

// Keys returns the names that [CBOR] writes as small integers, each at the place of its integer.
func Keys() []string { return append([]string(nil), keys[:]...) }
