package drivers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"periph.io/x/conn/v3/physic"

	"sighub/hub"
	"sighub/sensors"
)

// A plugged is a bus that is pulled out and put back.
type plugged struct {
	bus *crowd
	out atomic.Bool
}

func (p *plugged) String() string                  { return "I2C1" }
func (p *plugged) SetSpeed(physic.Frequency) error { return nil }

func (p *plugged) Tx(addr uint16, w, r []byte) error {
	if p.out.Load() {
		return errUnplugged
	}
	return p.bus.Tx(addr, w, r)
}

// TestPolled: from the wire to a listener: a sensor is pulled out, which listeners hear with its reason, and put back.
func TestPolled(t *testing.T) {
	bubble(t, "tmp102", func(t *testing.T) {
		device := member(find(t, "tmp102", "-25"))
		device["00"] = b(0xe7, 0x00)
		bus := &plugged{bus: &crowd{at: map[uint16]map[string][]byte{0x48: device}}}
		d, err := Find("tmp102")
		if err != nil {
			t.Fatal(err)
		}
		router := hub.NewRouter(hub.Options{})
		var heard []string
		if _, err := router.AddListener("", "", func(ev hub.Event) {
			text := ev.Sender + " " + ev.Name
			var c hub.Connection
			if ev.Name != "temp" {
				err = ev.Data.Decode(&c)
				text += fmt.Sprint(" ", c.Units, " ", c.Reason)
			} else {
				text += " " + ev.Data.String()
			}
			heard = append(heard, text)
		}); err != nil {
			t.Fatal(err)
		}
		p, err := sensors.NewPoller(sensors.OnRouter(router), []sensors.Source{{
			Sender: "cellar", Bus: "I2C1", Period: time.Second,
			Open: func(ctx context.Context) (sensors.Sensor, error) { return d.OpenI2C(ctx, bus, 0x48, Options{}) },
		}}, sensors.PollerOptions{Failures: 2})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(1500 * time.Millisecond)
		bus.out.Store(true)
		time.Sleep(5 * time.Second)
		bus.out.Store(false)
		time.Sleep(5 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			"cellar #connect map[temp:Cel] ", "cellar temp -25", "cellar temp -25",
			"cellar #disconnect map[temp:Cel] failed: drivers: tmp102 at 0x48 on I2C1: setting it up failed: " +
				"writing 01 60 c0: no acknowledgement",
			"cellar #connect map[temp:Cel] ", "cellar temp -25",
			"cellar #disconnect map[temp:Cel] shutdown",
		}
		if !slices.Equal(slices.Compact(heard), slices.Compact(want)) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}
