package serial

import (
	"log/slog"
	"time"

	"sighub/carrier"
)

// simRoom is how many readings a simulated device keeps.
const simRoom = 1024

// A simDevice is a device's end with an owner that keeps what it is told, for a test to deal with.
type simDevice struct {
	*deviceLine
	dict    *dictionary
	clock   func() time.Time
	start   time.Time      // when ticks were 0
	calls   *carrier.Calls // nil: not connected
	events  []simEvent
	waiting int // readings
}

// A simEvent is something that a device's owner was told.
type simEvent struct {
	arrival  arrival
	link     *link // of arrival
	calls    *carrier.Calls
	readings []*pendingReading // ended with err
	err      error
}

// newSimDevice returns a device with one event.
func newSimDevice(clock func() time.Time, window, maxFrame int) *simDevice {
	d := &simDevice{clock: clock, start: clock()}
	d.dict = newDictionary([]Sender{{Name: "s", Events: []Event{{Name: "e"}}}})
	packed := d.dict.pack()
	d.deviceLine = newDeviceLine(deviceConfig{
		hello: hello{uid: []byte{1}, name: "sim", boot: 7, dictionary: hash(packed), window: window, maxFrame: maxFrame,
			receiveWindow: window * maxFrame, ticksPerSecond: 1000},
		dictionary: packed, events: 1, batch: limitFrame, ask: 2 * time.Second, timeout: 4 * time.Second, baud: usualBaud,
		ticks: func(now time.Time) uint32 { return uint32(d.clockAt(now)) },
	}, simOwner{d})
	return d
}

func (d *simDevice) clockAt(now time.Time) int64 { return int64(now.Sub(d.start).Seconds() * 1000) }

// take takes a reading now.
func (d *simDevice) take(value int64, done func(error)) {
	d.waiting++
	d.report(&pendingReading{ticks: d.clockAt(d.clock()), value: appendInt(nil, value), done: done})
}

type simOwner struct{ *simDevice }

func (d simOwner) connected() { d.simDevice.calls = carrier.NewCalls(d.link.limits.window) }

func (d simOwner) disconnected(cause error) {
	d.simDevice.calls.Fail(cause)
	d.simDevice.calls = nil
}

func (d simOwner) arrived(a arrival) {
	d.simDevice.events = append(d.simDevice.events, simEvent{arrival: a, link: d.link, calls: d.calls})
}

func (d simOwner) ended(readings []*pendingReading, err error) {
	d.simDevice.events = append(d.simDevice.events, simEvent{readings: readings, err: err})
}

// newTestHub returns the hub's end of a line, on a port that was just opened.
func newTestHub(events hubEvents, change func(*hubConfig)) *hubLine {
	c := hubConfig{name: "test", baud: usualBaud, maxBaud: 1e6, maxFrame: defaultFrame, window: maxWindow, ask: time.Second,
		timeout: 3 * time.Second, random: func() uint16 { return 0x1234 }, log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	h := newHubLine(c, new(peers), events)
	h.opened(false)
	return h
}
