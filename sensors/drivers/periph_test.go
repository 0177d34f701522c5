package drivers

import (
	"math/rand/v2"
	"slices"
	"testing"

	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/physic"
	periphAht20 "periph.io/x/devices/v3/aht20"
	"periph.io/x/devices/v3/bmxx80"
	periphDs18b20 "periph.io/x/devices/v3/ds18b20"
	periphHdc302x "periph.io/x/devices/v3/hdc302x"
	periphMcp9808 "periph.io/x/devices/v3/mcp9808"
	periphTmp102 "periph.io/x/devices/v3/tmp102"

	"sighub/sensors"
)

// An answering is a bus on which one device answers what a function says.
type answering struct {
	tester
	answer func(w, r []byte)
}

func (a *answering) Tx(_ uint16, w, r []byte) error { a.answer(w, r); return nil }

type wireAnswering struct{ *answering }

func (a wireAnswering) Tx(w, r []byte, _ onewire.Pullup) error { a.answer(w, r); return nil }

func (a wireAnswering) Search(bool) ([]onewire.Address, error) { return nil, nil }

// TestAgainstPeriph: with the same device, these drivers and those of periph.io, which others have written from the same
// data sheets, agree in what they read.
func TestAgainstPeriph(t *testing.T) {
	type sensing interface{ Sense(*physic.Env) error }
	// A register map, its data last, which is made anew for each reading.
	bme := func(id byte, random *rand.Rand) func(w, r []byte) {
		var memory [256]byte
		memory[0xd0] = id
		copy(memory[0x88:], bmp280Registers)
		copy(memory[0xe1:], b(0x6a, 0x01, 0x00, 0x14, 0x0c, 0x00, 0x1e))
		return func(w, r []byte) {
			if len(r) > 0 && w[0] == 0xf7 {
				// What a living room to a greenhouse may give: 0 to 50 °C, 800 to 1100 hPa.
				for i, n := range []int{300_000 + random.IntN(150_000), 440_000 + random.IntN(160_000)} {
					memory[0xf7+3*i], memory[0xf8+3*i], memory[0xf9+3*i] = byte(n>>12), byte(n>>4), byte(n<<4)
				}
				memory[0xfd], memory[0xfe] = byte(random.IntN(0x20)+0x60), byte(random.IntN(256))
			}
			copy(r, memory[w[0]:])
		}
	}
	word := func(r []byte, n uint16) { copy(r, b(byte(n>>8), byte(n), crc8(b(byte(n>>8), byte(n))))) }
	for _, test := range []struct {
		driver  string
		within  []float64 // °C, %RH, Pa: periph.io computes some in integers
		answer  func(random *rand.Rand) func(w, r []byte)
		sensing func(bus *answering, addr uint16) (sensing, error)
	}{
		{"bme280", []float64{0.011, 0.02, 1}, func(r *rand.Rand) func(w, r []byte) { return bme(0x60, r) },
			func(bus *answering, addr uint16) (sensing, error) {
				return bmxx80.NewI2C(bus, addr, &bmxx80.DefaultOpts)
			}},
		{"bmp280", []float64{0.011, 0, 1}, func(r *rand.Rand) func(w, r []byte) { return bme(0x58, r) },
			func(bus *answering, addr uint16) (sensing, error) {
				return bmxx80.NewI2C(bus, addr, &bmxx80.DefaultOpts)
			}},
		{"aht20", []float64{1e-6, 1e-4, 0}, func(random *rand.Rand) func(w, r []byte) {
			return func(_, r []byte) {
				copy(r, aht20Answer(0x18, uint32(random.IntN(1<<20)), uint32(random.IntN(1<<20))))
			}
		}, func(bus *answering, _ uint16) (sensing, error) { return periphAht20.NewI2C(bus, nil) }},
		{"hdc302x", []float64{1e-6, 1e-4, 0}, func(random *rand.Rand) func(w, r []byte) {
			return func(_, r []byte) {
				if len(r) == 3 {
					word(r, 0x3000)
				} else if len(r) == 6 {
					word(r, uint16(random.IntN(1<<16)))
					word(r[3:], uint16(random.IntN(1<<16)))
				}
			}
		}, func(bus *answering, addr uint16) (sensing, error) {
			return periphHdc302x.NewI2C(bus, addr, periphHdc302x.RateHertz)
		}},
		{"mcp9808", []float64{1e-9, 0, 0}, func(random *rand.Rand) func(w, r []byte) {
			return func(w, r []byte) {
				switch {
				case len(r) == 0:
				case w[0] == 6:
					copy(r, b(0x00, 0x54))
				case w[0] == 7:
					copy(r, b(0x04, 0x00))
				case w[0] == 5:
					copy(r, b(byte(random.IntN(256)), byte(random.IntN(256))))
				}
			}
		}, func(bus *answering, addr uint16) (sensing, error) {
			return periphMcp9808.New(bus, &periphMcp9808.Opts{Addr: int(addr), Res: periphMcp9808.Maximum})
		}},
		{"tmp102", []float64{1e-9, 0, 0}, func(random *rand.Rand) func(w, r []byte) {
			return func(w, r []byte) {
				switch {
				case len(r) == 0:
				case w[0] == 1:
					copy(r, b(0x60, 0xe0))
				default:
					n := random.IntN(1<<12) << 4
					copy(r, b(byte(n>>8), byte(n)))
				}
			}
		}, func(bus *answering, addr uint16) (sensing, error) { return periphTmp102.NewI2C(bus, addr, nil) }},
		{"ds18b20", []float64{1e-6, 0, 0}, func(random *rand.Rand) func(w, r []byte) {
			return func(_, r []byte) {
				copy(r, ds18b20Memory(uint16(random.IntN(1300)), 0x7f)) // periph.io refuses every 85 °C, so stay below
			}
		}, func(bus *answering, _ uint16) (sensing, error) {
			return periphDs18b20.New(wireAnswering{bus}, testROM, 12)
		}},
	} {
		bubble(t, test.driver, func(t *testing.T) {
			d, err := Find(test.driver)
			if err != nil {
				t.Fatal(err)
			}
			// Two devices with the same chance give the same readings.
			ours := &answering{answer: test.answer(rand.New(rand.NewPCG(1, 2)))}
			theirs := &answering{answer: test.answer(rand.New(rand.NewPCG(1, 2)))}
			var s sensors.Sensor
			var usual uint16
			if d.Bus == OneWire {
				s, err = d.OpenOneWire(t.Context(), wireAnswering{ours}, testROM, Options{})
			} else {
				usual = d.Addresses[0]
				s, err = d.OpenI2C(t.Context(), ours, usual, Options{})
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := test.sensing(theirs, usual)
			if err != nil {
				t.Fatal(err)
			}
			// Opening may have drawn from the chance, differently: both begin anew.
			ours.answer, theirs.answer = test.answer(rand.New(rand.NewPCG(3, 4))), test.answer(rand.New(rand.NewPCG(3, 4)))
			quantities := s.Quantities()
			for range 500 {
				got, err := read(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				var env physic.Env
				if err := p.Sense(&env); err != nil {
					t.Fatal(err)
				}
				want := map[string]float64{
					"temp":     env.Temperature.Celsius(),
					"humidity": float64(env.Humidity) / float64(physic.PercentRH),
					"pressure": float64(env.Pressure) / float64(physic.Pascal),
				}
				for i, q := range quantities {
					within := test.within[slices.Index([]string{"temp", "humidity", "pressure"}, q.Name)]
					if !same(got[i:i+1], []float64{want[q.Name]}, within) {
						t.Errorf("%s %v, periph.io has %v", q.Name, got[i], want[q.Name])
					}
				}
			}
		})
	}
}
