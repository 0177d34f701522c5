package drivers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewiretest"
)

// TestCatalogue: what the catalogue says is complete, in order, and true.
func TestCatalogue(t *testing.T) {
	all := Catalogue()
	if !slices.IsSortedFunc(all, func(a, b Driver) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the catalogue is not in order")
	}
	for _, d := range all {
		if d.Summary == "" || len(d.Quantities) == 0 || (d.Bus == I2C) != (len(d.Addresses) > 0) || (d.Bus == OneWire) != (d.Family > 0) {
			t.Errorf("%s is incomplete: %+v", d.Name, d)
		}
		for _, q := range d.Quantities {
			if q.Name == "" || q.Unit == "" || !(q.Max > q.Min) || !(q.Resolution > 0) || q.Resolution > 4 {
				t.Errorf("%s measures %+v", d.Name, q)
			}
		}
		for _, addr := range d.Addresses {
			if err := d.Check(uint64(addr), Options{}); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := Find("bh1749"); err == nil || !strings.Contains(err.Error(), "bh1750") {
		t.Errorf("a driver that is not there: %v", err)
	}
}

// TestCheck: mistakes in a configuration are told without any device.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		driver string
		addr   uint64
		o      Options
		says   string // empty: it is right
	}{
		{"bh1750", 0x24, Options{}, "address must be one of 0x23, 0x5c, not 0x"},
		{"bh1750", 0x10023, Options{}, "address must be one of 0x23, 0x5c, not 0x"},
		{"bh1750", 0x5c, Options{Mode: "highest"}, "mode must be one of high, high2, low, not highest"},
		{"bh1750", 0x23, Options{Gain: 4}, "gain must be "},
		{"bh1750", 0x23, Options{Gain: -1}, "gain must be 0.45 to 3.68, not -1"},
		{"bh1750", 0x23, Options{Gain: math.NaN()}, "gain must be 0.45 to 3.68, not NaN"},
		{"bh1750", 0x23, Options{Bits: 12}, `no option "bits", only mode, gain`},
		{"tmp102", 0x48, Options{Mode: "high"}, `no option "mode", and no others`},
		{"sht4x", 0x44, Options{Mode: "lowest"}, "mode must be one of high, medium, low, not lowest"},
		{"bme280", 0x76, Options{Oversampling: 3}, "oversampling must be one of 1, 2, 4, 8, 16, not 3"},
		{"tsl2591", 0x29, Options{Gain: 2}, "gain must be one of 25, 1, 428, 9876, not 2"},
		{"tsl2591", 0x29, Options{Integration: 150 * time.Millisecond}, "in steps of 100ms, not 150ms"},
		{"tsl2591", 0x29, Options{Integration: -100 * time.Millisecond}, "in steps of 100ms, not -100ms"},
		{"tsl2591", 0x29, Options{Integration: 700 * time.Millisecond}, "in steps of 100ms, not 700ms"},
		{"veml7700", 0x10, Options{Gain: 4}, "gain must be "},
		{"veml7700", 0x10, Options{Integration: time.Second}, "800ms, not 1s"},
		{"veml7700", 0x10, Options{Integration: 50 * time.Millisecond}, ""},
		{"ads1115", 0x48, Options{Channel: "4"}, "2-3, not 4"},
		{"ads1115", 0x48, Options{Range: 5}, "0.256, not 5"},
		{"ads1115", 0x48, Options{Rate: 100}, "860, not 100"},
		{"ads1115", 0x48, Options{Law: &Law{}}, "kind"},
		{"ads1115", 0x48, Options{Law: &Law{Kind: Photoresistor, Beta: 1}}, "are for a thermistor"},
		{"ads1115", 0x48, Options{Law: &Law{Kind: Thermistor, R10: 1}}, "are for a photoresistor"},
		{"ads1115", 0x48, Options{Law: &Law{Kind: Thermistor, R25: 1, SteinhartHart: [3]float64{1, 1, 1}}}, "remove one or the other"},
		{"ads1115", 0x48, Options{Law: &Law{Kind: Thermistor, Supply: -5}}, "supply must be more than 0, not -5"},
		{"ads1115", 0x48, Options{Law: &Law{Kind: Thermistor, Beta: math.Inf(1)}}, "beta must be more than 0, not +Inf"},
		{"ds18b20", testROM, Options{Bits: 13}, "bits must be one of 12, 11, 10, 9, not 13"},
		{"ds18b20", testROM, Options{}, ""},
		{"ds18b20", testROM + 1, Options{}, "must end in 28, not 29"},
		{"ds18b20", testROM + 1<<56, Options{}, "it should begin with 74"},
	} {
		d, err := Find(test.driver)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Check(test.addr, test.o)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s at %#x with %+v: %v, want %q in it", test.driver, test.addr, test.o, err, test.says)
		}
		bus := new(tester)
		if test.says != "" {
			if d.Bus == OneWire {
				_, err = d.OpenOneWire(t.Context(), wireTester{bus}, onewire.Address(test.addr), test.o)
			} else if test.addr < 0x10000 {
				_, err = d.OpenI2C(t.Context(), bus, uint16(test.addr), test.o)
			}
			if err == nil || bus.calls > 0 {
				t.Errorf("%s at %#x with %+v was opened: %v", test.driver, test.addr, test.o, err)
			}
		}
	}
	if err := (Driver{Name: "mine", Bus: I2C}).Check(0, Options{}); err == nil {
		t.Error("a driver of one's own is taken for one of the catalogue")
	}
	for _, d := range Catalogue() {
		var err error
		if d.Bus == I2C {
			_, err = d.OpenOneWire(t.Context(), wireTester{new(tester)}, testROM, Options{})
		} else {
			_, err = d.OpenI2C(t.Context(), new(tester), 0x48, Options{})
		}
		if err == nil || !strings.Contains(err.Error(), d.Bus) {
			t.Errorf("%s on another bus: %v", d.Name, err)
		}
	}
}

