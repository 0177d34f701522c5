package lines

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// TestSketch: what a sketch prints becomes events of a sender that comes with the first line and goes with the port.
func TestSketch(t *testing.T) {
	o := options(formats.Pairs)
	o.Units = map[string]string{"temp": "Cel"}
	newBench(t, o, func(b *bench) {
		b.expect()
		if s := b.speaker.Spoken(time.Now()); s.State != serial.PortWaiting {
			t.Error(s.State)
		}
		b.print("temp:21.5,hum:40%", "Booting...", "temp:21.6 hum:41")
		b.expect("kitchen #connect hum %, temp Cel", "kitchen.temp = 21.5", "kitchen.hum = 40", "kitchen.temp = 21.6", "kitchen.hum = 41")
		s := b.speaker.Spoken(time.Now())
		if s.State != serial.PortConnected || s.Lines != 3 || s.Readings != 4 || s.Refused["format"] != 1 || s.Latest != `"temp:21.6 hum:41"` ||
			!strings.Contains(s.LatestRefusal.Error, "between the pairs") || len(s.Problems) != 0 || len(s.Senders) != 1 {
			t.Errorf("%+v", s)
		}
		b.unplug()
		b.expect("kitchen #disconnect hum %, temp Cel unplugged")
		b.plug()
		b.expect()
		b.print("temp:22")
		b.expect("kitchen #connect hum %, temp Cel", "kitchen.temp = 22")
		b.stop(carrier.ErrShutdown)
		if err := <-b.ended; err == nil {
			t.Error("no error")
		}
		b.expect("kitchen #disconnect hum %, temp Cel shutdown")
		_ = b.device.Close()
		b.device = nil
	})
}

// TestHalfLine: what arrives at once when the port is open may be half a line, and is not believed.
func TestHalfLine(t *testing.T) {
	newBench(t, options(formats.Number), func(b *bench) {
		b.unplug()
		synctest.Wait()
		b.speakAtOnce("23\r\n456\r\n")
		b.expect("kitchen #connect value", "kitchen.value = 456")
		if s := b.speaker.Spoken(time.Now()); s.Half != 1 || s.Lines != 1 || s.Refused != nil {
			t.Errorf("%+v", s)
		}
	})
	newBench(t, options(formats.JSON), func(b *bench) {
		b.unplug()
		b.speakAtOnce(`p":21.5}` + "\n" + `{"temp":21.6}` + "\n")
		b.expect("kitchen #connect temp", "kitchen.temp = 21.6")
	})
}

// TestNewNames: a name that comes later must come twice, and then nothing of it is lost.
func TestNewNames(t *testing.T) {
	newBench(t, options(formats.Pairs), func(b *bench) {
		b.print("temp:21", "te:22,hum:40", "temp:23")
		b.expect("kitchen #connect temp", "kitchen.temp = 21", "kitchen.temp = 23")
		b.print("hum:41")
		b.expect("kitchen #disconnect temp changed", "kitchen #connect hum, temp", "kitchen.hum = 40", "kitchen.hum = 41")
		for i := range 2 * maxHeld {
			b.print(fmt.Sprintf("n%c%c:1", 'a'+i%26, 'a'+i/26))
		}
		b.expect()
		if s := b.speaker.Spoken(time.Now()); s.Refused["name"] != maxHeld+1 {
			t.Errorf("%v", s.Refused)
		}
		if len(b.speaker.station.places[""].held) != maxHeld {
			t.Error("more is held")
		}
	})
}

// TestListedEvents: if the configuration says which events there are, others are passed over.
func TestListedEvents(t *testing.T) {
	o := options(formats.JSON)
	o.Events = []string{"temp"}
	newBench(t, o, func(b *bench) {
		b.print(`{"temp":1,"hum":2}`, `{"hum":2}`, `{"temp":3}`)
		b.expect("kitchen #connect temp", "kitchen.temp = 1", "kitchen.temp = 3")
	})
}

// TestRefused: a value that cannot be true is counted, told as a gap, and harms no other.
func TestRefused(t *testing.T) {
	o := options(formats.Pairs)
	o.Min, o.Max = map[string]float64{"temp": -40, "hum": 0}, map[string]float64{"temp": 85}
	newBench(t, o, func(b *bench) {
		b.print("temp:21,hum:40,door:open", "temp:850,hum:41", "temp:-41 hum:-1", "temp:22")
		b.expect("kitchen #connect door, hum, temp", "kitchen.temp = 21", "kitchen.hum = 40", "kitchen.door = \"open\"",
			"kitchen #gap 1 temp range", "kitchen.hum = 41", "kitchen #gap 1 hum range", "kitchen #gap 1 temp range", "kitchen.temp = 22")
		b.print("temp:nan,hum:42")
		b.expect("kitchen #gap 1 temp failed", "kitchen.hum = 42")
		b.print("temp:2l.5", "temp:23")
		b.expect("kitchen #gap 1 temp kind", "kitchen.temp = 23")
		// What was a word at first, by chance, becomes a number when numbers keep coming.
		b.print("door:1", "door:2", "door:3")
		b.expect("kitchen #gap 1 door kind", "kitchen #gap 1 door kind", "kitchen.door = 3")
		want := map[string]uint64{"range": 3, "failed": 1, "kind": 3}
		if s := b.speaker.Spoken(time.Now()); !maps.Equal(s.Refused, want) {
			t.Errorf("%v, want %v", s.Refused, want)
		}
		if n := b.log.count("a line, or a value in it, is refused"); n != 3 { // the first of each cause
			t.Errorf("logged %d times\n%s", n, b.log.text.String())
		}
		if b.log.count("it is 850, but can only be -40 to 85") != 1 {
			t.Error(b.log.text.String())
		}
	})
}

