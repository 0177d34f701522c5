package drivers

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// find returns the script of that driver and name.
func find(t *testing.T, driver, name string) script {
	t.Helper()
	for _, s := range scripts() {
		if s.driver == driver && s.name == name {
			return s
		}
	}
	t.Fatalf("no script %s/%s", driver, name)
	return script{}
}

// TestRefused: what a device answers that is another one, or not in order, is an error that says so, and no value.
func TestRefused(t *testing.T) {
	bme := bmp280Setup(0x60)
	empty := make([]byte, 26)
	idle := []wire{{b(0xf2, 1), nil}, {b(0xf4, 0x25), nil}, {b(0xf3), b(0)}}
	busy := slices.Repeat([]wire{{b(0xf3), b(8)}}, 5)
	for _, test := range []struct {
		driver, name string
		setup        []wire // replaces the script's
		reading      []wire // instead of the script's; nil: opening fails
		says         string
	}{
		{"mcp9808", "0", []wire{{b(6), b(0xff, 0xff)}}, nil, "manufacturer is ffff"},
		{"mcp9808", "0", []wire{{b(6), b(0x00, 0x54)}, {b(7), b(0x05, 0x00)}}, nil, "device number is 05"},
		{"tmp102", "0", []wire{{b(1, 0x60, 0xc0), nil}, {b(1), b(0xff, 0xff)}}, nil, "another device"},
		{"bme280", "section 3.12", []wire{{b(0xd0), b(0x58)}}, nil, "this is a bmp280"},
		{"bmp280", "section 3.12", []wire{{b(0xd0), b(0x60)}}, nil, "this is a bme280"},
		{"bme280", "section 3.12", []wire{{b(0xd0), b(0x55)}}, nil, "chip number is 55"},
		{"bme280", "section 3.12", []wire{bme[0], bme[1], {b(0x88), empty}, bme[3]}, nil, "calibration is empty"},
		{"bme280", "section 3.12", append(bme[:1:1], slices.Repeat([]wire{{b(0xf3), b(0xff)}}, 5)...), nil, "takes too long"},
		{"tsl2591", "automatic", []wire{{b(0xb2), b(0x0a)}}, nil, "device number is 0a"},
		{"hdc302x", "negative", []wire{{b(0x30, 0x93), nil}, {b(0x37, 0x81), nil}, {nil, shtWords(0x0000, 0)[:3]}}, nil,
			"manufacturer is 0000"},
		{"sht3x", "middle", []wire{{b(0x30, 0x93), nil}, {b(0xf3, 0x2d), nil}, {nil, b(0xff, 0xff, 0xff)}}, nil, "checksum"},
		{"ds18b20", "0", []wire{{b(0xbe), slices.Repeat(b(0xff), 9)}}, nil, "does not answer"},
		{"ds18b20", "0", []wire{{b(0xbe), make([]byte, 9)}}, nil, "held low"}, // 0 is the checksum of zeros
		{"ds18b20", "9 bits", []wire{{b(0xbe), ds18b20Memory(0, 0x7f)}, {b(0x4e, 0x4b, 0x46, 0x1f), nil},
			{b(0xbe), ds18b20Memory(0, 0x7f)}}, nil, "does not keep its resolution"},

		{"bh1750", "page 7", nil, []wire{{nil, b(0xff, 0xff)}}, "too bright"},
		{"tmp102", "25", nil, []wire{{b(0), b(0xff, 0xff)}}, "bits below the value"},
		{"tmp102", "25", nil, []wire{{b(0), b(0x19, 0x08)}}, "bits below the value"},
		{"tmp102", "25", nil, []wire{{b(0), b(0, 0)}, {b(1), b(0, 0)}}, "does not keep its configuration"},
		{"tmp102", "25", nil, []wire{{b(0), b(0, 0)}, {b(1), b(0x60, 0xa0)}}, "lost its power"}, // as after power-up
		{"mcp9808", "25.25", nil, []wire{{b(5), b(0, 0)}, {b(6), b(0, 0)}}, "manufacturer is 0000"},
		{"mcp9808", "25.25", nil, []wire{{b(5), b(0xff, 0xff)}, {b(6), b(0xff, 0xff)}}, "manufacturer is ffff"},
		{"veml7700", "gain 1, 100 ms", nil, []wire{{b(0), b(0, 0)}, {b(4), b(0, 0)}, {b(3), b(0, 0)}}, "held low"},
		{"tsl2591", "automatic", nil, []wire{{b(0xb3), b(0xff, 0xff, 0xff, 0xff, 0xff)}}, "does not answer"},
		{"tsl2591", "automatic", nil, []wire{{b(0xb3), make([]byte, 5)}}, "lost its power"},
		{"bme280", "section 3.12", nil, append(idle[:3:3], wire{b(0xf7), make([]byte, 8)}), "held low"},
		{"bme280", "section 3.12", nil, append(idle[:3:3], wire{b(0xf7), slices.Repeat(b(0xff), 8)}), "does not answer"},
		{"aht20", "middle", nil, []wire{{b(0xac, 0x33, 0x00), nil}, {nil, make([]byte, 7)}}, "checksum"},
		{"sht3x", "lowest", nil, []wire{{b(0x24, 0x00), nil}, {nil, make([]byte, 6)}}, "checksum"},
		{"sht4x", "lowest", nil, []wire{{b(0xfd), nil}, {nil, slices.Repeat(b(0xff), 6)}}, "checksum"},
		{"ads1115", "0", nil, []wire{{b(1, 0xc3, 0x83), nil}, {b(1), b(0, 0)}}, "does not keep its configuration"},
		{"ads1115", "0", nil, []wire{{b(1, 0xc3, 0x83), nil}, {b(1), b(0xff, 0xff)}}, "does not keep its configuration"},
		{"ds18b20", "0", nil, []wire{{b(0x44), nil}, {b(0xbe), make([]byte, 9)}}, "held low"},

		{"bme280", "section 3.12", nil, append(idle[:2:2], busy...), "takes too long"},
		{"bme280", "section 3.12", nil, append(idle[:3:3], wire{b(0xf7), b(0x80, 0, 0, 0x80, 0, 0, 0x80, 0)}), "did not measure"},
		{"bme280", "section 3.12", nil, append(idle[:3:3], wire{b(0xf7), b(0x65, 0x5a, 0xc0, 0x7e, 0xed, 0, 0x80, 0)}),
			"did not measure humidity"},
		{"aht20", "middle", nil, append([]wire{{b(0xac, 0x33, 0x00), nil}},
			slices.Repeat([]wire{{nil, aht20Answer(0x98, 0, 0)}}, aht20Tries)...), "takes too long"},
		{"aht20", "middle", nil, []wire{{b(0xac, 0x33, 0x00), nil}, {nil, aht20Answer(0x10, 1<<19, 1<<19)}}, "not calibrated"},
		{"ads1115", "0", nil, []wire{{b(1, 0xc3, 0x83), nil}, {b(1), b(0x85, 0x83)}}, "does not keep its configuration"},
		{"ads1115", "0", nil, append([]wire{{b(1, 0xc3, 0x83), nil}},
			slices.Repeat([]wire{{b(1), b(0x43, 0x83)}}, 4)...), "takes too long"},
		{"ads1115", "0", nil, []wire{{b(1, 0xc3, 0x83), nil}, {b(1), b(0xc3, 0x83)}, {b(0), b(0x7f, 0xff)}}, "beyond 4.096 V"},
		{"ads1115", "0", nil, []wire{{b(1, 0xc3, 0x83), nil}, {b(1), b(0xc3, 0x83)}, {b(0), b(0x80, 0x00)}}, "beyond 4.096 V"},
		{"ads1115", "warmth", nil, []wire{{b(1, 0xc3, 0x83), nil}, {b(1), b(0xc3, 0x83)}, {b(0), b(0x00, 0x00)}}, "short-circuited"},
		{"veml7700", "automatic", nil, []wire{{b(0), b(0x01, 0x00)}}, "lost its power"},
		{"veml7700", "gain 2, 800 ms", nil, []wire{{b(0), b(0xc0, 0x08)}, {b(4), b(0xff, 0xff)}}, "too bright"},
		{"veml7700", "gain 1/8, 25 ms", nil, []wire{{b(0), b(0x00, 0x13)}, {b(4), b(0x00, 0xf0)}}, "too bright"},
		{"tsl2591", "automatic", nil, []wire{{b(0xb3), b(0x00, 1, 0, 1, 0)}}, "lost its power"},
		{"tsl2591", "infrared alone", nil, []wire{{b(0xb3), b(0x01, 0xff, 0x8f, 0, 0)}}, "too bright"},
		{"ds18b20", "0", nil, []wire{{b(0x44), nil}, {b(0xbe), ds18b20Memory(0, 0x1f)}}, "and its resolution with it"},
		{"ds18b20", "0", nil, []wire{{b(0x44), nil}, {b(0xbe), ds18b20Memory(0x0550, 0x7f)}}, "85 °C"},
	} {
		bubble(t, test.driver+"/"+test.says, func(t *testing.T) {
			s := find(t, test.driver, test.name)
			if s.driver == "bme280" {
				s.options = Options{}
			}
			if test.setup != nil {
				s.setup = test.setup
			}
			bus := new(tester)
			bus.play(s.addr, append(slices.Clone(s.setup), test.reading...)...)
			sensor, err := s.open(t.Context(), bus)
			if (err == nil) != (test.reading != nil) {
				t.Fatalf("opening: %v", err)
			}
			if err == nil {
				var got []float64
				if got, err = read(t.Context(), sensor); err == nil {
					t.Fatalf("it reads %v", got)
				}
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want %q in it", err, test.says)
			}
			bus.done(t)
		})
	}
}

