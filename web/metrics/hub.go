package metrics

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"time"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/journal"
)

// A Hub is where the numbers come from. Fields that are nil are not told.
type Hub struct {
	Version string
	Started time.Time
	Senders func() (connected, known int)
	Clients func() int
	Budget  *carrier.Budget
	// Connections returns how many connections there are to all addresses.
	Connections func() int
	// Refused returns how many strangers, and what they said, were refused, by cause.
	Refused func() map[string]uint64
	Journal *journal.Journal
	Ports   func() []serial.PortInfo
	Bridges func() []bridge.Status
}

// Write answers with the numbers.
func (h *Hub) Write(out http.ResponseWriter, openMetrics bool) {
	kind := "text/plain; version=0.0.4; charset=utf-8"
	if openMetrics {
		kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	}
	out.Header().Set("Content-Type", kind)
	_, _ = out.Write(h.text(openMetrics)) // whoever does not read it does not want it
}

func (h *Hub) text(openMetrics bool) []byte {
	w := &writer{open: openMetrics}
	h.process(w)
	h.routing(w)
	h.kept(w)
	h.ports(w)
	h.bridges(w)
	return w.end()
}

func (h *Hub) process(w *writer) {
	w.family("build", info, "The version of the hub.")
	w.value(1, label{"version", h.Version}, label{"go", runtime.Version()})
	w.family("start_time_seconds", gauge, "When the hub was started, since 1970.")
	w.at(h.Started)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.family("memory_bytes", gauge, "Memory that the hub has from the system.")
	w.value(float64(m.Sys - m.HeapReleased))
	w.family("goroutines", gauge, "Goroutines of the hub.")
	w.value(float64(runtime.NumGoroutine()))
}

func (h *Hub) routing(w *writer) {
	if h.Senders != nil {
		connected, known := h.Senders()
		w.family("senders_connected", gauge, "Senders that are connected.")
		w.value(float64(connected))
		w.family("senders_known", gauge, "Senders that are connected, or that listeners wait for.")
		w.value(float64(known))
	}
	if h.Clients != nil {
		w.family("clients", gauge, "Clients that are connected, devices included.")
		w.value(float64(h.Clients()))
	}
	if h.Connections != nil {
		w.family("connections", gauge, "Connections to all addresses, those of strangers included.")
		w.value(float64(h.Connections()))
	}
	if h.Refused != nil {
		w.family("refused_strangers", counter, "Connections, and what was said on them, that were refused before there was a client, by cause.")
		byCause(w, h.Refused())
	}
	if h.Budget != nil {
		w.family("budget_used_bytes", gauge, "What the hub holds for clients.")
		w.value(float64(h.Budget.Used()))
		w.family("budget_size_bytes", gauge, "What the hub may hold for clients.")
		w.value(float64(h.Budget.Size()))
	}
}

// byCause writes what was counted by cause.
func byCause(w *writer, counts map[string]uint64, labels ...label) {
	for _, cause := range slices.Sorted(maps.Keys(counts)) {
		w.value(float64(counts[cause]), append(slices.Clip(labels), label{"cause", cause})...)
	}
}

func (h *Hub) kept(w *writer) {
	if h.Journal == nil {
		return
	}
	health := h.Journal.Health()
	w.family("journal_failing", gauge, "Whether the latest commit of the journal has failed.")
	failing := 0.0
	if health.Err != nil {
		failing = 1
	}
	w.value(failing)
	w.family("journal_events", counter, "Events that were given a place in the journal, since it was made.")
	w.value(float64(health.Next.Sequence))
	w.family("journal_lost_events", counter, "Events that could not be written.")
	w.value(float64(health.LostEvents))
	w.family("journal_bytes", gauge, "Size of the files of the journal.")
	w.value(float64(health.Bytes))
	w.family("journal_size_bytes", gauge, "Size that the files of the journal may have.")
	w.value(float64(health.Size))
	w.family("journal_oldest_timestamp_seconds", gauge, "Time of the oldest event that is kept.")
	w.at(health.Oldest)
	w.family("journal_newest_timestamp_seconds", gauge, "Time of the newest event that is kept.")
	w.at(health.Newest)
}

