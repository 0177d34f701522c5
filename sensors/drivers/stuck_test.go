package drivers

import (
	"errors"
	"testing"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/physic"

	"sighub/sensors"
)

// A shorted is a bus that works until one line is held: from then on everything seems to acknowledge, and reads the same bit.
type shorted struct {
	works i2c.Bus
	wire  onewire.Bus
	held  bool
	bits  byte
}

func (s *shorted) String() string                  { return "shorted" }
func (s *shorted) SetSpeed(physic.Frequency) error { return nil }

func (s *shorted) Tx(addr uint16, w, r []byte) error {
	if !s.held {
		return s.works.Tx(addr, w, r)
	}
	for i := range r {
		r[i] = s.bits
	}
	return nil
}

type wireShorted struct{ *shorted }

func (s wireShorted) Tx(w, r []byte, power onewire.Pullup) error {
	if !s.held {
		return s.wire.Tx(w, r, power)
	}
	return s.shorted.Tx(0, w, r)
}

func (s wireShorted) Search(bool) ([]onewire.Address, error) { return nil, nil }

// TestShorted: a line that is held low or high, before or after a sensor was opened, gives no value, whatever the sensor
// measured before.
func TestShorted(t *testing.T) {
	for _, s := range scripts() {
		for _, bits := range []byte{0x00, 0xff} {
			bubble(t, s.String(), func(t *testing.T) {
				bus := new(tester)
				bus.play(s.addr, s.setup...)
				line := &shorted{works: bus, wire: wireTester{bus}, bits: bits}
				d, err := Find(s.driver)
				if err != nil {
					t.Fatal(err)
				}
				open := func() (sensors.Sensor, error) {
					if d.Bus == OneWire {
						return d.OpenOneWire(t.Context(), wireShorted{line}, onewire.Address(s.addr), s.options)
					}
					return d.OpenI2C(t.Context(), line, uint16(s.addr), s.options)
				}
				sensor, err := open()
				if err != nil {
					t.Fatal(err)
				}
				line.held = true
				for range 3 {
					if got, err := read(t.Context(), sensor); err == nil {
						t.Errorf("every bit is %d: it reads %v", bits&1, got)
					}
				}
				if sensor, err = open(); err == nil {
					if got, err := read(t.Context(), sensor); err == nil {
						t.Errorf("every bit is %d since it was opened: it reads %v", bits&1, got)
					}
				}
			})
		}
	}
}

// TestInRange: no answer of a device becomes a value outside its range, or is one that a Poller refuses.
func TestInRange(t *testing.T) {
	for _, test := range []struct {
		driver, name string
		reading      []wire
	}{
		{"tmp102", "25", []wire{{b(0), b(0x7f, 0xf0)}}}, // 127.94 °C
		{"tmp102", "25", []wire{{b(0), b(0xc9, 0x00)}}}, // -55 °C
		{"mcp9808", "25.25", []wire{{b(5), b(0x0f, 0xff)}}},
		{"ds18b20", "0", []wire{{b(0x44), nil}, {b(0xbe), ds18b20Memory(0x07ff, 0x7f)}}},
		{"ds18b20", "0", []wire{{b(0x44), nil}, {b(0xbe), ds18b20Memory(0xf000, 0x7f)}}},
		{"sht3x", "lowest", []wire{{b(0x24, 0x00), nil}, {nil, shtWords(0, 0)}}},
		{"sht4x", "lowest", []wire{{b(0xfd), nil}, {nil, shtWords(0xffff, 0x8000)}}},
		{"aht20", "middle", []wire{{b(0xac, 0x33, 0x00), nil}, {nil, aht20Answer(0x18, 0, 0)}}},
		{"aht20", "middle", []wire{{b(0xac, 0x33, 0x00), nil}, {nil, aht20Answer(0x18, 1<<20-1, 1<<20-1)}}},
		{"bmp280", "section 3.12", []wire{{b(0xf4, 0x25), nil}, {b(0xf3), b(0)}, {b(0xf7), b(0, 0, 0, 0x7e, 0xed, 0)}}},
		{"bmp280", "section 3.12", []wire{{b(0xf4, 0x25), nil}, {b(0xf3), b(0)}, {b(0xf7), b(0xff, 0xff, 0xf0, 0x7e, 0xed, 0)}}},
		{"bmp280", "section 3.12", []wire{{b(0xf4, 0x25), nil}, {b(0xf3), b(0)}, {b(0xf7), b(0x65, 0x5a, 0xc0, 0, 0, 0)}}},
		{"bmp280", "section 3.12", []wire{{b(0xf4, 0x25), nil}, {b(0xf3), b(0)}, {b(0xf7), b(0x65, 0x5a, 0xc0, 0xff, 0xff, 0xf0)}}},
	} {
		bubble(t, test.driver, func(t *testing.T) {
			s := find(t, test.driver, test.name)
			bus := new(tester)
			bus.play(s.addr, s.setup...)
			bus.play(s.addr, test.reading...)
			sensor, err := s.open(t.Context(), bus)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t.Context(), sensor)
			if err != nil {
				return
			}
			for i, q := range sensor.Quantities() {
				err = errors.Join(err, q.Check(got[i]))
			}
			if !errors.Is(err, sensors.ErrRange) {
				t.Errorf("it reads %v, and that is in range", got)
			}
		})
	}
}
