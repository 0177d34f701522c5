package carrier

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestModelCBOR has one value of each kind that a device may report: what JSON says for it, or why it is refused.
func TestModelCBOR(t *testing.T) {
	for _, c := range []struct {
		name, hex, json, refused string // json or refused
	}{
		{"indefinite map", "bf6174f9463c61688101ff", `{"h":[1],"t":6.234375}`, ""},
		{"indefinite array", "9f010203ff", `[1,2,3]`, ""},
		{"indefinite text", "7f61616162ff", `"ab"`, ""},
		{"indefinite bytes", "5f41014102ff", `"AQI"`, ""},
		{"half NaN", "f97e00", "null", ""},
		{"half +Inf", "f97c00", "null", ""},
		{"half -Inf", "f9fc00", "null", ""},
		{"double NaN", "fb7ff8000000000000", "null", ""},
		{"half -0.0", "f98000", "-0.0", ""},
		{"half 21.5", "f94d60", "21.5", ""},
		{"half subnormal", "f90001", "5.960464477539063e-8", ""},
		{"float without a fraction", "f94d40", "21", ""},
		{"float of 2^53", "fb4340000000000000", "9.007199254740992e+15", ""},
		{"float beyond, whose digits are not the integer's", "fb4415af1d78b58c40", "1e+20", ""},
		{"float of which digits are left out", "fb4470000000000001", "4.722366482869646e+21", ""},
		{"float below 10^21", "fb4430000000000001", "2.951479051793529e+20", ""},
		{"uint64 max", "1bffffffffffffffff", "18446744073709551615", ""},
		{"2^53+1", "1b0020000000000001", "9007199254740993", ""},
		{"-2^64", "3bffffffffffffffff", "-18446744073709551616", ""},
		{"-2^63-1", "3b8000000000000000", "-9223372036854775809", ""},
		{"bignum 2^64", "c249010000000000000000", "18446744073709551616", ""},
		{"neg bignum", "c349010000000000000000", "-18446744073709551617", ""},
		{"small bignum", "c24105", "5", ""},
		{"empty bignum", "c240", "0", ""},
		{"largest bignum", "c25820" + strings.Repeat("ff", 32), largest, ""},
		{"smallest bignum", "c35820" + strings.Repeat("ff", 32), "-" + smallest, ""},
		{"bignum of 33 bytes", "c2582101" + strings.Repeat("00", 32), "", "an integer of 33 bytes"},
		{"bignum in pieces", "c25f4101ff", "", "one piece"},
		{"bignum of text", "c26101", "", "byte string"},
		{"decimal fraction 21.57", "c4822119086d", "21.57", ""},
		{"decimal fraction -0.5", "c4822024", "-0.5", ""},
		{"decimal fraction, huge", "c482190400" + "01", "", "out of range"},
		{"decimal fraction, tiny", "c4823903e701", "0", ""},
		{"decimal fraction of a bignum", "c48221c24105", "", "integers of 64 bits"},
		{"decimal fraction of one", "c48121", "", "array of two integers"},
		{"bigfloat 1.5", "c5822003", "1.5", ""},
		{"tag 0 datetime", "c074323032362d31312d32365431303a30303a30305a", `"2026-11-26T10:00:00Z"`, ""},
		{"tag 0 no time", "c0636e6f77", "", `cannot be carried: "now" is not an RFC 3339 time`},
		{"tag 1 epoch", "c11a6b080320", `"2026-11-26T10:00:00Z"`, ""},
		{"tag 1 epoch float", "c1fb41dac200c8400000", `"2026-11-26T10:00:01Z"`, ""},
		{"tag 1 NaN", "c1f97e00", "", "NaN"},
		{"tag 1 too late", "c1fb43e0000000000000", "", "cannot be carried: 9.223372036854776e+18 seconds since 1970"},
		{"tag 1 text", "c16131", "", "not a time"},
		{"undefined", "f7", "null", ""},
		{"simple 99", "f863", "", "simple value 99"},
		{"simple 0", "e0", "", "simple value 0"},
		{"byte-string keys", "a241410a414214", "", "a key of a map is a byte string"},
		{"int keys", "a2011904d2021864", `{"1":1234,"2":100}`, ""},
		{"1 and \"1\" keys", "a201616161316162", "", `key 1 and key "1" are the same`},
		{"\"1\" and 1 keys", "a261316162016161", "", `key "1" and key 1 are the same`},
		{"neg int key", "a1200a", `{"-1":10}`, ""},
		{"largest neg int key", "a13bffffffffffffffff0a", `{"-18446744073709551616":10}`, ""},
		{"bool key", "a1f501", "", "true or false"},
		{"array key", "a1820102f5", "", "an array"},
		{"map key", "a1a0f5", "", "a map"},
		{"float key", "a1f93e0001", "", "a float"},
		{"null key", "a1f601", "", "null"},
		{"NaN key", "a1f97e0001", "", "a float"},
		{"bignum key", "a1c2410501", "", "a tag"},
		{"tagged key", "a1d820617801", `{"x":1}`, ""},
		{"duplicate keys", "a2617401617402", "", `key "t" is there twice`},
		{"duplicate int keys", "a201010102", "", "key 1 is there twice"},
		{"duplicate int keys, written longer", "a20101180102", "", "key 1 is there twice"},
		{"duplicate key in pieces", "a26174017f6174ff02", "", `key "t" is there twice`},
		{"nested duplicate", "81a2617401617402", "", `[0]: key "t" is there twice`},
		{"the same key in two maps", "a26174a161740161758100", `{"t":{"t":1},"u":[0]}`, ""},
		{"latin1 text", "6632312e35b043", "", "invalid UTF-8"},
		{"latin1 in key", "a161b001", "", "invalid UTF-8"},
		{"text with NUL", "63610062", `"a\u0000b"`, ""},
		{"lone surrogate", "63eda080", "", "invalid UTF-8"},
		{"cp1252 euro", "6180", "", "invalid UTF-8"},
		{"embedded CBOR tag 24", "d81843010203", `"AQID"`, ""},
		{"self-described", "d9d9f705", "5", ""},
		{"uuid tag 37", "d8254400112233", `"ABEiMw"`, ""},
		{"typed array tag 69", "d845440a000b00", `"CgALAA"`, ""},
		{"empty map", "a0", "{}", ""},
		{"empty text", "60", `""`, ""},
		{"empty bytes", "40", `""`, ""},
		{"1e300 double", "fb7e37e43c8800759c", "1e+300", ""},
		{"float32 0.1", "fa3dcccccd", "0.10000000149011612", ""},
		{"non-shortest int", "1b0000000000000005", "5", ""},
		{"nested 31", strings.Repeat("81", 31) + "01", strings.Repeat("[", 31) + "1" + strings.Repeat("]", 31), ""},
		{"nested 32", strings.Repeat("81", 32) + "01", strings.Repeat("[", 32) + "1" + strings.Repeat("]", 32), ""},
		{"nested 33", strings.Repeat("81", 33) + "01", "", "nested deeper than 32"},
		{"nested tags", strings.Repeat("d820", 33) + "01", "", "nested deeper than 32"},
		{"two items", "0102", "", "bytes follow"},
		{"break alone", "ff", "", "cannot stand here"},
		{"truncated", "1901", "", "unexpected end"},
		{"reserved head", "1c", "", "reserved head"},
		{"indef int", "1f", "", "cannot stand here"},
		{"simple(24) bad", "f818", "", "cannot stand here"},
		{"nothing", "", "", "no data"},
		{"where", "a26161006164a16168840102038201a2016161613102", "", `d.h[3][1]: key 1 and key "1" are the same`},
		{"strange keys on the way", "a1631b5b6da1f6f6", "", `["\x1b[m"]: a key of a map is null`},
	} {
		raw := unhex(t, c.hex)
		err := CheckValue(CBOR, raw)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) || Cause(err) != "value" && Cause(err) != "malformed" {
				t.Errorf("%s: %v, want %s", c.name, err, c.refused)
			}
			if err := RawValue(CBOR, raw).Decode(new(any)); err == nil {
				t.Errorf("%s: decoded, though it is refused", c.name)
			}
			continue
		}
		got, encodeErr := RawValue(CBOR, raw).AppendTo(nil, JSON)
		if err != nil || encodeErr != nil || string(got) != c.json {
			t.Errorf("%s: %v; %s, %v, want %s", c.name, err, got, encodeErr, c.json)
		}
	}
}

