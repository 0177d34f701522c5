package link

import (
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// simRoom is how many readings a simulated device keeps.
const simRoom = 1024

// A simDevice is a device's end with an owner that keeps what it is told, for a test to deal with.
type simDevice struct {
	*DeviceEnd
	dict    *wire.Dictionary
	clock   func() time.Time
	start   time.Time      // when ticks were 0
	calls   *carrier.Calls // nil: not connected
	events  []simEvent
	waiting int // readings
}

// A simEvent is something that a device's owner was told.
type simEvent struct {
	arrival  Arrival
	link     *Link // of arrival
	calls    *carrier.Calls
	readings []*PendingReading // ended with err
	err      error
}

// newSimDevice returns a device with one event.
func newSimDevice(clock func() time.Time, window, maxFrame int) *simDevice {
	sd := &simDevice{clock: clock, start: clock()}
	sd.dict = wire.NewDictionary([]wire.Sender{{Name: "s", Events: []wire.Event{{Name: "e"}}}})
	packed := sd.dict.Pack()
	sd.DeviceEnd = NewDeviceEnd(DeviceConfig{
		Hello: wire.Hello{UID: []byte{1}, Name: "sim", Boot: 7, Dictionary: wire.HashDictionary(packed), Window: window, MaxFrame: maxFrame,
			ReceiveWindow: window * maxFrame, TicksPerSecond: 1000},
		Dictionary: packed, Events: 1, Batch: wire.MaxFrame, Ask: 2 * time.Second, Timeout: 4 * time.Second, Baud: wire.DefaultBaud,
		Ticks: func(now time.Time) uint32 { return uint32(sd.clockAt(now)) },
	}, simOwner{sd})
	return sd
}

func (sd *simDevice) clockAt(now time.Time) int64 { return int64(now.Sub(sd.start).Seconds() * 1000) }

// take takes a reading now.
func (sd *simDevice) take(value int64, done func(error)) {
	sd.waiting++
	sd.Report(&PendingReading{Ticks: sd.clockAt(sd.clock()), Value: wire.AppendInt(nil, value), Done: done})
}

type simOwner struct{ *simDevice }

func (d simOwner) Connected() { d.simDevice.calls = carrier.NewCalls(d.Link.limits.window) }

func (d simOwner) Disconnected(cause error) {
	d.simDevice.calls.Fail(cause)
	d.simDevice.calls = nil
}

func (d simOwner) Arrived(a Arrival) {
	d.simDevice.events = append(d.simDevice.events, simEvent{arrival: a, link: d.Link, calls: d.calls})
}

func (d simOwner) Ended(readings []*PendingReading, err error) {
	d.simDevice.events = append(d.simDevice.events, simEvent{readings: readings, err: err})
}

// newTestHub returns the hub's end of a line, on a port that was just opened.
func newTestHub(events HubOwner, change func(*HubConfig)) *HubEnd {
	c := HubConfig{Name: "test", Baud: wire.DefaultBaud, MaxBaud: 1e6, MaxFrame: wire.DefaultFrame, Window: wire.MaxWindow, Ask: time.Second,
		Timeout: 3 * time.Second, Random: func() uint16 { return 0x1234 }, Wake: func() {}, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	h := NewHubEnd(c, new(Devices), events)
	h.Opened(false)
	return h
}
