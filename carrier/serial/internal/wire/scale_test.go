package wire

import (
	"encoding/hex"
	"math"
	"math/big"
	"testing"

	"sighub/carrier"
)

// TestScale: integers on the line become the nearest float64 of their decimal fraction, as a Go constant is.
func TestScale(t *testing.T) {
	for _, c := range []struct {
		wire     any
		exponent int
		want     any
	}{
		{2157, -2, 21.57},
		{-2157, -2, -21.57},
		{0, -3, 0.0},
		{1, -18, 1e-18},
		{3, -1, 0.3},
		{int64(-(1 << 53)), -1, -900719925474099.2},
		{int64(1<<53 + 1), -1, 900719925474099.3},
		{uint64(math.MaxUint64), -18, 18.446744073709551615},
		{int64(-math.MaxInt64 - 1), -1, -922337203685477580.8},
		{512, 0, int64(512)},
		{512, 3, int64(512000)},
		{-5, 18, int64(-5e18)},
		{10, 18, 1e19},
		{int64(math.MaxInt64), 1, 92233720368547758070.0},
		{1.5, -2, 1.5},
		{"12", -2, "12"},
		{true, 2, true},
		{nil, 2, nil},
	} {
		wire, err := carrier.CBORText.Append(nil, c.wire)
		must(t, err)
		if got, err := Scale(wire, c.exponent).Any(); err != nil || got != c.want {
			t.Errorf("%v with exponent %d means %v (%T), %v, want %v", c.wire, c.exponent, got, got, err, c.want)
		}
	}
}

func TestUnscale(t *testing.T) {
	huge, _ := new(big.Int).SetString("100000000000000000000", 10)
	for _, c := range []struct {
		value    any
		exponent int
		want     any
	}{
		{21.57, -2, 2157},
		{21.565, -2, 2157}, // a little more than that
		{1.005, -2, 100},   // a little less than that
		{0.125, -2, 13},
		{-0.125, -2, -13},
		{float32(0.5), 0, float32(0.5)},
		{float32(0.5), -1, 5},
		{21, -2, 2100},
		{-7, 1, -1},
		{-5, 1, -1},
		{4, 1, 0},
		{uint64(math.MaxUint64), 1, int64(1844674407370955162)},
		{int64(math.MaxInt64), -1, 9223372036854775807.0}, // too large for an integer
		{1e300, -1, 1e300},
		{huge, -1, huge},
		{math.Inf(1), -1, math.Inf(1)},
		{"text", -1, "text"},
		{false, -1, false},
		{nil, -1, nil},
		{[]int{1}, -1, []int{1}},
	} {
		packed, err := carrier.CBORText.Append(nil, c.value)
		must(t, err)
		want, err := carrier.CBORText.Append(nil, c.want)
		must(t, err)
		if got, err := Unscale(packed, c.exponent); err != nil || hex.EncodeToString(got) != hex.EncodeToString(want) {
			t.Errorf("%v with exponent %d travels as %x, %v, want %x", c.value, c.exponent, got, err, want)
		}
	}
}
