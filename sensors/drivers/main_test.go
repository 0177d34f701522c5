package drivers

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewiretest"
	"periph.io/x/conn/v3/physic"

	"sighub/sensors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A wire is one transaction: what is written, and what is read after it.
type wire struct{ w, r []byte }

func b(bytes ...byte) []byte { return bytes }

// testROM is the DS18B20 of the tests; its checksum is the first byte.
const testROM = 0x740000070e41ac28

var errUnplugged = errors.New("no acknowledgement")

// A script is a device that answers as the data sheet says it does, in this order.
type script struct {
	driver  string
	name    string
	addr    uint64
	options Options
	setup   []wire
	reading []wire
	want    []float64
	within  float64 // how far off: 0 means to the last bit but rounding
	rest    []wire
}

// A tester is a bus of either kind, which can be unplugged.
type tester struct {
	i2c       i2ctest.Playback
	oneWire   onewiretest.Playback
	unplugged bool
	calls     int
}

func (t *tester) String() string                  { return "testbus" }
func (t *tester) SetSpeed(physic.Frequency) error { return nil }

func (t *tester) Tx(addr uint16, w, r []byte) error {
	t.calls++
	if t.unplugged {
		return errUnplugged
	}
	return t.i2c.Tx(addr, w, r)
}

// A wireTester is a tester as a 1-Wire bus.
type wireTester struct{ *tester }

func (t wireTester) Tx(w, r []byte, power onewire.Pullup) error {
	t.calls++
	if t.unplugged {
		return errUnplugged
	}
	return t.oneWire.Tx(w, r, power)
}

func (t wireTester) Search(bool) ([]onewire.Address, error) { return nil, errUnplugged }

var (
	_ i2c.Bus     = (*tester)(nil)
	_ onewire.Bus = wireTester{}
)

// play adds what the device answers from here on.
func (t *tester) play(addr uint64, wires ...wire) {
	t.i2c.DontPanic, t.oneWire.DontPanic = true, true
	for _, x := range wires {
		if addr > 0x7f {
			io := onewiretest.IO{W: append(b(matchROM, 0x28, 0xac, 0x41, 0x0e, 0x07, 0, 0, 0x74), x.w...), R: x.r}
			io.Pull = onewire.Pullup(x.w[0] == ds18b20Convert)
			t.oneWire.Ops = append(t.oneWire.Ops, io)
		} else {
			t.i2c.Ops = append(t.i2c.Ops, i2ctest.IO{Addr: uint16(addr), W: x.w, R: x.r})
		}
	}
}

// done fails if something was not asked for.
func (t *tester) done(tb testing.TB) {
	tb.Helper()
	if err := errors.Join(t.i2c.Close(), t.oneWire.Close()); err != nil {
		tb.Error(err)
	}
}

func (s *script) open(ctx context.Context, t *tester) (sensors.Sensor, error) {
	d, err := Find(s.driver)
	if err != nil {
		return nil, err
	}
	if d.Bus == OneWire {
		return d.OpenOneWire(ctx, wireTester{t}, onewire.Address(s.addr), s.options)
	}
	return d.OpenI2C(ctx, t, uint16(s.addr), s.options)
}

func (s *script) String() string { return s.driver + "/" + s.name }

// same compares readings: NaN is never the same.
func same(got, want []float64, within float64) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= within+1e-9*math.Abs(want[i])) {
			return false
		}
	}
	return true
}

// bubble runs f where time is virtual: no test waits for a conversion.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