// TestModelJSON is the same for what a program writes.
func TestModelJSON(t *testing.T) {
	long := strings.Repeat("9", 400)
	for _, c := range []struct {
		json, cbor, refused string // cbor, in hexadecimal, or refused
	}{
		{`-0`, "00", ""}, {`-0.0`, "f98000", ""}, {`21.0`, "f94d40", ""}, {`1e2`, "f95640", ""}, {`21`, "15", ""},
		{`18446744073709551615`, "1bffffffffffffffff", ""}, {`-9223372036854775809`, "3b8000000000000000", ""},
		{`18446744073709551616`, "c249010000000000000000", ""},
		{largest, "c25820" + strings.Repeat("ff", 32), ""}, {"-" + smallest, "c35820" + strings.Repeat("ff", 32), ""},
		{smallest, "", "an integer of 78 digits"}, {"-" + smallest[:77] + "7", "", "an integer of 78 digits"},
		{long, "", "an integer of 400 digits"}, {"-" + long, "", "an integer of 400 digits"},
		{`1e999`, "", "the number 1e999 is out of range"}, {`[1,-1e309]`, "", "[1]: the number -1e309 is out of range"}, {`1E999`, "", "out of range"},
		{long + ".0", "", "out of range"}, {`1e-999`, "f90000", ""}, {"0." + long, "f93c00", ""},
		{`{"a":1,"a":2}`, "", `key "a" is there twice`}, {`{"a":1,"\u0061":2}`, "", `key "a" is there twice`},
		{`{"a":{"b c":[0,{"x":1,"x":1}]}}`, "", `a["b c"][1]: key "x" is there twice`},
		{`{"a":1,"A":2}`, "a2614102616101", ""}, {`{"":1}`, "a16001", ""},
		{`"\ud83d\ude00"`, "64f09f9880", ""}, {`"\ud83d"`, "", `a text has \ud83d, half of a character`}, {`"\ude00\ud83d"`, "", "half of a character"},
		{`"\ud83dx"`, "", "half"}, {`"\\ud83d"`, "665c7564383364", ""}, {`{"\ud83d":1}`, "", "half"}, {`"\ud83d\u0041"`, "", "half"},
		{"\"\xff\"", "", "invalid UTF-8"}, {"{\"\xff\":1}", "", "invalid UTF-8"},
		{`NaN`, "", "NaN is not JSON"}, {`[-Infinity]`, "", "[0]: -Infinity is not JSON"}, {`nan`, "", "unexpected"},
		{`01`, "", "bytes follow"}, {`[01]`, "", "unexpected"}, {`1 2`, "", "bytes follow"}, {``, "", "unexpected end"}, {`[1,]`, "", "unexpected"},
		{strings.Repeat("[", 33) + strings.Repeat("]", 33), "", "nested deeper than 32"},
		{` { "a" : [ 1 , 2 ] } `, "a16161820102", ""},
	} {
		err := CheckValue(JSON, []byte(c.json))
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%.60s: %v, want %s", c.json, err, c.refused)
			}
			if err := RawValue(JSON, []byte(c.json)).Decode(new(any)); err == nil {
				t.Errorf("%.60s: decoded, though it is refused", c.json)
			}
			continue
		}
		got, encodeErr := RawValue(JSON, []byte(c.json)).AppendTo(nil, CBOR)
		if err != nil || encodeErr != nil || !bytes.Equal(got, unhex(t, c.cbor)) {
			t.Errorf("%.60s: %v; %x, %v, want %s", c.json, err, got, encodeErr, c.cbor)
		}
	}
}

