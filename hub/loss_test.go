package hub_test

import (
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestLossOfUnknownSize: a count of null, as a device's loss has after a reset, is read as 0 in each codec, and the
// event whose readings are lost is, too.
func TestLossOfUnknownSize(t *testing.T) {
	at := time.Date(2026, 6, 21, 12, 30, 5, 0, time.UTC)
	o := map[string]any{"count": nil, "first": at, "last": at.Add(time.Second), "event": "lux"}
	for _, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR, carrier.CBORText} {
		raw, err := codec.Append(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		var loss hub.Loss
		if err := carrier.RawValue(codec, raw).Decode(&loss); err != nil {
			t.Fatal(codec.Name(), err)
		}
		if loss.Count != 0 || loss.Event != "lux" || !loss.First.Equal(at) || !loss.Last.Equal(at.Add(time.Second)) {
			t.Errorf("%s: %+v", codec.Name(), loss)
		}
	}
}
