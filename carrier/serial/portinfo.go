package serial

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// A PortInfo is what a [Server] knows of a port at a moment. Times are in UTC.
type PortInfo struct {
	Port  string    `json:"port"` // its path, or a pattern that names no port
	State PortState `json:"state"`
	Since time.Time `json:"since"` // in this state

	Reason  string     `json:"reason,omitempty"`   // of absent and failed
	Remedy  string     `json:"remedy,omitempty"`   // what the user can do about it
	NextTry *time.Time `json:"next_try,omitempty"` // to open it

	USB  *discovery.USB `json:"usb,omitempty"`
	Baud int            `json:"baud,omitempty"` // bits per second, while it is open

	Device *DeviceInfo `json:"device,omitempty"` // the one connected, or else the latest

	Frames    uint64     `json:"frames"`          // that arrived whole
	BadFrames uint64     `json:"bad_frames"`      // and what arrived that was none
	Error     string     `json:"error,omitempty"` // the latest, whether it is over or not
	ErrorAt   *time.Time `json:"error_at,omitempty"`
}

// A DeviceInfo is what a [Server] knows of a device.
type DeviceInfo struct {
	UID      string `json:"uid"` // hexadecimal; or the name of a device that has none
	Name     string `json:"name"`
	Firmware string `json:"firmware,omitempty"`

	Readings  uint64  `json:"readings"`            // that arrived on this port
	PerSecond float64 `json:"readings_per_second"` // of late
	Resent    uint64  `json:"resent"`              // frames that the hub has sent again
	Repeated  uint64  `json:"repeated"`            // frames of the device that arrived once more

	RoundTrip *float64   `json:"round_trip_ms,omitempty"` // smoothed; of a frame and its answer
	Clock     *ClockInfo `json:"clock,omitempty"`
}

// A ClockInfo says where a device's clock is.
type ClockInfo struct {
	Zero        time.Time `json:"zero"`            // when it stood at 0, or would have
	Uncertainty float64   `json:"uncertainty_ms"`  // of a reading that is taken now
	Drift       float64   `json:"drift_ppm"`       // by how much it is slow, in parts per million
	DriftError  float64   `json:"drift_error_ppm"` // how far that may be off
}

// Ports lists the ports that are there, those that are named exactly, those where a device was that is nowhere now, and
// patterns that name none; by their paths. It may be called at any time by any goroutine.
func (s *Server) Ports() []PortInfo {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]PortInfo, 0, len(s.lines)+len(s.barren))
	for _, l := range s.lines {
		list = append(list, l.info(now))
	}
	for o, since := range s.barren {
		list = append(list, PortInfo{Port: o.Port, State: PortAbsent, Since: since.UTC(),
			Reason: "no such port is there", Remedy: "plug the device in: it is found by itself"})
	}
	slices.SortFunc(list, func(a, b PortInfo) int {
		return cmp.Or(cmp.Compare(len(a.Port), len(b.Port)), cmp.Compare(a.Port, b.Port)) // ttyUSB9 before ttyUSB10
	})
	return list
}

func (l *line) info(now time.Time) PortInfo {
	i := PortInfo{
		Port: l.path, State: l.port.state, Since: l.port.since.UTC(), USB: l.usb,
		Frames: l.end.Stats.Frames, BadFrames: l.end.Stats.BadFrames,
	}
	switch {
	case l.port.err != nil:
		i.Reason, i.Remedy = reason(l.port.err), port.Remedy(l.port.err)
		next := l.port.next.UTC()
		i.NextTry = &next
	case l.port.state != PortOpening:
		i.Baud = l.end.CurrentBaud()
	}
	if since, silent := l.end.SilentSince(now); silent {
		i.State, i.Since = PortSilent, since.UTC()
	}
	if l.end.LastError.Err != nil {
		at := l.end.LastError.At.UTC()
		i.Error, i.ErrorAt = l.end.LastError.Err.Error(), &at
	}
	if l.client != nil {
		i.Device = l.client.info(now)
		i.Device.Readings, i.Device.PerSecond = l.readings, l.average.rate(now)
	}
	return i
}

// reason returns an error's text without the path, which stands beside it.
func reason(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return err.Error()
}

// info returns what is known of the device; the server's lock is held.
func (c *client) info(now time.Time) *DeviceInfo {
	p := c.device
	i := &DeviceInfo{
		UID: p.ID, Name: c.name(), Firmware: c.hello.Firmware, Resent: p.Link.Stats.Resent, Repeated: p.Link.Stats.Repeated,
	}
	if rtt := p.Link.RoundTrip(); rtt > 0 {
		ms := rtt.Seconds() * 1000
		i.RoundTrip = &ms
	}
	if p.Clock.Known() {
		at := p.Clock.Now(now)
		zero, _ := p.Clock.Time(0, now)
		_, uncertainty := p.Clock.Time(at, now.Add(time.Hour))
		low, high := p.Clock.Drift()
		i.Clock = &ClockInfo{Zero: zero.UTC(), Uncertainty: uncertainty.Seconds() * 1000,
			Drift: (low + high) / 2 * 1e6, DriftError: (high - low) / 2 * 1e6}
	}
	return i
}
