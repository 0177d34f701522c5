package hub

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

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

// TestDeadlineThatIsGranted: a listener gets the deadline that it asks for, but no longer one than 5 s or the hub's own.
func TestDeadlineThatIsGranted(t *testing.T) {
	for _, c := range []struct {
		own  time.Duration
		asks int // ms; 0: nothing
		want time.Duration
	}{
		{2 * time.Second, 0, 2 * time.Second}, {time.Minute, 0, time.Minute},
		{2 * time.Second, 1, time.Millisecond}, {2 * time.Second, 3000, 3 * time.Second},
		{2 * time.Second, 60_000, 5 * time.Second}, {8 * time.Second, 60_000, 8 * time.Second},
	} {
		params := `{}`
		if c.asks > 0 {
			params = fmt.Sprintf(`{"deadline":%d}`, c.asks)
		}
		a := parseArguments(carrier.RawValue(carrier.JSON, []byte(params)))
		if _, got := a.policy(OutboxOptions{Deadline: c.own}); got != c.want || a.err != nil {
			t.Errorf("%s is granted %s, %v; want %s", params, got, a.err, c.want)
		}
	}
	for _, params := range []string{`{"deadline":0}`, `{"deadline":60001}`, `{"deadline":-1}`, `{"deadline":"1"}`} {
		a := parseArguments(carrier.RawValue(carrier.JSON, []byte(params)))
		if a.policy(OutboxOptions{}); !errors.Is(a.err, ErrArguments) {
			t.Errorf("%s: %v", params, a.err)
		}
	}
}
