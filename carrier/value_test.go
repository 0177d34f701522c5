package carrier

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"sync"
	"testing"
)

// A counter is an Appender that counts how often it is encoded.
type counter struct {
	mu    sync.Mutex
	count map[Codec]int
}

func (c *counter) AppendTo(dst []byte, codec Codec) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = make(map[Codec]int)
	}
	c.count[codec]++
	return codec.AppendObject(dst, Object{{"id", 1}})
}

func TestSharedEncodesOnce(t *testing.T) {
	var c counter
	plain := ValueOf(&c)
	shared := plain.Shared()
	want := map[Codec]string{JSON: `{"id":1}`, CBOR: "\xa1\x00\x01", CBORText: "\xa1\x62id\x01"}
	var wg sync.WaitGroup
	for codec, text := range want {
		for range 10 {
			wg.Go(func() {
				got, err := shared.Shared().AppendTo([]byte("+"), codec)
				if err != nil || string(got) != "+"+text {
					t.Errorf("%s: %q, %v, want %q", codec.Name(), got, err, text)
				}
			})
		}
	}
	wg.Wait()
	for codec, n := range c.count {
		if n != 1 {
			t.Errorf("encoded %d times as %s", n, codec.Name())
		}
	}
	for range 2 {
		if _, err := plain.AppendTo(nil, JSON); err != nil {
			t.Error(err)
		}
	}
	if c.count[JSON] != 3 {
		t.Error("a value that is not shared remembers its encoding")
	}
}

func TestSharedGivesNothingAway(t *testing.T) {
	v := ValueOf("abc").Shared()
	first, err := v.AppendTo(nil, JSON)
	if err != nil {
		t.Fatal(err)
	}
	copy(first, "?????")
	if v.String() != `"abc"` {
		t.Errorf("the remembered bytes were changed to %s", v)
	}
}

