package serial

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"time"

	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/carrier/serial/port/remote"
)

// A PortInfo describes a port of a [Server] at a moment. Times are in UTC.
type PortInfo struct {
	Port  string    `json:"port"` // its path, or a pattern that matches no port
	State PortState `json:"state"`
	Since time.Time `json:"since"` // when it entered this state

	Reason  string     `json:"reason,omitempty"`   // if absent or failed
	Remedy  string     `json:"remedy,omitempty"`   // what the user can do about it
	NextTry *time.Time `json:"next_try,omitempty"` // when it will be opened again

	USB  *discovery.USB `json:"usb,omitempty"`
	Baud int            `json:"baud,omitempty"` // bits per second, while it is open

	Device *DeviceInfo `json:"device,omitempty"` // that is connected, else the latest one

	Remote *remote.Info `json:"remote,omitempty"` // of a port elsewhere, while it is open

	Spoken *Spoken `json:"spoken,omitempty"` // of a port on which something else is spoken

	// Problems are what is wrong now, with what can be done about it.
	Problems []Problem `json:"problems,omitempty"`
	// Prints is the latest line of text that arrived outside frames, quoted; PrintsAt is when it did.
	Prints   string     `json:"prints,omitempty"`
	PrintsAt *time.Time `json:"prints_at,omitempty"`

	Frames    uint64     `json:"frames"`          // that arrived whole
	BadFrames uint64     `json:"bad_frames"`      // what arrived that was not a frame
	Echoes    uint64     `json:"echoes"`          // the hub's own frames, which the line has returned
	Error     string     `json:"error,omitempty"` // the latest error, even if it no longer applies
	ErrorAt   *time.Time `json:"error_at,omitempty"`

	speaker   Speaker
	describer remote.Describer
	text      string // a sample of what arrives instead of frames
}

// A DeviceInfo describes a device.
type DeviceInfo struct {
	UID      string `json:"uid"` // in hexadecimal; "name:" and the name if it has none
	Name     string `json:"name"`
	Firmware string `json:"firmware,omitempty"`

	Readings  uint64  `json:"readings"`            // that the hub has taken on this port
	PerSecond float64 `json:"readings_per_second"` // a recent average
	Resent    uint64  `json:"resent"`              // frames that the hub has sent again
	Repeated  uint64  `json:"repeated"`            // frames of the device that came again

	// Refused counts what the hub has refused of the device since it began to remember it, by cause: readings, frames,
	// messages and senders.
	Refused       map[string]uint64 `json:"refused,omitempty"`
	LatestRefusal *Refusal          `json:"latest_refusal,omitempty"`

	RoundTrip *float64   `json:"round_trip_ms,omitempty"` // of a frame and its answer, smoothed
	Clock     *ClockInfo `json:"clock,omitempty"`
}

// A ClockInfo describes a device's clock.
type ClockInfo struct {
	Zero        time.Time `json:"zero"`            // when it showed 0, or would have
	Uncertainty float64   `json:"uncertainty_ms"`  // of the time of a reading taken now
	Drift       float64   `json:"drift_ppm"`       // by how many parts per million it is slow
	DriftError  float64   `json:"drift_error_ppm"` // how far that may be off
}

// Ports returns, sorted by path: the ports that are there; those that the options give by path; those that a device has
// left, unless it is on another port now; and the patterns that match no port. It is safe for concurrent use.
func (s *Server) Ports() []PortInfo {
	now := time.Now()
	list := s.ports(now)
	for i := range list { // without the lock
		p := &list[i]
		if p.describer != nil {
			p.Remote = new(p.describer.Info())
		}
		if p.speaker != nil {
			p.report(p.speaker.Spoken(now))
		}
		if p.text != "" && s.options.Recognize != nil {
			p.recognize(s.options.Recognize)
		}
		if p.State == PortLeft {
			p.Baud = 0
		}
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i].Port, list[j].Port
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0 // ttyUSB9 before ttyUSB10
	})
	return list
}