// TestUnits: an instrument that changes its range, and so its unit, does not mix volts with millivolts.
func TestUnits(t *testing.T) {
	newBench(t, options(formats.Pairs), func(b *bench) {
		b.print("U:1.2V", "U:900mV", "U:1.1V", "U:1.3")
		b.expect("kitchen #connect U V", "kitchen.U = 1.2", "kitchen #gap 1 U unit", "kitchen.U = 1.1", "kitchen.U = 1.3")
	})
}

// TestLongLines: a line of 4 KiB is a line; what is longer is counted and skipped to the next one.
func TestLongLines(t *testing.T) {
	newBench(t, options(formats.JSON), func(b *bench) {
		long := `{"temp":1` + strings.Repeat(" ", 4096-10) + "}"
		b.print(long, " "+long, `{"temp":2}`)
		b.expect("kitchen #connect temp", "kitchen.temp = 1", "kitchen.temp = 2")
		if s := b.speaker.Spoken(time.Now()); s.Refused["size"] != 1 {
			t.Errorf("%v", s.Refused)
		}
	})
}

// TestSilence: a sender of which nothing was understood for the stated time has gone, and comes back with the next line.
func TestSilence(t *testing.T) {
	o := options(formats.Pairs)
	o.Silence = 10 * time.Second
	newBench(t, o, func(b *bench) {
		b.print("temp:1")
		time.Sleep(9 * time.Second)
		b.print("temp:2")
		time.Sleep(9 * time.Second)
		b.print("nothing of sense")
		time.Sleep(999 * time.Millisecond)
		b.expect("kitchen #connect temp", "kitchen.temp = 1", "kitchen.temp = 2")
		time.Sleep(2 * time.Millisecond)
		b.expect("kitchen #disconnect temp timeout")
		if s := b.speaker.Spoken(time.Now()); s.State != serial.PortSilent {
			t.Error(s.State)
		}
		b.print("temp:3")
		b.expect("kitchen #connect temp", "kitchen.temp = 3")
		if s := b.speaker.Spoken(time.Now()); s.State != serial.PortConnected {
			t.Error(s.State)
		}
	})
}

// TestTime: an event has the time at which its line's first byte came.
func TestTime(t *testing.T) {
	newBench(t, options(formats.Number), func(b *bench) {
		var times []time.Time
		if _, err := b.router.AddListener("kitchen", "value", func(ev hub.Event) { times = append(times, ev.Time) }); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for _, part := range []string{"5", "1", "2\n"} {
			if _, err := b.device.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if len(times) != 1 || !times[0].Equal(begun) {
			t.Errorf("%v, want %v", times, begun)
		}
	})
}

// TestNameTaken: while the name is somebody else's, that stands among the problems; afterwards the sender connects.
func TestNameTaken(t *testing.T) {
	newBench(t, options(formats.Number), func(b *bench) {
		other, err := b.router.AddSender("kitchen", hub.SenderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b.print("1", "2")
		b.expect("kitchen #connect")
		s := b.speaker.Spoken(time.Now())
		if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].What, "kitchen cannot be added") || s.Refused["exists"] != 1 {
			t.Errorf("%+v", s)
		}
		other.Remove()
		time.Sleep(retryName)
		b.print("3")
		b.expect("kitchen #disconnect removed", "kitchen #connect value", "kitchen.value = 3")
		if s := b.speaker.Spoken(time.Now()); len(s.Problems) != 0 || s.State != serial.PortConnected {
			t.Errorf("%+v", s)
		}
	})
}

// TestMisfit: if no line is understood, that is a problem, and the remedy is what the lines look like.
func TestMisfit(t *testing.T) {
	newBench(t, options(formats.JSON), func(b *bench) {
		b.print("temp:1,hum:2", "temp:2,hum:3")
		s := b.speaker.Spoken(time.Now())
		if len(s.Problems) != 1 || s.Problems[0].What != `no line was understood as json: "temp:2,hum:3"` || s.Problems[0].Remedy != "it looks like pairs: write format: pairs" {
			t.Errorf("%+v", s.Problems)
		}
		b.print(`{"a":1}`)
		if s := b.speaker.Spoken(time.Now()); len(s.Problems) != 0 {
			t.Errorf("%+v", s.Problems)
		}
	})
}