// A line is one number of a port.
type line struct {
	name, help string
	kind       kind
	value      func(p *serial.PortInfo) (v float64, ok bool)
}

// lines are the numbers of a port and of the device on it.
var lines = []line{
	{"port_up", "Whether a device is connected at the port.", gauge, func(p *serial.PortInfo) (float64, bool) {
		if p.State == serial.PortConnected {
			return 1, true
		}
		return 0, true
	}},
	{"port_state_timestamp_seconds", "When the port entered the state that it is in.", gauge, func(p *serial.PortInfo) (float64, bool) {
		return float64(p.Since.UnixMilli()) / 1000, !p.Since.IsZero()
	}},
	{"port_problems", "What is wrong now.", gauge, func(p *serial.PortInfo) (float64, bool) { return float64(len(p.Problems)), true }},
	{"port_frames", "Frames that arrived whole.", counter, func(p *serial.PortInfo) (float64, bool) { return float64(p.Frames), true }},
	{"port_bad_frames", "What arrived that was not a frame.", counter, func(p *serial.PortInfo) (float64, bool) { return float64(p.BadFrames), true }},
	{"port_echoes", "Frames of the hub's own that came back.", counter, func(p *serial.PortInfo) (float64, bool) { return float64(p.Echoes), true }},
	{"port_baud", "Bits per second.", gauge, func(p *serial.PortInfo) (float64, bool) { return float64(p.Baud), p.Baud > 0 }},
	{"port_readings", "Readings of the device that the hub has taken.", counter, ofDevice(func(d *serial.DeviceInfo) float64 { return float64(d.Readings) })},
	{"port_resent_frames", "Frames that the hub has sent again.", counter, ofDevice(func(d *serial.DeviceInfo) float64 { return float64(d.Resent) })},
	{"port_repeated_frames", "Frames of the device that came again.", counter, ofDevice(func(d *serial.DeviceInfo) float64 { return float64(d.Repeated) })},
	{"port_round_trip_seconds", "Time of a frame and its answer, smoothed.", gauge, func(p *serial.PortInfo) (float64, bool) {
		if p.Device == nil || p.Device.RoundTrip == nil {
			return 0, false
		}
		return *p.Device.RoundTrip / 1000, true
	}},
	{"port_clock_uncertainty_seconds", "Uncertainty of the time of a reading that is taken now.", gauge, func(p *serial.PortInfo) (float64, bool) {
		if p.Device == nil || p.Device.Clock == nil {
			return 0, false
		}
		return p.Device.Clock.Uncertainty / 1000, true
	}},
	{"port_clock_drift_ratio", "By how much the clock of the device is slow.", gauge, func(p *serial.PortInfo) (float64, bool) {
		if p.Device == nil || p.Device.Clock == nil {
			return 0, false
		}
		return p.Device.Clock.Drift / 1e6, true
	}},
}

func ofDevice(value func(*serial.DeviceInfo) float64) func(*serial.PortInfo) (float64, bool) {
	return func(p *serial.PortInfo) (float64, bool) {
		if p.Device == nil {
			return 0, false
		}
		return value(p.Device), true
	}
}

func (h *Hub) ports(w *writer) {
	if h.Ports == nil {
		return
	}
	ports := h.Ports()
	at := func(p *serial.PortInfo) []label { return []label{{"port", p.Port}} }
	w.family("port", info, "The state of a port, and the device there.")
	for i := range ports {
		p := &ports[i]
		labels := append(at(p), label{"state", string(p.State)})
		if d := p.Device; d != nil {
			labels = append(labels, label{"device", d.Name}, label{"uid", d.UID}, label{"firmware", d.Firmware})
		}
		w.value(1, labels...)
	}
	for _, l := range lines {
		w.family(l.name, l.kind, l.help)
		for i := range ports {
			if v, ok := l.value(&ports[i]); ok {
				w.value(v, at(&ports[i])...)
			}
		}
	}
	w.family("port_refused", counter, "What was refused of the device, by cause.")
	for i := range ports {
		if d := ports[i].Device; d != nil {
			byCause(w, d.Refused, at(&ports[i])...)
		}
	}
}