func (s *Server) ports(now time.Time) []PortInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]PortInfo, 0, len(s.lines)+len(s.unmatched))
	for _, l := range s.lines {
		list = append(list, l.info(now))
	}
	list = append(list, s.aside...)
	for o, since := range s.unmatched {
		list = append(list, PortInfo{Port: o.Port, State: PortAbsent, Since: since.UTC(),
			Reason: "no such port is there", Remedy: "plug the device in: it is found by itself"})
	}
	return list
}

// info describes the port; the server's lock is held.
func (l *line) info(now time.Time) PortInfo {
	i := PortInfo{
		speaker: l.speaker, describer: l.remote,
		Port: l.path, State: l.port.state, Since: l.port.since.UTC(), USB: l.usb,
		Frames: l.end.Stats.Frames, BadFrames: l.end.Stats.BadFrames, Echoes: l.end.Stats.Echoes,
	}
	switch {
	case l.port.err != nil:
		i.Reason, i.Remedy = reason(l.port.err), port.Remedy(l.port.err)
		if l.port.state != PortLeft {
			i.NextTry = new(l.port.next.UTC())
		}
	case l.options.passive():
	case l.port.state != PortOpening && l.speaker != nil:
		i.Baud = l.baud()
	case l.port.state != PortOpening:
		i.Baud = l.end.CurrentBaud()
	}
	if since, silent := l.end.SilentSince(now); silent {
		i.State, i.Since = PortSilent, since.UTC()
	}
	if l.end.LastError.Err != nil {
		i.Error, i.ErrorAt = l.end.LastError.Err.Error(), new(l.end.LastError.At.UTC())
	}
	if l.port.state == PortLeft {
		i.Baud, i.text = l.baud(), string(l.heard.sample)
		return i
	}
	i.Problems = l.problems(now)
	if slices.ContainsFunc(i.Problems, func(p Problem) bool { return p.cause == causeText }) {
		i.text = string(l.heard.sample)
	}
	if text, at := l.end.Printed(); text != "" {
		i.Prints, i.PrintsAt = text, new(at.UTC())
	}
	if l.client != nil {
		i.Device = l.client.info(now)
		i.Device.Readings, i.Device.PerSecond = l.readings, l.average.rate(now)
	}
	return i
}

// recognize says of text that arrives instead of frames what it looks like.
func (i *PortInfo) recognize(recognize func(path string, baud int, text string) (looks, remedy string, ok bool)) {
	if i.State == PortLeft {
		if looks, remedy, ok := recognize(i.Port, i.Baud, i.text); ok {
			i.Reason, i.Remedy = i.Reason+"; looks like "+looks, remedy
		}
	}
	for n := range i.Problems {
		p := &i.Problems[n]
		if p.cause != causeText {
			continue
		}
		if looks, remedy, ok := recognize(i.Port, i.Baud, i.text); ok {
			p.What, p.Remedy = "prints text: "+strings.TrimPrefix(p.What, textInstead)+"; looks like "+looks, remedy
		}
	}
}

// reason returns an error's text without the path, which [PortInfo] has.
func reason(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return err.Error()
}

// info describes the device; the server's lock is held.
func (c *client) info(now time.Time) *DeviceInfo {
	d := c.device
	i := &DeviceInfo{
		UID: d.ID, Name: c.name(), Firmware: c.hello.Firmware, Resent: d.Link.Stats.Resent, Repeated: d.Link.Stats.Repeated,
		Refused: c.record.refused.Counts(), LatestRefusal: c.record.refused.latest,
	}
	if rtt := d.Link.RoundTrip(); rtt > 0 {
		i.RoundTrip = new(rtt.Seconds() * 1000)
	}
	if d.Clock.Known() {
		at := d.Clock.Now(now)
		zero, _ := d.Clock.Time(0, now)
		_, uncertainty := d.Clock.Time(at, now.Add(time.Hour))
		low, high := d.Clock.Drift()
		i.Clock = &ClockInfo{Zero: zero.UTC(), Uncertainty: uncertainty.Seconds() * 1000,
			Drift: (low + high) / 2 * 1e6, DriftError: (high - low) / 2 * 1e6}
	}
	return i
}