// TestLegacyJSON: NaN and the infinities reach a legacy client as they came, CBOR as floats, and JSON as null.
func TestLegacyJSON(t *testing.T) {
	for _, c := range []struct{ raw, legacy, json, cbor string }{
		{`NaN`, `NaN`, `null`, "f97e00"},
		{`[NaN, Infinity,-Infinity]`, `[NaN, Infinity,-Infinity]`, `[null,null,null]`, "83f97e00f97c00f9fc00"},
		{`{"NaN": "Infinity \"NaN", "x":[1, 2]}`, `{"NaN": "Infinity \"NaN", "x":[1, 2]}`, "", "a26178820102634e614e6d496e66696e69747920224e614e"},
	} {
		v := RawValue(LegacyJSON, []byte(c.raw))
		if err := v.Check("data"); err != nil {
			t.Errorf("%s: %v", c.raw, err)
		}
		for _, to := range []struct {
			codec Codec
			want  string
		}{{LegacyJSON, c.legacy}, {JSON, c.json}, {CBOR, string(unhex(t, c.cbor))}} {
			if got, err := v.AppendTo(nil, to.codec); err != nil || to.want != "" && string(got) != to.want {
				t.Errorf("%s: %q, %v, want %q", c.raw, got, err, to.want)
			}
		}
		back, err := RawValue(CBOR, unhex(t, c.cbor)).AppendTo(nil, LegacyJSON)
		if want := strings.ReplaceAll(c.legacy, ", ", ","); c.json != "" && (err != nil || string(back) != want) {
			t.Errorf("%s comes back as %s, %v", c.raw, back, err)
		}
	}
	var f struct{ X, Y float64 }
	if err := RawValue(LegacyJSON, []byte(`{"X":1.5,"Y":NaN}`)).Decode(&f); err != nil || f.X != 1.5 || !math.IsNaN(f.Y) {
		t.Errorf("%+v, %v", f, err)
	}
	if got, err := LegacyJSON.Append(nil, []float64{math.NaN(), 1}); err != nil || string(got) != "[NaN,1]" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{`Nan`, `+Infinity`, `-NaN`, `[Infinity1]`, `NaNa`, `1e999`} {
		if err := CheckValue(LegacyJSON, []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// TestManyKeys: a map of any size has each key once, and is looked through in little time and memory.
func TestManyKeys(t *testing.T) {
	const n = 100_000
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + big.NewInt(int64(i)*7919).Text(36) + `":1`)
	}
	good := append(bytes.Clone(b.Bytes()), '}')
	bad := append(bytes.Clone(b.Bytes()), `,"0":2}`...)
	if err := CheckValue(JSON, good); err != nil {
		t.Error(err)
	}
	if err := CheckValue(JSON, bad); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), `key "0" is there twice`) {
		t.Error(err)
	}
	for few := range 40 { // around the number at which keys are sorted
		text := `{"x":1`
		for i := range few {
			text += `,"` + strings.Repeat("y", i) + `":{"x":1}`
		}
		if err := CheckValue(JSON, []byte(text+"}")); err != nil {
			t.Error(err)
		}
		if err := CheckValue(JSON, []byte(text+`,"x":1}`)); !errors.Is(err, ErrValue) {
			t.Errorf("%d keys: %v", few, err)
		}
	}
}

