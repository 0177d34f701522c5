package carrier

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var codecs = map[string]Codec{"JSON": JSON, "CBOR": CBOR, "CBORText": CBORText}

func bigInt(s string) *big.Int {
	i, _ := new(big.Int).SetString(s, 10)
	return i
}

// What JSON can say is the same after a way through CBOR.
func TestJSONThroughCBOR(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-1`, `23`, `24`, `-24`, `-25`, `512`, `65536`, `4294967296`,
		`9223372036854775807`, `-9223372036854775808`, `18446744073709551615`,
		`18446744073709551616`, `-123456789012345678901234567890`,
		`1.5`, `-0.1`, `3.141592653589793`, `1e-7`, `1e+300`, `5e-324`,
		`""`, `"light"`, `"a\"b\\c\n\u0000"`, `"ü€😀"`, `"<&>"`,
		`[]`, `{}`, `[1,[2,[3,{"x":[null]}]]]`, `{"a":1,"b":{"c":[true,1.5,"x"]}}`, `{"":"","id":7}`,
	} {
		packed, err := RawValue(JSON, []byte(text)).AppendTo(nil, CBOR)
		if err != nil {
			t.Errorf("%s to CBOR: %v", text, err)
			continue
		}
		back, err := RawValue(CBOR, packed).AppendTo(nil, JSON)
		if err != nil || string(back) != text {
			t.Errorf("%s came back as %s, %v (by way of %x)", text, back, err, packed)
		}
	}
}

func TestDecodeAny(t *testing.T) {
	for _, c := range []struct {
		json, cbor string // empty: not in this codec
		want       any
	}{
		{"null", "f6", nil},
		{"", "f7", nil},
		{"true", "f5", true},
		{"512", "19 0200", int64(512)},
		{"-500", "39 01f3", int64(-500)},
		{"9223372036854775807", "1b 7fffffffffffffff", int64(math.MaxInt64)},
		{"18446744073709551615", "1b ffffffffffffffff", uint64(math.MaxUint64)},
		{"18446744073709551616", "c2 49 010000000000000000", bigInt("18446744073709551616")},
		{"1.5", "f9 3e00", 1.5},
		{"1e2", "fa 42c80000", float64(100)},
		{"", "f9 7c00", math.Inf(1)},
		{`"ü"`, "62 c3bc", "ü"},
		{"", "7f 61 61 61 62 ff", "ab"},
		{"", "43 010203", []byte{1, 2, 3}},
		{"[]", "80", []any{}},
		{`[1,"a"]`, "9f 01 61 61 ff", []any{int64(1), "a"}},
		{`{"a":[2]}`, "bf 61 61 81 02 ff", map[string]any{"a": []any{int64(2)}}},
		{"", "a2 05 01 20 02", map[string]any{"5": int64(1), "-1": int64(2)}},
		{"", "c1 1a 514b67b0", "2013-03-21T20:04:00Z"},                                 // a time as a number
		{"", "c0 74 323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"}, // a time as a text
		{"", "d8 20 61 78", "x"},                                                       // a tag nobody knows
		{"", "d9 d9f7 01", int64(1)},                                                   // self-described
		{"", "a1 d820 01 02", map[string]any{"1": int64(2)}},                           // a tag on a key
	} {
		for _, in := range []struct {
			codec Codec
			data  []byte
		}{{JSON, []byte(c.json)}, {CBOR, unhex(t, c.cbor)}} {
			if len(in.data) == 0 {
				continue
			}
			var got any
			if err := in.codec.Decode(in.data, &got); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %q: got %T %v, %v, want %T %v", in.codec.Name(), in.data, got, got, err, c.want, c.want)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		codec Codec
		data  []byte
	}{
		"nothing":             {JSON, nil},
		"half":                {JSON, []byte(`{"a":`)},
		"two values":          {JSON, []byte(`1 2`)},
		"trailing bracket":    {JSON, []byte(`1 ]`)},
		"word":                {JSON, []byte(`nul`)},
		"single quotes":       {JSON, []byte(`'a'`)},
		"open text":           {JSON, []byte(`"a\`)},
		"number out of range": {JSON, []byte(`1e999`)},
		"endless integer":     {JSON, bytes.Repeat([]byte("9"), 1<<16)},
		"too deep":            {JSON, []byte(strings.Repeat("[", 33) + strings.Repeat("]", 33))},
		"very deep":           {JSON, bytes.Repeat([]byte("["), 1<<20)},
		"deep after brackets": {JSON, []byte(strings.Repeat("]", 100) + strings.Repeat("[", 100))},
		"cbor nothing":        {CBOR, nil},
		"cbor half":           {CBOR, []byte{0x82, 1}},
		"cbor two values":     {CBOR, []byte{1, 2}},
		"cbor text":           {CBOR, []byte{0x61, 0xff}},
		"cbor reserved":       {CBOR, []byte{0x1c}},
		"cbor break":          {CBOR, []byte{0xff}},
		"cbor huge array":     {CBOR, []byte{0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		"cbor huge bytes":     {CBOR, []byte{0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		"cbor same key twice": {CBOR, []byte{0xa2, 1, 2, 1, 3}},
		"cbor key is a list":  {CBOR, []byte{0xa1, 0x80, 1}},
		"cbor key is a map":   {CBOR, []byte{0xa1, 0xa0, 1}},
		"cbor key in a tag":   {CBOR, []byte{0xa1, 0xd8, 0x20, 0x80, 1}},
		"cbor simple value":   {CBOR, []byte{0xf8, 0xff}},
		"cbor no time":        {CBOR, []byte{0xc0, 0x63, 'n', 'o', 'w'}},
		"cbor too deep":       {CBOR, append(bytes.Repeat([]byte{0x81}, 33), 0)},
		"cbor very deep":      {CBOR, bytes.Repeat([]byte{0x9f}, 1<<20)},
	} {
		var got any
		if err := c.codec.Decode(c.data, &got); err == nil {
			t.Errorf("%s: decoded as %v", name, got)
		}
		var typed []int
		if err := c.codec.Decode(c.data, &typed); err == nil {
			t.Errorf("%s: decoded as %v", name, typed)
		}
	}
}

func TestDepthIsTheSameInEachCodec(t *testing.T) {
	for name, c := range codecs {
		for _, depth := range []int{MaxDepth, MaxDepth + 1} {
			var v any = []any{}
			for range depth - 1 {
				v = []any{v}
			}
			data, err := c.Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			var got any
			if err := c.Decode(data, &got); (err == nil) != (depth == MaxDepth) {
				t.Errorf("%s: depth %d: %v", name, depth, err)
			}
		}
	}
}

func TestManyElements(t *testing.T) {
	long := []byte("[" + strings.Repeat("0,", 300_000) + "0]")
	packed, err := RawValue(JSON, long).AppendTo(nil, CBOR)
	if err != nil {
		t.Fatal(err)
	}
	back, err := RawValue(CBOR, packed).AppendTo(nil, JSON)
	if err != nil || !bytes.Equal(back, long) {
		t.Errorf("%d bytes came back as %d, %v", len(long), len(back), err)
	}
}

func TestAppend(t *testing.T) {
	type reading struct {
		Value float64 `json:"value"`
		Unit  string  `json:"unit,omitempty"`
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, c := range []struct {
		v          any
		json, cbor string
	}{
		{nil, `null`, "f6"},
		{-25, `-25`, "38 18"},
		{uint8(7), `7`, "07"},
		{"é", `"é"`, "62 c3a9"},
		{"a\xffb", `"a\ufffdb"`, "65 61 efbfbd 62"},
		{"<&>", `"<&>"`, "63 3c263e"},
		{1.5, `1.5`, "f9 3e00"},
		{0.1, `0.1`, "fb 3fb999999999999a"},
		{math.NaN(), `null`, "f9 7e00"},
		{math.Inf(-1), `null`, "f9 fc00"},
		{[]byte{0xfb, 0xff}, `"-_8"`, "42 fbff"},
		{bigInt("18446744073709551616"), `18446744073709551616`, "c2 49 010000000000000000"},
		{[]any{math.NaN(), []byte{1}}, `[null,"AQ"]`, "82 f97e00 41 01"},
		{map[string]any{"b": 1, "a": 2}, `{"a":2,"b":1}`, "a2 6161 02 6162 01"},
		{reading{Value: 21.5, Unit: "°C"}, `{"value":21.5,"unit":"°C"}`, "a2 64 756e6974 63 c2b043 65 76616c7565 f9 4d60"},
		{at, `"2026-01-02T03:04:05.000000006Z"`, "78 1e 323032362d30312d30325430333a30343a30352e3030303030303030365a"},
		{ValueOf(3), `3`, "03"},
		{RawValue(JSON, []byte("[1,\n 2]")), `[1,2]`, "82 01 02"},
		{[]any{Object{{"data", 1}}}, `[{"data":1}]`, "81 a1 64 64617461 01"},
		{map[string]any{"v": ValueOf(Object{{"x", nil}})}, `{"v":{"x":null}}`, "a1 6176 a1 6178 f6"},
	} {
		if got, err := JSON.Append([]byte("+"), c.v); err != nil || string(got) != "+"+c.json {
			t.Errorf("%v: JSON %s, %v, want %s", c.v, got, err, c.json)
		}
		want := append([]byte("+"), unhex(t, c.cbor)...)
		if got, err := CBOR.Append([]byte("+"), c.v); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: CBOR %x, %v, want %x", c.v, got, err, want)
		}
	}
}

func TestAppendFailsWithoutTrace(t *testing.T) {
	for name, c := range codecs {
		for _, v := range []any{
			make(chan int),
			Object{{"id", 1}, {"data", make(chan int)}},
			ValueOf(func() {}),
			RawValue(CBORText, []byte{0x61, 0xff}).Shared(),
			[]any{Object{{"x", make(chan int)}}},
		} {
			if v, ok := v.(Value); ok && c != JSON && v.Decode(new(any)) != nil {
				continue // its own bytes travel as they are
			}
			got, err := c.Append([]byte("before"), v)
			if err == nil || string(got) != "before" {
				t.Errorf("%s: %v: %q, %v", name, v, got, err)
			}
		}
	}
}

func TestObjectKeys(t *testing.T) {
	o := Object{{"id", 1}, {"colour", "red"}, {"version", 2}}
	for _, c := range []struct {
		codec Codec
		want  []byte
	}{
		{JSON, []byte(`{"id":1,"colour":"red","version":2}`)},
		{CBOR, unhex(t, "a3 00 01 66 636f6c6f7572 63 726564 18 18 02")},
		{CBORText, unhex(t, "a3 62 6964 01 66 636f6c6f7572 63 726564 67 76657273696f6e 02")},
	} {
		data, err := o.AppendTo(nil, c.codec)
		if err != nil || !bytes.Equal(data, c.want) {
			t.Errorf("%s: %x, %v, want %x", c.codec.Name(), data, err, c.want)
		}
		for name, reader := range codecs {
			if reader.Name() != c.codec.Name() {
				continue
			}
			got, err := fields(reader, data)
			if want := "colour=\"red\" id=1 version=2"; err != nil || got != want {
				t.Errorf("%s read by %s: %s, %v, want %s", c.codec.Name(), name, got, err, want)
			}
		}
	}
}

// The integers are on the wire: a name never changes its place.
func TestKeys(t *testing.T) {
	want := "id method params status response exception info data listener_id sender event time uncertainty seq " +
		"events requests reason client list_events connected protocol name window max_message version"
	if got := strings.Join(Keys(), " "); !strings.HasPrefix(got, want) {
		t.Errorf("the keys are %s, and must begin with %s", got, want)
	}
	Keys()[0] = "changed"
	if Keys()[0] != "id" {
		t.Error("Keys gives its list away")
	}
}

// fields lists the fields of a map in the order of their names.
func fields(c Codec, data []byte) (string, error) {
	found := make(map[string]string)
	err := c.Fields(data, func(key string, v Value) error {
		found[key] = v.String()
		return nil
	})
	var list []string
	for k, v := range found {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return strings.Join(list, " "), err
}

func TestFields(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("81", n-1) + "80" }
	for name, c := range map[string]struct {
		codec Codec
		data  []byte
		want  string // empty: refused
	}{
		"json":                    {JSON, []byte(` {"id": 1, "x" :[2] } `), "id=1 x=[2]"},
		"json same key twice":     {JSON, []byte(`{"id":1,"id":2}`), "id=2"},
		"json other case":         {JSON, []byte(`{"ID":1}`), "ID=1"},
		"json list":               {JSON, []byte(`[]`), ""},
		"json null":               {JSON, []byte(`null`), ""},
		"json number":             {JSON, []byte(`1`), ""},
		"json half":               {JSON, []byte(`{"id":1`), ""},
		"json trailing":           {JSON, []byte(`{"id":1}}`), ""},
		"json not UTF-8":          {JSON, []byte("{\"id\":\"\xff\"}"), ""},
		"json depth 34":           {JSON, []byte(`{"x":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`), "x=" + strings.Repeat("[", 33) + strings.Repeat("]", 33)},
		"json depth 35":           {JSON, []byte(`{"x":` + strings.Repeat("[", 34) + strings.Repeat("]", 34) + `}`), ""},
		"integers":                {CBOR, unhex(t, "a2 00 01 01 61 78"), "id=1 method=\"x\""},
		"texts":                   {CBOR, unhex(t, "a2 62 6964 01 61 78 02"), "id=1 x=2"},
		"both":                    {CBOR, unhex(t, "a2 62 6964 01 00 02"), "id=2"},
		"longer heads":            {CBOR, unhex(t, "b8 01 18 00 01"), "id=1"},
		"indefinite":              {CBOR, unhex(t, "bf 00 01 61 78 9f 02 ff ff"), "id=1 x=[2]"},
		"indefinite and empty":    {CBOR, unhex(t, "bf 00 a0 ff"), "id={}"},
		"key in pieces":           {CBOR, unhex(t, "a1 7f 61 69 61 64 ff 01"), "id=1"},
		"keys to pass over":       {CBOR, unhex(t, "a6 00 01 18 ff 02 20 03 41 78 04 80 05 f5 06"), "id=1"},
		"cbor list":               {CBOR, unhex(t, "80"), ""},
		"cbor tag":                {CBOR, unhex(t, "d9 d9f7 a0"), ""},
		"cbor half":               {CBOR, unhex(t, "a1 00"), ""},
		"cbor trailing":           {CBOR, unhex(t, "a1 00 01 00"), ""},
		"cbor no end":             {CBOR, unhex(t, "bf 00 01"), ""},
		"cbor odd":                {CBOR, unhex(t, "bf 00 ff"), ""},
		"cbor many pairs":         {CBOR, unhex(t, "bb ffffffffffffffff"), ""},
		"cbor not UTF-8":          {CBOR, unhex(t, "a1 00 81 61 ff"), ""},
		"cbor not UTF-8 key":      {CBOR, unhex(t, "a2 00 01 61 ff 02"), ""},
		"cbor bytes are bytes":    {CBOR, unhex(t, "a1 00 41 ff"), "id=\"_w\""},
		"cbor floats are no text": {CBOR, unhex(t, "a2 00 fb 61ff61ff61ff61ff 01 f9 61ff"), "id=1.1295082055879447e+164 method=767.5"},
		"cbor nothing":            {CBOR, nil, ""},
		"cbor depth 33":           {CBOR, unhex(t, "a1 00"+deep(32)), "id=" + strings.Repeat("[", 32) + strings.Repeat("]", 32)},
		"cbor depth 35":           {CBOR, unhex(t, "a1 00"+deep(34)), ""},
		"indefinite depth 33":     {CBOR, unhex(t, "bf 00"+deep(32)+"ff"), "id=" + strings.Repeat("[", 32) + strings.Repeat("]", 32)},
		"indefinite depth 35":     {CBOR, unhex(t, "bf 00"+deep(34)+"ff"), ""},
	} {
		got, err := fields(c.codec, c.data)
		if (err == nil) != (c.want != "") || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
}

func TestFieldsStops(t *testing.T) {
	stop := errors.New("stop")
	for name, c := range codecs {
		data, err := Object{{"a", 1}, {"b", 2}}.AppendTo(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []Value{RawValue(c, data), ValueOf(map[string]int{"a": 1, "b": 2}), ValueOf(Object{{"a", 1}, {"b", 2}})} {
			calls := 0
			err := v.Fields(func(string, Value) error { calls++; return fmt.Errorf("at a field: %w", stop) })
			if calls != 1 || !errors.Is(err, stop) {
				t.Errorf("%s: %d calls, %v", name, calls, err)
			}
		}
	}
}

func TestCBORHead(t *testing.T) {
	for _, n := range []uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 2} {
		for major := range byte(8) {
			data := AppendCBORHead([]byte{9}, major, n)
			m, arg, rest, err := CBORHead(append(data[1:], 7))
			if m != major || arg != n || err != nil || !bytes.Equal(rest, []byte{7}) {
				t.Errorf("%d %d: read back as %d %d %x %v", major, n, m, arg, rest, err)
			}
			if len(data) > 2 {
				if _, _, _, err := CBORHead(data[1 : len(data)-1]); err == nil {
					t.Errorf("%d %d: half a head is read", major, n)
				}
			}
		}
	}
}

// TestSameCodec: codecs are the same if they are equal, and CBOR with the keys' names is not CBOR with their numbers.
func TestSameCodec(t *testing.T) {
	list := []Codec{nil, JSON, LegacyJSON, CBOR, CBORText}
	for i, a := range list {
		for k, b := range list {
			if got := sameCodec(a, b); got != (i == k) {
				t.Errorf("the codecs %d and %d: %v", i, k, got)
			}
		}
	}
}
