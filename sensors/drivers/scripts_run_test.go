package drivers

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"sighub/sensors"
)

// read takes one reading.
func read(ctx context.Context, s sensors.Sensor) ([]float64, error) {
	values := make([]float64, len(s.Quantities()))
	for i := range values {
		values[i] = math.NaN()
	}
	err := s.Read(ctx, values)
	return values, err
}

// TestScripts: every driver understands its device.
func TestScripts(t *testing.T) {
	covered := make(map[string]bool)
	for _, s := range scripts() {
		covered[s.driver] = true
		bubble(t, s.String(), func(t *testing.T) {
			bus := new(tester)
			bus.play(s.addr, slices.Concat(s.setup, s.reading, s.reading, s.rest)...)
			sensor, err := s.open(t.Context(), bus)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := read(t.Context(), sensor)
				if err != nil {
					t.Fatal(err)
				}
				if !same(got, s.want, s.within) {
					t.Errorf("%v, want %v", got, s.want)
				}
				for i, q := range sensor.Quantities() {
					if got[i] < q.Min-25 || got[i] > q.Max+25 {
						t.Errorf("%v is far from what it says it measures: %+v", got[i], q)
					}
				}
			}
			if err := sensor.Close(); err != nil {
				t.Error(err)
			}
			bus.done(t)
		})
	}
	for _, d := range Catalogue() {
		if !covered[d.Name] {
			t.Errorf("no script for %s", d.Name)
		}
	}
}

// TestMissing: where nothing answers, a driver says which device that is about, and where.
func TestMissing(t *testing.T) {
	for _, s := range scripts() {
		bubble(t, s.String(), func(t *testing.T) {
			_, err := s.open(t.Context(), &tester{unplugged: true})
			if !errors.Is(err, errUnplugged) || !strings.Contains(err.Error(), "testbus") ||
				!strings.HasPrefix(err.Error(), "drivers: "+s.driver+" at ") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestVanishAndReturn: a device that was unplugged at any moment of a reading is set up again when it is back, because
// it may have been without power.
func TestVanishAndReturn(t *testing.T) {
	for _, s := range scripts() {
		for broken := range s.reading {
			bubble(t, s.String(), func(t *testing.T) {
				bus := new(tester)
				bus.play(s.addr, slices.Concat(s.setup, s.reading, s.reading[:broken])...)
				sensor, err := s.open(t.Context(), bus)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := read(t.Context(), sensor); err != nil {
					t.Fatal(err)
				}
				if got, err := read(t.Context(), sensor); err == nil {
					t.Fatalf("it reads %v of a script that has ended", got)
				}
				bus.unplugged = true
				if _, err := read(t.Context(), sensor); !errors.Is(err, errUnplugged) {
					t.Errorf("the error is %v", err)
				}
				if err := sensor.Close(); err != nil {
					t.Errorf("closing what does not answer: %v", err)
				}
				bus.unplugged = false
				bus.play(s.addr, slices.Concat(s.setup, s.reading)...)
				got, err := read(t.Context(), sensor)
				if err != nil || !same(got, s.want, s.within) {
					t.Errorf("%v, %v, want %v", got, err, s.want)
				}
				bus.done(t)
			})
		}
	}
}

// TestDamage: what has a checksum never gives a value when one bit is wrong.
func TestDamage(t *testing.T) {
	withChecksum := []string{"sht3x", "sht4x", "hdc302x", "aht20", "ds18b20"}
	for _, s := range scripts() {
		if !slices.Contains(withChecksum, s.driver) {
			continue
		}
		last := len(s.reading) - 1
		for bit := range 8 * len(s.reading[last].r) {
			bubble(t, s.String(), func(t *testing.T) {
				bus := new(tester)
				damaged := slices.Clone(s.reading[last].r)
				damaged[bit/8] ^= 1 << (bit % 8)
				bus.play(s.addr, slices.Concat(s.setup, s.reading[:last], []wire{{s.reading[last].w, damaged}})...)
				sensor, err := s.open(t.Context(), bus)
				if err != nil {
					t.Fatal(err)
				}
				got, err := read(t.Context(), sensor)
				busy := s.driver == "aht20" && bit == 7 // it says that it is busy, and is asked again in vain
				if err == nil || !errors.Is(err, errCRC) && !busy {
					t.Errorf("bit %d is wrong: %v, %v", bit, got, err)
				}
			})
		}
	}
}

// TestGivesUp: a reading ends when its context does, wherever it waits.
func TestGivesUp(t *testing.T) {
	reason := errors.New("enough")
	for _, s := range scripts() {
		bubble(t, s.String(), func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(reason)
			bus := new(tester)
			bus.play(s.addr, slices.Concat(s.setup, s.reading)...)
			sensor, err := s.open(t.Context(), bus)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := read(ctx, sensor); err != nil && !errors.Is(err, reason) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
