package sensors

import "time"

// A quantity that is noisy has not had the same value for stillTime, in stillReadings readings, unless the device hangs.
const (
	stillTime     = time.Hour
	stillReadings = 100
)

// A still watches whether a value always stays the same.
type still struct {
	value    float64
	since    time.Time
	readings int
}

// watch takes a value and reports whether it has been the same for too long. It reports that once.
func (s *still) watch(value float64, now time.Time) bool {
	if s.readings == 0 || value != s.value {
		*s = still{value: value, since: now}
	}
	s.readings++
	if s.readings < stillReadings || s.since.IsZero() || now.Sub(s.since) < stillTime {
		return false
	}
	s.since = time.Time{} // it was told
	return true
}