// TestHot: 85 °C is what a DS18B20 answers that could not measure, but one that gets there by and by is believed.
func TestHot(t *testing.T) {
	bubble(t, "ds18b20", func(t *testing.T) {
		s := find(t, "ds18b20", "0")
		bus := new(tester)
		bus.play(s.addr, s.setup...)
		for _, raw := range []uint16{0x0530, 0x0550, 0x0560} {
			bus.play(s.addr, wire{b(0x44), nil}, wire{b(0xbe), ds18b20Memory(raw, 0x7f)})
		}
		sensor, err := s.open(t.Context(), bus)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []float64{83, 85, 86} {
			if got, err := read(t.Context(), sensor); err != nil || !same(got, []float64{want}, 0) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		}
	})
}

// TestDark: a BH1750 that answers 0 is set up again, because one that was without power for a moment answers that, too.
func TestDark(t *testing.T) {
	bubble(t, "bh1750", func(t *testing.T) {
		s := find(t, "bh1750", "page 7")
		bus := new(tester)
		zero := []wire{{nil, b(0, 0)}}
		bus.play(s.addr, slices.Concat(s.setup, zero, s.setup, zero)...)
		bus.play(nobody, wire{nil, b(0xff)}) // the bus is not held low
		bus.play(s.addr, slices.Concat(zero, s.setup, s.reading)...)
		sensor, err := s.open(t.Context(), bus)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []float64{0, 28066.666666667} { // it is dark; it was without power
			start := time.Now()
			if got, err := read(t.Context(), sensor); err != nil || !same(got, []float64{want}, 0) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
			if took := time.Since(start); took != 180*time.Millisecond { // the longest measurement, page 2
				t.Errorf("it took %s", took)
			}
		}
		bus.done(t)
	})
}