// TestLongNumbers: no float needs more characters than a number may have; what has more is refused, and costs nothing.
func TestLongNumbers(t *testing.T) {
	exact := "-0." + new(big.Int).Exp(big.NewInt(5), big.NewInt(1074), nil).String() + "e-323" // the digits of the smallest float
	for _, number := range []string{exact, "0." + strings.Repeat("3", longestNumber-2), "1" + strings.Repeat("0", longestNumber-6) + "e-600"} {
		if err := CheckValue(JSON, []byte(number)); err != nil {
			t.Errorf("%d characters: %v", len(number), err)
		}
	}
	longer := "0." + strings.Repeat("3", longestNumber-1)
	if err := CheckValue(JSON, []byte(longer)); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "801 characters") {
		t.Errorf("%d characters: %v", len(longer), err)
	}
}

// TestOutOfRange: the digits of a number tell the same as strconv.ParseFloat does.
func TestOutOfRange(t *testing.T) {
	limit := string(tooLarge)
	below := new(big.Int)
	below.SetString(limit, 10)
	under := below.Sub(below, big.NewInt(1)).String()
	for _, number := range []string{
		limit, under, limit + ".0", under + ".9", "0." + limit + "e309", "0.00" + under + "e311", under + "0e-1", limit + "00E-2", "1.7976931348623157e308",
		"1.7976931348623158e+308", "1.7976931348623159e308", "0e999", "0.000e309", "0.0e99999999999999999999", "1e-99999999999999999999",
		"1e99999999999999999999", "1e308", "1e309", "9e308", "0.1e309", "0.1e310", "10e307", "10e308", "5e-324", "2.2250738585072011e-308",
		"0." + strings.Repeat("0", 300) + "1e609", "0." + strings.Repeat("0", 300) + "1e610", strings.Repeat("9", 400) + "e-92", strings.Repeat("9", 400) + "e-91",
		strings.Repeat("9", 790) + "e-482", strings.Repeat("9", 790) + "e-481", "0", "0.0",
	} {
		for _, sign := range []string{"", "-"} {
			_, err := strconv.ParseFloat(sign+number, 64)
			if got := outOfRange([]byte(sign + number)); got != (err != nil) {
				t.Errorf("%s%s: out of range %t, but %v", sign, number, got, err)
			}
		}
	}
}

