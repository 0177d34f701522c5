package serial

import (
	"testing"
	"time"
)

// TestTimeOfDay: a time that was measured before is told by the present time of day, to the nanosecond.
func TestTimeOfDay(t *testing.T) {
	now := time.Now()
	for _, d := range []time.Duration{0, time.Nanosecond, time.Hour, -time.Second} {
		if got := timeOfDay(now.Add(-d), now); got.UnixNano() != now.UnixNano()-int64(d) {
			t.Errorf("%v before: %v, not %v", d, got, now.Add(-d))
		}
	}
	bare := time.Unix(1e9, 5) // without a monotonic reading, as a simulated clock has it
	if got := timeOfDay(bare, bare.Add(time.Minute)); !got.Equal(bare) {
		t.Errorf("%v, not %v", got, bare)
	}
	if got := timeOfDay(bare, now); got.UnixNano() != bare.UnixNano() {
		t.Errorf("%v, not %v", got, bare)
	}
}
