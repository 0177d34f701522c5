package simulated_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/sensors"
	"sighub/sensors/simulated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var midnight = time.Date(2026, 6, 21, 0, 0, 0, 0, time.UTC)

func Example() {
	var c simulated.Counter
	fmt.Println(c.Next(midnight), c.Next(midnight), c.Next(midnight))

	place := simulated.Drift{Start: midnight}
	fmt.Println("light at night:", place.Light(midnight.Add(time.Hour)))
	fmt.Println("brighter at noon:", place.Light(midnight.Add(12*time.Hour)).Value > 5000)
	// Output:
	// 0 count 1 count 2 count
	// light at night: 0 lx
	// brighter at noon: true
}

func TestDay(t *testing.T) {
	for seed := range uint64(50) {
		d := simulated.Drift{Start: midnight, Seed: seed}
		var last sensors.Reading
		for minute := range 3 * 24 * 60 {
			at := midnight.Add(time.Duration(minute) * time.Minute)
			light, temperature := d.Light(at), d.Temperature(at)
			hour := at.Hour()
			if dark := hour < 6 || hour >= 18; dark && light.Value > 1 || light.Value < 0 || light.Value > 20_000 {
				t.Fatalf("seed %d: %s at %s", seed, light, at)
			}
			if temperature.Value < 9 || temperature.Value > 23 {
				t.Fatalf("seed %d: %s at %s", seed, temperature, at)
			}
			if minute > 0 && math.Abs(temperature.Value-last.Value) > 0.1 {
				t.Fatalf("seed %d: from %s to %s within a minute", seed, last, temperature)
			}
			last = temperature
		}
		if day, night := d.Temperature(midnight.Add(14*time.Hour)), d.Temperature(midnight.Add(2*time.Hour)); day.Value < night.Value+5 {
			t.Errorf("seed %d: %s by day, %s by night", seed, day, night)
		}
	}
}

func TestSameSeedSameWeather(t *testing.T) {
	a, b, c := simulated.Drift{Seed: 1}, simulated.Drift{Seed: 1}, simulated.Drift{Seed: 2}
	noon := time.Unix(12*3600, 0)
	a.Start, b.Start, c.Start = time.Unix(0, 0), time.Unix(0, 0), time.Unix(0, 0)
	if a.Light(noon) != b.Light(noon) {
		t.Error("the same seed gives different light")
	}
	if a.Light(noon) == c.Light(noon) {
		t.Error("different seeds give the same light")
	}
}

func TestShortDay(t *testing.T) {
	long := simulated.Drift{Start: midnight}
	short := simulated.Drift{Start: midnight, Day: time.Minute}
	if a, b := long.Light(midnight.Add(12*time.Hour)), short.Light(midnight.Add(30*time.Second)); a.Value != b.Value {
		t.Errorf("noon has %s, and %s in a shorter day", a, b)
	}
	if before := short.Light(midnight.Add(-30 * time.Second)); before.Value < 5000 {
		t.Errorf("%s at the noon before the start", before)
	}
}

// TestZero: a Drift that nobody set has days, too.
func TestZero(t *testing.T) {
	var place simulated.Drift
	if night, noon := place.Light(midnight), place.Light(midnight.Add(12*time.Hour)); night.Value != 0 || noon.Value < 5000 {
		t.Errorf("%s at night, %s at noon", night, noon)
	}
}