// TestHardFloatsCostLittle: numbers in the middle of two floats are checked as quickly as others.
func TestHardFloatsCostLittle(t *testing.T) {
	const size = 1 << 19
	hard := []byte("2.2250738585072011e-308,")
	list := append(append([]byte("["), bytes.Repeat(hard, size/len(hard))...), "1]"...)
	fraction, err := hex.DecodeString("c48239014b1b004f0cedc95a718b") // the same in CBOR
	if err != nil {
		t.Fatal(err)
	}
	n := size / len(fraction)
	array := append(AppendCBORHead(nil, CBORArray, uint64(n)), bytes.Repeat(fraction, n)...)
	takes := func(v Value) time.Duration { // at the least: the machine may be busy
		least := time.Hour
		for range 5 {
			began := time.Now()
			if err := v.Check("data"); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	easy := takes(RawValue(JSON, append(append([]byte("["), bytes.Repeat([]byte("2.25,"), size/5)...), "1]"...)))
	for _, v := range []Value{RawValue(JSON, list), RawValue(CBOR, array)} {
		took := takes(v)
		t.Logf("%s: %v, and others %v", v.codec.Name(), took, easy)
		if took > 20*easy {
			t.Errorf("%s: %v for %d bytes, and others take %v", v.codec.Name(), took, len(v.raw), easy)
		}
	}
}

// TestBignumsCostNothing: a bignum of a MiB is refused at once.
func TestBignumsCostNothing(t *testing.T) {
	size := 1 << 20
	raw := append(AppendCBORHead([]byte{0xc2}, CBORBytes, uint64(size)), bytes.Repeat([]byte{0xff}, size)...)
	digits := bytes.Repeat([]byte("9"), size)
	if n := testing.AllocsPerRun(10, func() {
		for _, v := range []Value{RawValue(CBOR, raw), RawValue(JSON, digits)} {
			if err := v.Check("data"); !errors.Is(err, ErrValue) {
				t.Error(err)
			}
		}
	}); n > 20 {
		t.Errorf("%g allocations", n)
	}
}

func TestBytesInGoValues(t *testing.T) {
	type inner struct {
		Raw  []byte
		Next *inner
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{inner{Raw: []byte{0xfb, 0xff}, Next: &inner{}}, `{"Next":{"Next":null,"Raw":null},"Raw":"-_8"}`},
		{[]inner{{}}, `[{"Next":null,"Raw":null}]`}, {[2]byte{0xfb, 0xff}, `"-_8"`}, {map[string][]byte{"x": {1}}, `{"x":"AQ"}`},
		{[]any{[3]byte{1, 2, 3}, []byte{}}, `["AQID",""]`}, {json.RawMessage(`{"b":1,"a":2}`), `{"b":1,"a":2}`},
		{struct{ IP net.IP }{net.IPv4(1, 2, 3, 4)}, `{"IP":"1.2.3.4"}`}, {struct{ B, A int }{1, 2}, `{"B":1,"A":2}`}, {netip.MustParseAddr("::1"), `"::1"`},
	} {
		text, err := ValueOf(c.v).AppendTo(nil, JSON)
		if err != nil || string(text) != c.want {
			t.Errorf("%T: %s, %v, want %s", c.v, text, err, c.want)
		}
		raw, err := ValueOf(c.v).AppendTo(nil, CBOR)
		if err != nil {
			t.Error(err)
		}
		a, _ := RawValue(JSON, text).Any()
		b, _ := RawValue(CBOR, raw).Any()
		if !reflect.DeepEqual(inJSON(a), inJSON(b)) {
			t.Errorf("%T: %v in JSON and %v in CBOR", c.v, inJSON(a), inJSON(b))
		}
	}
}

// A written is a type that says itself what it is in JSON.
type written string

func (w written) MarshalJSON() ([]byte, error) { return []byte(w), nil }

// TestGoValues: a Go value is held against the model when it is encoded, and is the same in both codecs.
func TestGoValues(t *testing.T) {
	for _, c := range []struct {
		v    any
		want any // nil: refused
	}{
		{written(`{"a":[1,2.5]}`), map[string]any{"a": []any{int64(1), 2.5}}},
		{written(`{"a":1,"a":2}`), nil},
		{[]any{written(`"\ud800"`)}, nil},
		{map[int]string{1: "x", 2: "y"}, map[string]any{"1": "x", "2": "y"}},
		{map[any]any{1: "x", "y": []any{map[any]any{}}}, map[string]any{"1": "x", "y": []any{map[string]any{}}}},
		{map[any]any{1: "x", "1": "y"}, nil},
		{map[bool]int{true: 1}, nil},
		{map[string]any{"n": bigInt("123")}, map[string]any{"n": int64(123)}},
		{new(big.Int).Lsh(big.NewInt(1), 256), nil},
	} {
		for name, codec := range codecs {
			raw, err := ValueOf(c.v).AppendTo(nil, codec)
			if c.want == nil {
				if !errors.Is(err, ErrValue) {
					t.Errorf("%s: %v: %q, %v", name, c.v, raw, err)
				}
				continue
			}
			got, err2 := RawValue(codec, raw).Any()
			if err != nil || err2 != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %v: %v, %v %v, want %v", name, c.v, got, err, err2, c.want)
			}
		}
	}
}

// TestLargeValuesTakeTurns: large values, also within others, are checked and converted by many at once, and nobody waits for
// ever.
func TestLargeValuesTakeTurns(t *testing.T) {
	list := []byte("[" + strings.Repeat("1,", largeValue) + "1]")
	large := RawValue(JSON, list)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for _, v := range []Value{
				large, large.Shared(), ValueOf([]any{large, map[string]any{"x": large}}), ValueOf(written(list)), ValueOf(struct{ V Value }{large}),
				ValueOf(Object{{"data", ValueOf([]any{large.Shared()})}}),
			} {
				raw, err := v.AppendTo(nil, CBOR)
				if err == nil {
					err = CheckValue(CBORText, raw)
				}
				if err != nil {
					t.Error(err)
				}
			}
			var packed PackedSignal
			if err := packed.Pack(CBOR, &Signal{Data: ValueOf([]any{large})}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(converting) + len(turns); n > 0 {
		t.Errorf("%d turns are not over", n)
	}
}

// TestPlainValuesNeedNoOtherCheck: what is taken at a glance is what the whole check takes, among strings of all heads and lengths,
// some of them not UTF-8.
func TestPlainValuesNeedNoOtherCheck(t *testing.T) {
	content := []byte("aé\xff\x80\xe2\x82") // parts of it are UTF-8, others are not
	for first := range 256 {
		for _, second := range []int{0, 1, 2, 3, 5, 24, 'a', 0xc3, 0xff} {
			for n := range 110 {
				raw := append([]byte{byte(first), byte(second)}, bytes.Repeat(content, 16)...)[:n]
				if err := checkValue(CBOR, raw); plainCBOR(CBOR, raw) && err != nil {
					t.Fatalf("% x is taken, although: %v", raw[:min(n, 40)], err)
				}
			}
		}
	}
	for _, plain := range []string{"\x40", "\x43abc", "\x58\x18" + strings.Repeat("\xff", 24), "\x60", "\x63aé", "\x78\x03abc"} {
		if !plainCBOR(CBOR, []byte(plain)) {
			t.Errorf("%q is not taken at a glance", plain)
		}
	}
}
