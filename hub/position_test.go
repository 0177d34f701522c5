package hub_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"sighub/carrier"
	"sighub/hub"
)

// TestPositionTravels: a position is a list of two numbers in either format, and what is no such list is refused.
func TestPositionTravels(t *testing.T) {
	for _, p := range []hub.Position{{}, {Epoch: 1}, {Epoch: math.MaxUint32, Sequence: 1 << 63}} {
		loss := hub.Loss{From: &p}
		for _, c := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
			raw, err := carrier.ValueOf(loss).AppendTo(nil, c)
			if err != nil {
				t.Fatal(err)
			}
			var back hub.Loss
			if err := carrier.RawValue(c, raw).Decode(&back); err != nil || back.From == nil || *back.From != p || back.To != nil {
				t.Errorf("%s: %+v became %s: %+v, %v", c.Name(), loss, carrier.RawValue(c, raw), back, err)
			}
			other := carrier.JSON
			if c == carrier.JSON {
				other = carrier.CBOR
			}
			raw, err = carrier.RawValue(c, raw).AppendTo(nil, other)
			if err != nil || carrier.RawValue(other, raw).Decode(&back) != nil || *back.From != p {
				t.Errorf("%s to %s: %+v, %v", c.Name(), other.Name(), back, err)
			}
		}
	}
	if raw, err := json.Marshal(hub.Position{Epoch: 2, Sequence: 7}); err != nil || string(raw) != "[2,7]" {
		t.Errorf("%s, %v", raw, err)
	}
	for _, bad := range []string{`[1]`, `[1,2,3]`, `[4294967296,1]`, `[-1,1]`, `{"epoch":1}`, `"1/2"`, `7`, `[1,"x"]`} {
		var p hub.Position
		if err := carrier.RawValue(carrier.JSON, []byte(bad)).Decode(&p); err == nil {
			t.Errorf("%s is %v", bad, fmt.Sprint(p))
		}
	}
}
