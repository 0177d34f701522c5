package drivers

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"sighub/sensors"
)

// Three kinds of devices measure temperature and humidity alike: one command starts one measurement, and the answer is two words
// with their checksums. Little else differs:
//
// Sensirion, Datasheet SHT3x-DIS, version 7: single shot mode, status, checksum and "Conversion of Signal Output" in section
// 4, durations in the table of timing. Sensirion, Datasheet SHT4x: "Command Overview" and "Conversion of Signal Output" in
// section 4, durations in the table of timing. Texas Instruments, HDC302x, SNAS778: the table of commands, and the formulas
// of temperature and humidity.
//
// A step is 0.003 °C and 0.0015 %RH, from -40 to 125 °C (an SHT3x's noise at its finest is 0.04 °C and 0.08 %RH).
type shtChip struct {
	i2cDevice
	kind    *shtKind
	command []byte
	limit   time.Duration // how long a measurement takes at most
}

type shtKind struct {
	modes []choice[string, shtMode]
	// identify is a command that is also answered with words. The first of them is id, if id is not 0.
	identify []byte
	words    int
	id       uint16
	// percent is the humidity if all bits of the word are 0, and how much it rises until all are 1.
	percent, span float64
}

type shtMode struct {
	command []byte
	limit   time.Duration
}

func shtDriver(name, summary string, addrs []uint16, kind *shtKind) Driver {
	return Driver{
		Name: name, Summary: summary, Bus: I2C, Addresses: addrs, Options: []string{"mode"},
		identifies: true,
		build: func(o *Options) (chip, error) {
			mode, err := choose("mode", o.Mode, kind.modes)
			return &shtChip{kind: kind, command: mode.command, limit: mode.limit}, err
		},
	}
}

func sht3x() Driver {
	return shtDriver("sht3x", "Sensirion SHT30, SHT31, SHT35: temperature, humidity", []uint16{0x44, 0x45}, &shtKind{
		modes: []choice[string, shtMode]{ // without clock stretching, which not every bus can wait for
			{"high", shtMode{[]byte{0x24, 0x00}, 16 * time.Millisecond}},
			{"medium", shtMode{[]byte{0x24, 0x0b}, 7 * time.Millisecond}},
			{"low", shtMode{[]byte{0x24, 0x16}, 5 * time.Millisecond}},
		},
		identify: []byte{0xf3, 0x2d}, words: 1, // it has no identity, but its status has a checksum
		span: 100,
	})
}

func hdc302x() Driver {
	return shtDriver("hdc302x", "TI HDC3020, HDC3021, HDC3022: temperature, humidity", []uint16{0x44, 0x45, 0x46, 0x47},
		&shtKind{
			modes: []choice[string, shtMode]{ // its low power modes 0, 1 and 2: 12.5, 7.5 and 5 ms, and a fifth more
				{"high", shtMode{[]byte{0x24, 0x00}, 15 * time.Millisecond}},
				{"medium", shtMode{[]byte{0x24, 0x0b}, 9 * time.Millisecond}},
				{"low", shtMode{[]byte{0x24, 0x16}, 6 * time.Millisecond}},
			},
			identify: []byte{0x37, 0x81}, words: 1, id: 0x3000, // Texas Instruments
			span: 100,
		})
}

func sht4x() Driver {
	return shtDriver("sht4x", "Sensirion SHT40, SHT41, SHT45: temperature, humidity", []uint16{0x44, 0x45, 0x46}, &shtKind{
		modes: []choice[string, shtMode]{
			{"high", shtMode{[]byte{0xfd}, 9 * time.Millisecond}},
			{"medium", shtMode{[]byte{0xf6}, 5 * time.Millisecond}},
			{"low", shtMode{[]byte{0xe0}, 2 * time.Millisecond}},
		},
		identify: []byte{0x89}, words: 2, // its serial number
		percent: -6, span: 125,
	})
}

func (c *shtChip) quantities() []sensors.Quantity {
	return []sensors.Quantity{
		{Name: "temp", Unit: sensors.Celsius, Min: -40, Max: 125, Resolution: 175. / 65535, Noisy: true},
		{Name: "humidity", Unit: sensors.Humidity, Max: 100, Resolution: c.kind.span / 65535},
	}
}

func (c *shtChip) setup(ctx context.Context) error {
	if len(c.command) == 2 {
		// Another program may have told it to measure continuously: then it refuses most commands until this one. A device
		// that does not measure continuously may not answer this.
		_ = c.write(0x30, 0x93)
		if err := c.wait(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	b, err := c.ask(ctx, c.kind.identify, time.Millisecond, c.kind.words)
	if err != nil {
		return err
	}
	if id := binary.BigEndian.Uint16(b); c.kind.id != 0 && id != c.kind.id {
		return fmt.Errorf("its manufacturer is %04x, not %04x: this is another device", id, c.kind.id)
	}
	return nil
}

func (c *shtChip) measure(ctx context.Context, values []float64) error {
	b, err := c.ask(ctx, c.command, c.limit, 2)
	if err != nil {
		return err
	}
	values[0] = -45 + 175*float64(binary.BigEndian.Uint16(b))/65535
	humidity := c.kind.percent + c.kind.span*float64(binary.BigEndian.Uint16(b[3:]))/65535
	values[1] = min(max(humidity, 0), 100) // the formula of the SHT4x goes beyond both ends
	return nil
}

// ask sends a command, waits, and then reads words with their checksums. That takes two transactions, because the device does not
// answer while it measures.
func (c *shtChip) ask(ctx context.Context, command []byte, limit time.Duration, words int) ([]byte, error) {
	if err := c.write(command...); err != nil {
		return nil, err
	}
	if err := c.wait(ctx, limit); err != nil {
		return nil, err
	}
	b, err := c.read(3 * words)
	if err != nil {
		return nil, err
	}
	return b, checkWords(b)
}

func (c *shtChip) rest() error { return nil } // it rests between measurements
