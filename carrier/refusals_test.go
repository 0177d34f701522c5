package carrier_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"sighub/carrier"
)

// TestCause: the cause of a refusal is found however deep its kind is wrapped, and on the other side of a wire where a status
// tells it.
func TestCause(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: 1e999", carrier.ErrValue), "value"},
		{fmt.Errorf("tcp: %w", fmt.Errorf("%w: 9 bytes", carrier.ErrTooLarge)), "size"},
		{carrier.Failed(fmt.Errorf("%w: 256 senders", carrier.ErrLimit)).Err(), "limit"},
		{&carrier.StatusError{Status: carrier.StatusFailed, Exception: "no"}, "other"},
		{fmt.Errorf("hub: %w", context.DeadlineExceeded), "timeout"},
		{carrier.ErrTimeout, "timeout"},
		{errors.New("no"), "other"},
		{nil, "other"},
	} {
		if got := carrier.Cause(test.err); got != test.want {
			t.Errorf("the cause of %v is %q, want %q", test.err, got, test.want)
		}
	}
}

// TestRefusals: refusals are counted by cause, and what was given out does not change.
func TestRefusals(t *testing.T) {
	var r carrier.Refusals
	if got := r.Counts(); got != nil {
		t.Errorf("counts %v before anything was refused", got)
	}
	r.Add("value", 1)
	r.Add("value", 2)
	before := r.Counts()
	r.Add("name", 1)
	if want := (map[string]uint64{"value": 3}); !maps.Equal(before, want) {
		t.Errorf("counts %v, want %v", before, want)
	}
	if got, want := r.Counts(), (map[string]uint64{"value": 3, "name": 1}); !maps.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
}
