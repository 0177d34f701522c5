package simulated_test

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/sensors"
	"sighub/sensors/drivers"
	"sighub/sensors/simulated"
)

// TestBus: the drivers, which are tested against the data sheets, read from the chips what there is to measure.
func TestBus(t *testing.T) {
	for _, test := range []struct {
		driver  string
		addr    uint16
		options drivers.Options
		within  []float64 // of what the place has: the chip's resolution
	}{
		{"bh1750", 0x23, drivers.Options{}, []float64{0.5}},
		{"bh1750", 0x5c, drivers.Options{Mode: "high2", Gain: 0.5}, []float64{0.5}},
		{"bh1750", 0x23, drivers.Options{Mode: "low"}, []float64{0.5}},
		{"tmp102", 0x4b, drivers.Options{}, []float64{0.04}},
		{"bme280", 0x77, drivers.Options{Oversampling: 4}, []float64{0.01, 0.2, 0.01}},
	} {
		synctest.Test(t, func(t *testing.T) {
			now := midnight
			place := simulated.Drift{Start: midnight}
			bus := simulated.NewBus(simulated.BusOptions{Place: place, Now: func() time.Time { return now }})
			d, err := drivers.Find(test.driver)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(simulated.Chips(), test.driver) {
				t.Errorf("%s is not listed", test.driver)
			}
			s, err := d.OpenI2C(t.Context(), bus, test.addr, test.options)
			if err != nil {
				t.Fatal(err)
			}
			values := make([]float64, len(test.within))
			for range 24 {
				if err := s.Read(t.Context(), values); err != nil {
					t.Fatal(err)
				}
				for i, q := range s.Quantities() {
					want := map[string]float64{"lux": place.Light(now).Value, "temp": place.Temperature(now).Value,
						"humidity": place.Humidity(now).Value, "pressure": place.Pressure(now).Value}[q.Name]
					if !(math.Abs(values[i]-want) <= test.within[i]) {
						t.Errorf("%s at %s: %s %v, want %v", test.driver, now, q.Name, values[i], want)
					}
				}
				now = now.Add(time.Hour)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPulledOut: while the bus is pulled out nothing answers, and afterwards a chip is as when power came.
func TestPulledOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out atomic.Bool
		bus := simulated.NewBus(simulated.BusOptions{PulledOut: out.Load})
		d, err := drivers.Find("bme280")
		if err != nil {
			t.Fatal(err)
		}
		open := func() (sensors.Sensor, error) { return d.OpenI2C(t.Context(), bus, 0x76, drivers.Options{}) }
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		values := make([]float64, 3)
		if err := s.Read(t.Context(), values); err != nil {
			t.Error(err)
		}
		out.Store(true)
		if err := s.Read(t.Context(), values); err == nil {
			t.Error("a bus that is pulled out answers")
		}
		if _, err := open(); err == nil {
			t.Error("a sensor was opened on a bus that is pulled out")
		}
		out.Store(false)
		data := make([]byte, 3)
		if err := bus.Tx(0x76, []byte{0xf7}, data); err != nil || data[0] != 0x80 {
			t.Errorf("it still has a measurement: % x, %v", data, err)
		}
		if s, err = open(); err != nil {
			t.Fatal(err)
		}
		if err := s.Read(t.Context(), values); err != nil || !(values[1] > 90_000) {
			t.Errorf("%v, %v", values, err)
		}
	})
}

// TestScan: what is on the bus is found, by the drivers' own search.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		found, err := drivers.ScanI2C(context.Background(), simulated.NewBus(simulated.BusOptions{}))
		var addrs []uint64
		for _, f := range found {
			addrs = append(addrs, f.Addr)
		}
		if want := []uint64{0x23, 0x48, 0x49, 0x4a, 0x4b, 0x5c, 0x76, 0x77}; err != nil || !slices.Equal(addrs, want) {
			t.Errorf("found %x, %v; want %x", addrs, err, want)
		}
	})
}

// FuzzBus: no chip comes to harm by what is written to it, however much is read.
func FuzzBus(f *testing.F) {
	f.Add(uint16(0x76), []byte{0xf4, 0x25, 0xf7}, byte(8))
	f.Add(uint16(0x48), []byte{1, 0x60, 0xd0}, byte(2))
	f.Add(uint16(0x23), []byte{0x01, 0x47, 0x7e, 0x11}, byte(2))
	f.Fuzz(func(t *testing.T, addr uint16, w []byte, n byte) {
		bus := simulated.NewBus(simulated.BusOptions{Place: simulated.Drift{Day: time.Minute}})
		r := make([]byte, n)
		first := bus.Tx(addr, w, r)
		if again := bus.Tx(addr, nil, r); (again == nil) != (first == nil) {
			t.Errorf("it answers once %v, and once %v", first, again)
		}
	})
}