// TestRanges: the light sensors that choose their range change it until it fits, and report nothing before.
func TestRanges(t *testing.T) {
	tslStart := func(gain byte) []wire { return []wire{{b(0xa0, 1), nil}, {b(0xa1, gain<<4), nil}, {b(0xa0, 3), nil}} }
	tslCount := func(both uint16) []wire { return []wire{{b(0xb3), b(1, byte(both), byte(both>>8), 0, 0)}} }
	conf := []uint16{0x1300, 0x1000, 0x0000, 0x0880} // 1/8 and 25 ms, 1/8 and 100 ms, 1 and 100 ms, 2 and 400 ms
	vemlStart := func(step int) []wire {
		lo, hi := byte(conf[step]), byte(conf[step]>>8)
		return []wire{{b(0, lo|1, hi), nil}, {b(0, lo, hi), nil}}
	}
	vemlCount := func(step int, n uint16) []wire {
		return []wire{{b(0), b(byte(conf[step]), byte(conf[step]>>8))}, {b(4), b(byte(n), byte(n>>8))}}
	}
	for _, test := range []struct {
		driver, name string
		wires        []wire
		want         float64
		fails        string
	}{
		{"tsl2591", "to the sun", slices.Concat(tslCount(36863), tslStart(0), tslCount(20_000)), 81_600, ""},
		{"tsl2591", "to the stars", slices.Concat(tslCount(10), tslStart(2), tslCount(171), tslStart(3), tslCount(3951)),
			3951 * 408 / 987_600., ""},
		{"tsl2591", "into the sun", slices.Concat(tslCount(36863), tslStart(0), tslCount(36863)), 0, "too bright"},
		// The light goes on and off as fast as it measures: at last what fits is taken, or nothing.
		{"tsl2591", "flashes", slices.Concat(tslCount(36863), tslStart(0), tslCount(0), tslStart(1), tslCount(36863), tslStart(0),
			tslCount(0), tslStart(1), tslCount(500)), 81.6, ""},
		{"tsl2591", "flash at last", slices.Concat(tslCount(36863), tslStart(0), tslCount(0), tslStart(1), tslCount(36863),
			tslStart(0), tslCount(0), tslStart(1), tslCount(36863)), 0, "too bright"},
		{"veml7700", "to the sun", slices.Concat(vemlCount(1, 30_000), vemlStart(0), vemlCount(0, 9000)), 66_201.114657, ""},
		{"veml7700", "to the stars", slices.Concat(vemlCount(1, 10), vemlStart(2), vemlCount(2, 80), vemlStart(3),
			vemlCount(3, 640)), 640 * 0.0084, ""},
	} {
		bubble(t, test.driver+"/"+test.name, func(t *testing.T) {
			s := find(t, test.driver, "automatic")
			bus := new(tester)
			bus.play(s.addr, slices.Concat(s.setup, test.wires)...)
			sensor, err := s.open(t.Context(), bus)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t.Context(), sensor)
			switch {
			case test.fails != "":
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("%v, %v", got, err)
				}
			case err != nil || !same(got, []float64{test.want}, 0.1):
				t.Errorf("%v, %v, want %v", got, err, test.want)
			}
			bus.done(t)
		})
	}
}

// TestRest: devices that cannot be sent to rest say so, and those that have failed are left alone.
func TestRest(t *testing.T) {
	bubble(t, "bh1750", func(t *testing.T) {
		s := find(t, "bh1750", "page 7")
		bus := new(tester)
		bus.play(s.addr, s.setup...)
		sensor, err := s.open(t.Context(), bus)
		if err != nil {
			t.Fatal(err)
		}
		bus.unplugged = true
		if err := sensor.Close(); !errors.Is(err, errUnplugged) {
			t.Errorf("closing what was unplugged: %v", err)
		}
		calls := bus.calls
		if err := sensor.Close(); err != nil || bus.calls != calls {
			t.Errorf("closing it again: %v, %d calls", err, bus.calls-calls)
		}
	})
}