// A crowd is an I2C bus with several devices, each of which answers the reads of a script by what was written.
type crowd struct {
	tester
	at map[uint16]map[string][]byte
}

func (c *crowd) Tx(addr uint16, w, r []byte) error {
	answers, ok := c.at[addr]
	if !ok {
		return errUnplugged
	}
	if len(w) > 0 {
		answers["last"] = slices.Clone(w)
	}
	if len(r) == 0 {
		return nil
	}
	key := fmt.Sprintf("% x", w)
	if len(w) == 0 {
		key = fmt.Sprintf("% x", answers["last"])
	}
	if answer, ok := answers[key]; !ok || len(answer) != len(r) {
		clear(r)
		if _, shy := answers["shy"]; shy || len(r) > 1 {
			return errUnplugged
		}
	} else {
		copy(r, answer)
	}
	return nil
}

// member makes a device of a script's setup.
func member(s script) map[string][]byte {
	answers := make(map[string][]byte)
	if strings.HasPrefix(s.driver, "sht") || s.driver == "hdc302x" {
		answers["shy"] = nil // it answers when it was asked something, and else not at all
	}
	var last []byte
	for _, x := range s.setup {
		if len(x.w) > 0 {
			last = x.w
		}
		if len(x.r) > 0 {
			answers[fmt.Sprintf("% x", last)] = x.r
		}
	}
	return answers
}

// TestScanI2C: a scan finds what is there, names what can say who it is, and leaves all other addresses alone.
func TestScanI2C(t *testing.T) {
	bubble(t, "crowd", func(t *testing.T) {
		bus := &crowd{at: map[uint16]map[string][]byte{
			0x18: member(find(t, "mcp9808", "0")), 0x23: member(find(t, "bh1750", "low")), 0x29: member(find(t, "tsl2591", "automatic")),
			0x44: member(find(t, "sht4x", "lowest")), 0x45: member(find(t, "hdc302x", "negative")), 0x46: {},
			0x48: member(find(t, "tmp102", "0")), 0x76: member(find(t, "bmp280", "section 3.12")), 0x50: {},
		}}
		found, err := ScanI2C(t.Context(), bus)
		if err != nil {
			t.Fatal(err)
		}
		want := []Found{
			{0x18, []string{"mcp9808"}, true}, {0x23, []string{"bh1750"}, false}, {0x29, []string{"tsl2591"}, true},
			{0x44, []string{"sht4x"}, true}, {0x45, []string{"hdc302x"}, true}, {0x46, []string{"hdc302x", "sht4x"}, false},
			{0x48, []string{"ads1115", "tmp102"}, false}, {0x76, []string{"bmp280"}, true},
		}
		if fmt.Sprint(found) != fmt.Sprint(want) {
			t.Errorf("found %v, want %v", found, want)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errUnplugged)
		if _, err := ScanI2C(ctx, bus); !errors.Is(err, errUnplugged) {
			t.Errorf("a scan that is to end: %v", err)
		}
	})
}

func TestScanOneWire(t *testing.T) {
	const switchROM = 0xe700000131825229 // a DS2408: no driver is for it
	bus := &onewiretest.Playback{DontPanic: true, Devices: []onewire.Address{testROM, switchROM}}
	rom := func(addr uint64) onewire.Address { // with its checksum
		var raw [7]byte
		for i := range raw {
			raw[i] = byte(addr >> (8 * i))
		}
		return onewire.Address(uint64(dallas(raw[:]))<<56 | addr&(1<<56-1))
	}
	bus.Devices[1] = rom(switchROM)
	search := onewiretest.IO{W: b(0xf0), Pull: onewire.WeakPullup}
	bus.Ops = []onewiretest.IO{search, search}
	found, err := ScanOneWire(bus)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b Found) int { return len(b.Drivers) - len(a.Drivers) })
	if len(found) != 2 || found[0].Addr != testROM || fmt.Sprint(found[0].Drivers) != "[ds18b20]" || len(found[1].Drivers) != 0 {
		t.Errorf("found %+v", found)
	}
	if _, err := ScanOneWire(wireTester{new(tester)}); !errors.Is(err, errUnplugged) {
		t.Errorf("a bus that fails: %v", err)
	}
}
