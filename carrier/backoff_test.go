package carrier

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		backoff Backoff
		full    []time.Duration // each wait lies between the half of it and this
	}{
		"zero":     {Backoff{}, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}},
		"given":    {Backoff{Min: 10 * ms, Max: 25 * ms}, []time.Duration{10 * ms, 20 * ms, 25 * ms, 25 * ms}},
		"long min": {Backoff{Min: 10 * time.Second}, []time.Duration{10 * time.Second, 10 * time.Second}},
		"max only": {Backoff{Max: 150 * ms}, []time.Duration{100 * ms, 150 * ms, 150 * ms}},
		"small":    {Backoff{Min: 1, Max: 1}, []time.Duration{1, 1}},
	} {
		for range 100 {
			b := c.backoff
			for range 2 {
				for i, full := range c.full {
					if d := b.Next(); d < full/2 || d > full {
						t.Fatalf("%s: wait %d is %v, not in %v to %v", name, i, d, full/2, full)
					}
				}
				b.Reset()
			}
		}
	}
}

func TestBackoffWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Min: time.Second, Max: time.Minute}
		start := time.Now()
		if err := b.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d < time.Second/2 || d > time.Second {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start = time.Now()
		if err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if d := time.Since(start); d != time.Millisecond {
			t.Errorf("waited %v for a context that ended after 1 ms", d)
		}
	})
}