// TestEndless: a device that never ends a line is told from a silent one.
func TestEndless(t *testing.T) {
	newBench(t, options(formats.Number), func(b *bench) {
		for range 50 {
			if _, err := b.device.Write([]byte("21.5 ")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		s := b.speaker.Spoken(time.Now())
		if len(s.Problems) != 1 || s.Problems[0].What != "250 bytes have arrived, and no line has ended" {
			t.Errorf("%+v", s.Problems)
		}
		b.print("", "21.5")
		if s := b.speaker.Spoken(time.Now()); len(s.Problems) != 0 {
			t.Errorf("%+v", s.Problems)
		}
	})
}

// TestMeter: a damaged telegram is told as a gap of its sender; the time of the gas meter is its own.
func TestMeter(t *testing.T) {
	o := options(formats.DSMR)
	o.Unchecked = true
	newBench(t, o, func(b *bench) {
		b.print("/A5B", "", "1-0:1.7.0(01.193*kW)", "1-0:1.8.1(000001.000*kWh)", "!")
		b.expect("kitchen #connect import_1 kWh, power kW", "kitchen.power = 1.193", "kitchen.import_1 = 1")
	})
	newBench(t, options(formats.NMEA), func(b *bench) {
		b.print("$HEHDT,274.1,T*2F", "$HEHDT,275.1,T*2F", "$HEHDT,274.1,T*2F")
		b.expect("kitchen #connect heading deg", "kitchen.heading = 274.1", "kitchen #gap 1  damaged", "kitchen.heading = 274.1")
	})
}

// TestPosition: a receiver's events are there together from the beginning.
func TestPosition(t *testing.T) {
	newBench(t, options(formats.NMEA), func(b *bench) {
		b.print("$GPGGA,123519.00,4807.0380,N,01131.0000,E,1,08,0.9,545.4,M,46.9,M,,*69")
		b.expect("kitchen #connect altitude m, course deg, fix, hdop, mode, position deg, satellites count, speed m/s, time",
			"kitchen.fix = 1", "kitchen.satellites = 8", `kitchen.position = {"lat":48.1173,"lon":11.51666667}`, "kitchen.altitude = 545.4", "kitchen.hdop = 0.9")
	})
}

// TestOverrun: lines for which there is no room wait for some, for a while. Then they are counted, and what is kept is bounded.
func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(make(chan struct{}))
		line := item{text: strings.Repeat("x", 1000)}
		begun := time.Now()
		for range 1000 {
			q.put(line)
		}
		if took := time.Since(begun); took != maxWait {
			t.Errorf("it waits %v in all", took)
		}
		items, lost, _ := q.take(nil)
		if len(items)*(1000+itemCost) > maxQueued || uint64(len(items))+lost != 1000 || lost == 0 {
			t.Errorf("%d kept, %d lost", len(items), lost)
		}
		room := len(items)
		for range room {
			q.put(line)
		}
		go func() {
			time.Sleep(maxWait / 2)
			q.take(nil)
		}()
		q.put(line)
		if items, lost, _ := q.take(nil); len(items) != 1 || lost != 0 {
			t.Errorf("%d kept, %d lost: a line that has waited should be kept", len(items), lost)
		}
		for range room {
			q.put(line)
		}
		go func() { close(q.ended) }()
		q.put(line) // it does not wait for ever
	})
}

// TestSlowListener: what listeners do not take is told, when they take something again.
func TestSlowListener(t *testing.T) {
	newBench(t, options(formats.Number), func(b *bench) {
		let := make(chan struct{})
		heard := 0
		if _, err := b.router.AddListener("kitchen", "value", func(hub.Event) { heard++; <-let }); err != nil {
			t.Fatal(err)
		}
		const n = 4000
		for i := range n {
			if _, err := fmt.Fprintf(b.device, "%d\n", i); err != nil {
				t.Fatal(err)
			}
		}
		close(let)
		b.print("1")
		synctest.Wait()
		s := b.speaker.Spoken(time.Now())
		if s.Refused["slow"] == 0 || uint64(heard)+s.Refused["slow"] != n+1 {
			t.Errorf("%d heard, %v", heard, s.Refused)
		}
		b.print("2")
		b.mu.Lock()
		defer b.mu.Unlock()
		if want := fmt.Sprintf("kitchen #gap %d  slow", s.Refused["slow"]); !strings.Contains(strings.Join(b.heard, "\n"), want) {
			t.Errorf("no %q", want)
		}
	})
}

// TestReason: a port that is served in another way is unplugged for its listeners.
func TestReason(t *testing.T) {
	for _, test := range []struct {
		cause error
		want  string
	}{{fmt.Errorf("%w: gone", carrier.ErrUnplugged), "unplugged"}, {errors.New("stop"), "shutdown"}, {nil, "unplugged"}} {
		ctx, stop := context.WithCancelCause(t.Context())
		if test.cause != nil {
			stop(test.cause)
		}
		if got := reason(ctx); got != test.want {
			t.Errorf("%v: %s, want %s", test.cause, got, test.want)
		}
		stop(nil)
	}
}
