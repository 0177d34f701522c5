package carrier

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzModelJSON and FuzzModelCBOR: what CheckValue takes has one meaning, which is the same after a way through the other codec,
// each time. What it does not take cannot be decoded either.
func FuzzModelJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,-0.0,1e300,"é",null,true],"b":{}}`, `18446744073709551616`, `-9223372036854775809`, `1e999`, `{"a":1,"\u0061":2}`, `"\ud83d\ude00"`,
		`"\ud83d"`, `[NaN]`, `-0`, `1.0`, ` [ ] `, largest, "-" + smallest, `1E5`, `0.1e-400`, `{"":{"":""}}`, `[1,]`, strings.Repeat("[", 33),
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	for _, number := range []string{"18446744073709551615", "18446744073709551616", "-18446744073709551616", "-18446744073709551617", largest} {
		f.Add([]byte(strings.Repeat("[", MaxDepth)+number+strings.Repeat("]", MaxDepth)), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, legacy bool) {
		c := JSON
		if legacy {
			c = LegacyJSON
		}
		v := RawValue(c, data)
		a, ok := agreed(t, v)
		if !ok {
			return
		}
		if !legacy && !json.Valid(data) {
			t.Fatalf("%q is taken", data)
		}
		roundTrip(t, v, a)
	})
}

func FuzzModelCBOR(f *testing.F) {
	for _, seed := range []string{
		"a2006178f97e00", "bf6174f9463c61688101ff", "c249010000000000000000", "c48221 19086d", "c5822003", "c11a6b080320", "c074323031332d30332d32315432303a30343a30305a",
		"a201616161316162", "a241410a414214", "d9d9f7 d820 43010203", "3bffffffffffffffff", "1bffffffffffffffff", "f98000", "fa3dcccccd", "f7", "f863", "7f6161 6162ff",
		"a1d8206178 01", "82c24105c340", "dbffffffffffffffff 01", "a1dbffffffffffffffff 6161 02", "cd82 3030", "d9d9f7 bf6161 01ff",
		"9fff", "5fff", "c1fb41dac200c8400000", "f90001", "fc00", "63eda080", "a13bffffffffffffffff00",
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, lists := range []int{MaxDepth - 2, MaxDepth - 1} { // around a decimal fraction, which is a tag and an array
		f.Add(append(bytes.Repeat([]byte{0x81}, lists), 0xc4, 0x82, 0x20, 0x05))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v := RawValue(CBOR, data)
		a, ok := agreed(t, v)
		if !ok {
			return
		}
		if err := cborDec.Wellformed(data); err != nil {
			t.Fatalf("%x is taken: %v", data, err)
		}
		if rest, err := SkipCBOR(data); err != nil || len(rest) > 0 { // a listener reads it in this way
			t.Fatalf("%x is taken, but %d bytes of it are skipped: %v", data, len(data)-len(rest), err)
		}
		items, fields := 0, v.Fields(func(string, Value) error { return nil })
		err := v.Items(func(Value) error { items++; return nil })
		if list, ok := a.([]any); ok && data[0]>>5 == CBORArray && (err != nil || items != len(list)) {
			t.Fatalf("%x has %d items: %d, %v", data, len(list), items, err)
		}
		if data[0]>>5 == CBORMap && fields != nil {
			t.Fatalf("%x is a map: %v", data, fields)
		}
		roundTrip(t, v, a)
	})
}

// agreed returns what the value decodes to, and whether it is in the model. Decoding must say the same.
func agreed(t fataler, v Value) (any, bool) {
	checkErr := CheckValue(v.codec, v.raw)
	a, err := v.Any()
	if (checkErr == nil) != (err == nil) {
		t.Fatalf("%q: %v, but decoded with %v", v.raw, checkErr, err)
	}
	if checkErr != nil && Cause(checkErr) == "other" {
		t.Fatalf("%q: %v", v.raw, checkErr)
	}
	return a, checkErr == nil
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// roundTrip takes the value a, as it came in v, through each codec and back.
func roundTrip(t fataler, v Value, a any) {
	want := inJSON(a)
	for _, way := range [][]Codec{{JSON, CBOR, JSON}, {CBOR, JSON, CBOR}, {CBORText, JSON}, {LegacyJSON, CBOR, LegacyJSON, JSON}} {
		at, last := v, []byte(nil)
		for _, c := range way {
			raw, err := at.AppendTo(nil, c)
			if err != nil {
				t.Fatalf("%q to %s: %v", at.raw, c.Name(), err)
			}
			again, err := at.AppendTo(nil, c)
			if err != nil || !bytes.Equal(raw, again) {
				t.Fatalf("%q is %q once and %q again, %v", at.raw, raw, again, err)
			}
			at, last = RawValue(c, raw), raw
			got, ok := agreed(t, at)
			if !ok {
				t.Fatalf("%q became %q, which is refused", v.raw, raw)
			}
			if !reflect.DeepEqual(inJSON(got), want) {
				t.Fatalf("%q became %q: %v, not %v", v.raw, raw, inJSON(got), want)
			}
		}
		if c := way[len(way)-1]; c == JSON && !json.Valid(last) {
			t.Fatalf("%q became %q", v.raw, last)
		}
	}
}

// inJSON returns a value as JSON has it, with one form for each number.
func inJSON(v any) any {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v).String()
	case uint64:
		return new(big.Int).SetUint64(v).String()
	case *big.Int:
		return v.String()
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		if v == 0 && math.Signbit(v) {
			return "-0.0"
		}
		if i, accuracy := big.NewFloat(v).Int(nil); accuracy == big.Exact {
			return i.String()
		}
		return v
	case []byte:
		return "text " + base64.RawURLEncoding.EncodeToString(v)
	case string:
		return "text " + v
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = inJSON(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = inJSON(v[k])
		}
		return out
	}
	return v
}

// TestModelRoundTrips does the same with values that are made up, and so of all kinds.
func TestModelRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		for _, c := range []Codec{JSON, CBOR, CBORText, LegacyJSON} {
			raw, err := ValueOf(v).AppendTo(nil, c)
			if err != nil {
				t.Fatalf("%v as %s: %v", v, c.Name(), err)
			}
			encoded := RawValue(c, raw)
			a, ok := agreed(t, encoded)
			if !ok || !reflect.DeepEqual(inJSON(a), inJSON(v)) {
				t.Fatalf("%v is %q, which is %v", v, raw, a)
			}
			roundTrip(t, encoded, a)
		}
	})
}

func anyValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
		rapid.SliceOf(rapid.Byte()).AsAny(),
		rapid.SampledFrom([]any{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, 1e21, 1e20, math.MaxFloat64, int64(math.MinInt64)}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, maxInteger), func(b []byte) any { return shortest(new(big.Int).SetBytes(b)) }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, maxInteger), func(b []byte) any {
			i := new(big.Int).SetBytes(b)
			return shortest(i.Not(i))
		}),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.SliceOfN(anyValue(depth-1), 0, 5).AsAny(), rapid.MapOfN(rapid.String(), anyValue(depth-1), 0, 5).AsAny())
	}
	return rapid.OneOf(kinds...)
}
