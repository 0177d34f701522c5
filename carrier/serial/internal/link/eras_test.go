package link

import (
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestKeptIsSaid: a device says that it has kept its readings only if the hub has heard of every reset before that kept
// nothing.
func TestKeptIsSaid(t *testing.T) {
	now := time.Unix(1e9, 0)
	sd := newSimDevice(func() time.Time { return now }, 4, wire.DefaultFrame)
	for i, c := range []struct{ welcome, kept, said bool }{
		{false, true, false}, // never heard of
		{true, true, true},
		{false, true, true},
		{false, false, false},
		{false, true, false},
		{true, true, true},
	} {
		sd.welcomed = c.welcome
		boot := sd.Hello.Boot + 1
		sd.Reset(now, c.kept, boot)
		if sd.kept != c.said || sd.Hello.Boot != boot {
			t.Errorf("%d: after a reset that keeps: %t, the device says %t", i, c.kept, sd.kept)
		}
	}
}

// TestErasOfClock: the readings from before a reset that they have survived are stamped with the clock as it was then,
// though it stood still during the reset; those after it with a new one.
func TestErasOfClock(t *testing.T) {
	start := time.Unix(1e9, 0)
	var ds Devices
	h := wire.Hello{UID: []byte{1}, Boot: 1, Ticks: 1<<32 - 2000, TicksPerSecond: 1000}
	d := ds.meet(start, h)
	sample := func(now time.Time, ticks uint32) { d.Clock.sample(ticks, now.Add(-2*time.Millisecond), now) }
	sample(start, h.Ticks)
	const stop = 10 * time.Second
	type point struct {
		ticks uint32
		at    time.Time
	}
	var points []point
	now, ticks := start, h.Ticks
	for era := range uint32(maxEras) {
		for range 3 {
			now, ticks = now.Add(time.Second), ticks+1000
			points = append(points, point{ticks - 500, now.Add(-500 * time.Millisecond)})
		}
		now = now.Add(stop)
		h.Boot, h.Kept, h.Ticks = era+2, true, ticks
		if ds.meet(now, h) != d {
			t.Fatal("the peer is another one")
		}
		sample(now, ticks)
	}
	points = append(points, point{ticks + 1, now.Add(time.Millisecond)})
	now = now.Add(time.Second)
	for _, want := range points {
		// Whether it was before the reset nobody can tell of what was taken since the newest sample.
		if got, u := d.takenAt(want.ticks, now); got.Sub(want.at).Abs() > 40*time.Millisecond || u > stop+40*time.Millisecond {
			t.Errorf("ticks %d are %v, sure to %v, want %v", want.ticks, got, u, want.at)
		}
	}
	if len(d.earlier) != maxEras {
		t.Errorf("%d eras", len(d.earlier))
	}
	// When the ticks have come half around, those of the clock now are no longer taken for those of before.
	late := now.Add(25 * 24 * time.Hour)
	sample(late, ticks+25*24*3600*1000)
	if got, _ := d.takenAt(ticks+25*24*3600*1000-1000, late); got.Sub(late.Add(-time.Second)).Abs() > 10*time.Millisecond {
		t.Errorf("after 25 days a reading of a second ago is stamped %v", late.Sub(got))
	}
	// Another dictionary means other numbers: what was kept cannot be read.
	h.Boot, h.Dictionary = 99, 5
	if ds.meet(late, h) == d {
		t.Error("the peer goes on with another dictionary")
	}
}
