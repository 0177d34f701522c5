package drivers

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/physic"

	"sighub/sensors"
)

// A looping is a bus that answers a script's reading again and again, without allocating.
type looping struct {
	setup, reading []i2ctest.IO
	next           int
}

func (l *looping) String() string                  { return "looping" }
func (l *looping) SetSpeed(physic.Frequency) error { return nil }

func (l *looping) Tx(_ uint16, _, r []byte) error {
	if l.next < len(l.setup) {
		copy(r, l.setup[l.next].R)
	} else {
		copy(r, l.reading[(l.next-len(l.setup))%len(l.reading)].R)
	}
	l.next++
	return nil
}

type wireLooping struct{ *looping }

func (l wireLooping) Tx(w, r []byte, _ onewire.Pullup) error { return l.looping.Tx(0, w, r) }

func (l wireLooping) Search(bool) ([]onewire.Address, error) { return nil, nil }

// TestNoAllocation: a reading does not allocate.
func TestNoAllocation(t *testing.T) {
	for _, s := range scripts() {
		bubble(t, s.String(), func(t *testing.T) {
			bus := new(looping)
			for _, x := range s.setup {
				bus.setup = append(bus.setup, i2ctest.IO{R: x.r})
			}
			for _, x := range s.reading {
				bus.reading = append(bus.reading, i2ctest.IO{R: x.r})
			}
			d, err := Find(s.driver)
			if err != nil {
				t.Fatal(err)
			}
			var sensor sensors.Sensor
			if d.Bus == OneWire {
				sensor, err = d.OpenOneWire(t.Context(), wireLooping{bus}, onewire.Address(s.addr), s.options)
			} else {
				sensor, err = d.OpenI2C(t.Context(), bus, uint16(s.addr), s.options)
			}
			if err != nil {
				t.Fatal(err)
			}
			values := make([]float64, len(s.want))
			allocated := testing.AllocsPerRun(20, func() {
				if err := sensor.Read(t.Context(), values); err != nil {
					t.Error(err)
				}
			})
			if allocated != 0 {
				t.Errorf("a reading allocates %v times", allocated)
			}
			if err := sensor.Read(t.Context(), values[:len(values)-1]); err == nil {
				t.Error("a reading without room for its values has succeeded")
			}
		})
	}
}

// A noise is a bus on which a device answers what it likes.
type noise struct {
	answers []byte
	calls   int
}

func (n *noise) String() string                  { return "noise" }
func (n *noise) SetSpeed(physic.Frequency) error { return nil }

func (n *noise) Tx(_ uint16, _, r []byte) error {
	n.calls++
	clear(r)
	n.answers = n.answers[copy(r, n.answers):]
	return nil
}

type wireNoise struct{ *noise }

func (n wireNoise) Tx(w, r []byte, _ onewire.Pullup) error { return n.noise.Tx(0, w, r) }

func (n wireNoise) Search(bool) ([]onewire.Address, error) { return nil, nil }

// FuzzAnswers: whatever a device answers, a driver comes to an end, in bounded time, with an error or with values.
func FuzzAnswers(f *testing.F) {
	all := Catalogue()
	for _, s := range scripts() {
		var answers []byte
		for _, x := range append(s.setup, s.reading...) {
			answers = append(answers, x.r...)
		}
		for i, d := range all {
			if d.Name == s.driver {
				f.Add(byte(i), answers)
			}
		}
	}
	f.Fuzz(func(t *testing.T, driver byte, answers []byte) {
		d := all[int(driver)%len(all)]
		synctest.Test(t, func(t *testing.T) {
			bus := &noise{answers: answers}
			start := time.Now()
			var sensor sensors.Sensor
			var err error
			if d.Bus == OneWire {
				sensor, err = d.OpenOneWire(t.Context(), wireNoise{bus}, testROM, Options{})
			} else {
				sensor, err = d.OpenI2C(t.Context(), bus, d.Addresses[0], Options{})
			}
			if err != nil {
				return
			}
			values, err := read(t.Context(), sensor)
			for _, v := range values {
				if err == nil && math.IsInf(v, 0) { // NaN means that there is none
					t.Errorf("%s reads %v", d.Name, values)
				}
			}
			if took := time.Since(start); took > 10*time.Second || bus.calls > 100 {
				t.Errorf("%s took %s and %d calls", d.Name, took, bus.calls)
			}
		})
	})
}
