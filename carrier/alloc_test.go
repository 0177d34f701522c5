//go:build !race

// The race detector makes sync.Pool forget at random: allocations are counted without.

package carrier

import "testing"

func TestCheckAllocatesNothing(t *testing.T) {
	for _, v := range []Value{
		RawValue(CBOR, []byte{0x18, 0x40}), RawValue(CBOR, unhex(t, "f94d60")), RawValue(CBOR, unhex(t, "83010203")),
		RawValue(CBOR, unhex(t, "a2617401617502")), RawValue(JSON, []byte("512")), RawValue(JSON, []byte("21.5")),
		RawValue(JSON, []byte(`{"t":21.5,"h":40,"l":[1,2,"x"]}`)), ValueOf(5), RawValue(LegacyJSON, []byte("NaN")),
	} {
		if n := testing.AllocsPerRun(100, func() {
			if v.Check("data") != nil {
				t.Error(v)
			}
		}); n > 0 {
			t.Errorf("%v: %g allocations", v, n)
		}
	}
}

// TestBytesInGoValues: bytes are base64url in JSON, wherever they stand; what a type says of itself stays as it is.

// TestTextTakesLittle: of a text that is read, only the text itself is allocated.
func TestTextTakesLittle(t *testing.T) {
	for _, v := range []Value{RawValue(CBOR, unhex(t, "66736967687562")), RawValue(JSON, []byte(`"sighub"`))} {
		if n := testing.AllocsPerRun(100, func() {
			if s, ok := v.Text(); s != "sighub" || !ok {
				t.Error(s, ok)
			}
		}); n > 1 {
			t.Errorf("%v: %g allocations", v, n)
		}
	}
}
