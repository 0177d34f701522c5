package carrier

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// What is decoded without the library is what the library makes of it.
func TestSimpleFloat(t *testing.T) {
	for _, data := range []string{
		"\x00", "\x17", "\x18\xff", "\x1a\xff\xff\xff\xff", "\x1b\x00\x20\x00\x00\x00\x00\x00\x00", "\x1b\x00\x20\x00\x00\x00\x00\x00\x01",
		"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "\x20", "\x38\xff", "\x3b\x00\x20\x00\x00\x00\x00\x00\x00", "\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
		"\xf9\x00\x00", "\xf9\x80\x00", "\xf9\x3c\x00", "\xf9\x00\x01", "\xf9\x7c\x00", "\xf9\xfc\x00", "\xf9\x7e\x00",
		"\xfa\x41\x20\x00\x00", "\xfa\x7f\x80\x00\x00", "\xfb\x40\x45\x19\x99\x99\x99\x99\x9a", "\xfb\x80\x00\x00\x00\x00\x00\x00\x00",
		"\xf5", "\xf6", "\xf8\xff", "\xe0", "\xf9\x00", "\xfa\x00\x00\x00", "\xfb", "\x00\x00", "\x61a", "\x80", "",
	} {
		var want, got float64
		wantErr, gotErr := cbor.Unmarshal([]byte(data), &want), CBOR.Decode([]byte(data), &got)
		if (wantErr == nil) != (gotErr == nil) || math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%x is decoded as %v (%v), want %v (%v)", data, got, gotErr, want, wantErr)
		}
	}
}

// What is encoded without the library is what the library makes of it: in the fewest bytes that have all of it.
func TestAppendFloat(t *testing.T) {
	check := func(f float64) {
		want, err := cborEnc.Marshal(f)
		if got := appendFloat(nil, CBOR, f); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v (%016x) is encoded as %x, want %x (%v)", f, math.Float64bits(f), got, want, err)
		}
	}
	for bits := range 1 << 16 {
		f := halfFloat(uint16(bits))
		check(f)
		check(math.Nextafter(f, math.Inf(1)))
		check(float64(math.Nextafter32(float32(f), 0)))
		check(f / 2)
		check(f * 1.5)
	}
	for _, f := range []float64{math.MaxFloat32, math.SmallestNonzeroFloat32, math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN(), 65504, 65520} {
		check(f)
		check(-f)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1 << 18 {
		check(math.Float64frombits(rng.Uint64()))
		check(float64(math.Float32frombits(rng.Uint32())))
		check(float64(rng.IntN(1<<20)) / 16)
	}
}

// A float in a map is the same as one that stands alone.
func TestMapWriterFloat(t *testing.T) {
	for _, c := range []Codec{CBOR, CBORText, JSON, LegacyJSON} {
		for _, f := range []float64{1.5, 2, -0.1, 1e300, math.Inf(1), math.NaN()} {
			w := NewMapWriter(nil, c, 1)
			w.Float("f", f)
			got, err := w.End()
			want, wantErr := appendObject(nil, c, Object{{"f", f}})
			if err != nil || wantErr != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v is %q (%v), want %q (%v)", c.Name(), f, got, err, want, wantErr)
			}
		}
	}
}

// TestItems: each item of a list, in whichever form it came; and nothing of what is not a list, or not whole.
func TestItems(t *testing.T) {
	for _, v := range []Value{
		RawValue(CBOR, []byte("\x83\x01\x82\x02\x03\x61a")), RawValue(CBOR, []byte("\x9f\x01\x82\x02\x03\x61a\xff")),
		RawValue(JSON, []byte(` [1, [2,3] ,"a"]`)), ValueOf([]any{1, []int{2, 3}, "a"}),
	} {
		var got []string
		if err := v.Items(func(v Value) error { got = append(got, v.String()); return nil }); err != nil {
			t.Errorf("%v: %v", v, err)
		}
		if want := []string{"1", "[2,3]", `"a"`}; !slices.Equal(got, want) {
			t.Errorf("%v has %q, not %q", v, got, want)
		}
		n, stop := 0, errors.New("stop")
		if err := v.Items(func(Value) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("%v: after %d: %v", v, n, err)
		}
	}
	for _, empty := range []Value{RawValue(CBOR, []byte("\x80")), RawValue(CBOR, []byte("\x9f\xff")), RawValue(JSON, []byte("[]"))} {
		if err := empty.Items(func(Value) error { return errors.New("an item") }); err != nil {
			t.Errorf("%v: %v", empty, err)
		}
	}
	for _, bad := range []Value{
		RawValue(CBOR, []byte("\xa0")), RawValue(CBOR, []byte("\x01")), RawValue(CBOR, []byte("\x82\x01")), RawValue(CBOR, []byte("\x9f\x01")),
		RawValue(CBOR, []byte("\x81\x01\x01")), RawValue(CBOR, []byte("\x9f\xff\x01")), RawValue(CBOR, nil), RawValue(CBOR, []byte("\x82\x01\x62a")),
		RawValue(CBOR, []byte("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff")),
		RawValue(JSON, []byte("{}")), RawValue(JSON, []byte("[1")), RawValue(JSON, []byte("[1] 2")), ValueOf("a"), {}, RawValue(JSON, []byte("null")), RawValue(CBOR, []byte("\xf6")),
	} {
		if err := bad.Items(func(Value) error { t.Errorf("%x has an item", bad.raw); return nil }); err == nil {
			t.Errorf("%x is a list", bad.raw)
		}
	}
}