func TestSharedRemembersNoFailure(t *testing.T) {
	v := ValueOf(make(chan int)).Shared()
	for range 2 {
		if got, err := v.AppendTo([]byte("+"), JSON); err == nil || string(got) != "+" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestNull(t *testing.T) {
	for name, v := range map[string]Value{
		"zero":      {},
		"nil":       ValueOf(nil),
		"json":      RawValue(JSON, []byte(" null\n")),
		"cbor":      RawValue(CBOR, []byte{0xf6}),
		"undefined": RawValue(CBORText, []byte{0xf7}),
		"no bytes":  RawValue(JSON, nil),
	} {
		if !v.IsNull() {
			t.Errorf("%s is not null", name)
		}
		if got, err := v.AppendTo(nil, JSON); err != nil || string(bytes.TrimSpace(got)) != "null" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := v.AppendTo(nil, CBOR); err != nil || len(got) != 1 || got[0] < 0xf6 || got[0] > 0xf7 {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for name, v := range map[string]Value{
		"0": ValueOf(0), "empty": ValueOf(""), "false": RawValue(JSON, []byte("false")), "list": RawValue(CBOR, []byte{0x80}),
	} {
		if v.IsNull() {
			t.Errorf("%s is null", name)
		}
	}
	if err := RawValue(JSON, nil).Decode(new(int)); !errors.Is(err, ErrMalformed) {
		t.Errorf("no bytes decode: %v", err)
	}
}

func TestValueDecode(t *testing.T) {
	type info struct {
		Sender string `json:"sender"`
		Seq    int    `json:"seq"`
	}
	object := Object{{"sender", "light"}, {"seq", 7}}
	want := info{"light", 7}
	for name, v := range map[string]Value{
		"json":     RawValue(JSON, []byte(`{"sender":"light","seq":7,"more":true}`)),
		"cbor":     RawValue(CBORText, []byte("\xa2\x66sender\x65light\x63seq\x07")),
		"struct":   ValueOf(want),
		"map":      ValueOf(map[string]any{"sender": "light", "seq": 7}),
		"object":   ValueOf(object),
		"pointer":  ValueOf(&want),
		"in value": ValueOf(ValueOf(object)),
	} {
		var got info
		if err := v.Decode(&got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		var value Value
		if err := v.Decode(&value); err != nil {
			t.Errorf("%s into a Value: %v", name, err)
		} else if err := value.Decode(&got); err != nil || got != want {
			t.Errorf("%s by way of a Value: %+v, %v", name, got, err)
		}
	}

	var texts map[string]float64
	if err := RawValue(CBOR, []byte("\xa2\x01\x02\x61x\xc4\x82\x21\x19\x08\x6d")).Decode(&texts); err != nil || texts["1"] != 2 || texts["x"] != 21.57 {
		t.Errorf("an integer key and a decimal fraction: %v, %v", texts, err)
	}
	var at string
	if err := RawValue(CBOR, []byte("\xc1\x1a\x51\x4b\x67\xb0")).Decode(&at); err != nil || at != "2013-03-21T20:04:00Z" {
		t.Errorf("a time into a text: %q, %v", at, err)
	}
	var n int64
	if err := ValueOf(7).Decode(&n); err != nil || n != 7 {
		t.Errorf("an int into an int64: %d, %v", n, err)
	}
	var u uint8
	if err := ValueOf(700).Decode(&u); err == nil {
		t.Errorf("700 fits into a uint8 as %d", u)
	}
	if err := ValueOf("x").Decode(&n); err == nil {
		t.Error("a text decodes into an int64")
	}
	if err := ValueOf(nil).Decode(&n); err != nil {
		t.Errorf("null decodes into an int64, which it leaves alone: %v", err)
	}
	for _, dst := range []any{nil, n, (*int)(nil)} {
		for _, v := range []Value{ValueOf(7), RawValue(JSON, []byte("7")), RawValue(CBOR, []byte{7})} {
			if err := v.Decode(dst); err == nil {
				t.Errorf("%v decodes into a %T", v, dst)
			}
		}
	}
	if err := ValueOf(make(chan int)).Decode(&n); err == nil {
		t.Error("a channel decodes")
	}
}

func TestValueAny(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want any
	}{
		{Value{}, nil},
		{ValueOf(7), 7},
		{RawValue(JSON, []byte("7")), int64(7)},
		{RawValue(CBOR, []byte{7}), int64(7)},
		{RawValue(JSON, []byte(`{"a":[1.5]}`)), map[string]any{"a": []any{1.5}}},
	} {
		if got, err := c.v.Any(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %T %v, %v", c.v, got, got, err)
		}
	}
	if _, err := RawValue(JSON, []byte("{")).Any(); err == nil {
		t.Error("half a value decodes")
	}
}

// A value inside other Go values keeps its bytes, in both directions.
func TestValueInsideOthers(t *testing.T) {
	type outer struct {
		Data Value `json:"data"`
	}
	for name, c := range map[string]struct {
		codec Codec
		data  []byte
		raw   string
	}{
		"json": {JSON, []byte(`{"data":[1.0,"x"]}`), `[1.0,"x"]`},
		"cbor": {CBOR, []byte("\xa1\x64data\x9f\x01\xff"), "\x9f\x01\xff"},
	} {
		var o outer
		if err := c.codec.Decode(c.data, &o); err != nil {
			t.Fatal(err)
		}
		clear(c.data)
		got, err := o.Data.AppendTo(nil, c.codec)
		if err != nil || string(got) != c.raw {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.raw)
		}
		for _, codec := range codecs {
			if _, err := codec.Append(nil, o); err != nil && name == "json" {
				t.Errorf("%s as %s: %v", name, codec.Name(), err)
			}
		}
	}
	got, err := json.Marshal(outer{ValueOf(Object{{"x", 1}})})
	if err != nil || string(got) != `{"data":{"x":1}}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestValueString(t *testing.T) {
	if got := RawValue(CBOR, []byte{0x82, 1, 0x41, 2}).String(); got != `[1,"Ag"]` {
		t.Error(got)
	}
	if got := ValueOf(make(chan int)).String(); got == "" || got[0] != '(' {
		t.Error(got)
	}
}

// What is not a finite number is null in JSON, wherever it stands in a Go value.
func TestNaNInsideGoValues(t *testing.T) {
	type reading struct {
		V []float64 `json:"v"`
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{reading{[]float64{1, math.NaN()}}, `{"v":[1,null]}`},
		{[]float64{math.Inf(1)}, `[null]`},
		{float32(math.NaN()), `null`},
	} {
		if got, err := ValueOf(c.v).AppendTo(nil, JSON); err != nil || string(got) != c.want {
			t.Errorf("%v: %s, %v, want %s", c.v, got, err, c.want)
		}
	}
}

func TestValueOfPointer(t *testing.T) {
	v := ValueOf("text")
	for _, c := range []struct {
		from any
		want string
	}{{v, `"text"`}, {&v, `"text"`}, {(*Value)(nil), "null"}} {
		var set Value
		set.Set(c.from)
		for _, got := range []Value{ValueOf(c.from), set} {
			if got.String() != c.want {
				t.Errorf("%T: %s, want %s", c.from, got, c.want)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { v = ValueOf(&v) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestText(t *testing.T) {
	text := "x"
	for _, c := range []struct {
		v    Value
		want string
		ok   bool
	}{
		{RawValue(CBOR, unhex(t, "6161")), "a", true},
		{RawValue(CBOR, unhex(t, "60")), "", true},
		{RawValue(CBOR, unhex(t, "7f61616162ff")), "ab", true}, // of indefinite length
		{RawValue(CBOR, unhex(t, "62c3bc")), "ü", true},
		{RawValue(CBOR, unhex(t, "61ff")), "", false}, // not UTF-8
		{RawValue(CBOR, unhex(t, "6261")), "", false}, // cut off
		{RawValue(CBOR, unhex(t, "4161")), "", false}, // bytes
		{RawValue(CBOR, unhex(t, "01")), "", false},
		{RawValue(CBOR, unhex(t, "f6")), "", false},
		{RawValue(CBOR, nil), "", false},
		{RawValue(JSON, []byte(`"a"`)), "a", true},
		{RawValue(JSON, []byte(`""`)), "", true},
		{RawValue(JSON, []byte(` "a" `)), "a", true},
		{RawValue(JSON, []byte(`"\u00fc\n"`)), "ü\n", true},
		{RawValue(JSON, []byte(`"a`)), "", false},
		{RawValue(JSON, []byte(`"a" 1`)), "", false},
		{RawValue(JSON, []byte(`1`)), "", false},
		{RawValue(JSON, []byte(`null`)), "", false},
		{RawValue(JSON, []byte(`["a"]`)), "", false},
		{RawValue(JSON, nil), "", false},
		{RawValue(LegacyJSON, []byte(`"a"`)), "a", true},
		{ValueOf(text), "x", true},
		{ValueOf(1), "", false},
		{ValueOf(nil), "", false},
		{Value{}, "", false},
	} {
		if got, ok := c.v.Text(); got != c.want || ok != c.ok {
			t.Errorf("%v: %q, %v, want %q, %v", c.v, got, ok, c.want, c.ok)
		}
	}
}
