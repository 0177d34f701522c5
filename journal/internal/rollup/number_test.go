package rollup

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"testing"
)

// TestNumber: numbers of both formats are read, and nothing else is.
func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{ // examples of RFC 8949, appendix A
		"00": 0, "17": 23, "1818": 24, "1903e8": 1000, "1a000f4240": 1e6, "1b000000e8d4a51000": 1e12, "1bffffffffffffffff": 18446744073709551615,
		"20": -1, "3863": -100, "3903e7": -1000, "3bffffffffffffffff": -18446744073709551616,
		"f90000": 0, "f93c00": 1, "f93e00": 1.5, "f97bff": 65504, "f90001": 5.960464477539063e-8, "f90400": 6.103515625e-5, "f9c400": -4,
		"fa47c35000": 100000, "fb3ff199999999999a": 1.1, "fbc010666666666666": -4.1,
	} {
		data, _ := hex.DecodeString(text)
		if got, ok := Number(false, data); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "f4", "f5", "f6", "60", "80", "a0", "4101", "1c", "18", "1800ff", "0000", "f97c00", "f97e00", "fa7f800000", "fb7ff0000000000000", "c24101", "f93c", "fa3c", "fb3c", "1f", "3f"} {
		data, _ := hex.DecodeString(text)
		if got, ok := Number(false, data); ok {
			t.Errorf("%s is taken for %v", text, got)
		}
	}
	for _, text := range []string{"0", "-0", "12", "-3.5", "1e3", " 7 ", "\t1E-2\n", "123456789012345678901234567890"} {
		var want float64
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := Number(true, []byte(text)); !ok || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "true", "null", `"1"`, "[1]", "{}", "1 2", "0x10", "1_000", "Inf", "NaN", "-", "1e999", "-inf", "1e"} {
		if got, ok := Number(true, []byte(text)); ok {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	if got, _ := Number(true, []byte("-0")); !math.Signbit(got) {
		t.Error("-0 loses its sign")
	}
}
