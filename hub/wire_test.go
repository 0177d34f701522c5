package hub

import (
	"bytes"
	"testing"

	"sighub/carrier"
)

// TestKeptData: a small value is not kept with the large message that it came in.
func TestKeptData(t *testing.T) {
	for _, c := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		raw, err := c.Append(nil, map[string]any{"data": 1, "junk": string(make([]byte, 5000))})
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.Clone(raw)
		kept := parseArguments(carrier.RawValue(c, raw)).kept("data")
		clear(raw)
		if got := kept.String(); got != "1" {
			t.Errorf("%s: %s is left of it", c.Name(), got)
		}
	}
}
