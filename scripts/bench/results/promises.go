package results

import (
	"fmt"

	"sighub/scripts/bench/peers"
)

// A promise is a limit for a figure or, with versus, for its ratio to that peer's figure in the same round.
type promise struct {
	inCase, figure, peer, versus string
	atLeast                      bool // else at most
	bound                        float64
}

func promises() []promise {
	return []promise{
		{"one-to-one", "events/s", peers.Hub, peers.Mosquitto, true, 8},
		{"one-to-one", "events/s", peers.Hub, peers.NATS, true, 1.5},
		{"one-to-one", "events/s", peers.Hub, peers.Relay, true, 0.3},
		{"one-to-10", "events/s", peers.Hub, peers.Mosquitto, true, 8},
		{"one-to-10", "events/s", peers.Hub, peers.NATS, true, 2},
		{"one-to-one", "events/s", peers.HubJSON, peers.Hub, true, 0.6},
		{"one-to-one", "events/s", peers.HubJSON, peers.Mosquitto, true, 2},
		{"one-to-one", "events/s", peers.HubTLS, peers.Hub, true, 0.6},
		{"one-to-one", "events/s", peers.HubTLS, peers.NATSTLS, true, 1},
		{"one-to-one", "events/s", peers.HubMQTT, peers.Mosquitto, true, 3},
		{"one-to-10", "events/s", peers.HubMQTT, peers.Mosquitto, true, 5},
		{"one-to-one", "events/s", peers.JournalMQTT, peers.MosquittoDisk, true, 5},
		{"one-to-one", "events/s", peers.Journal, peers.Hub, true, 0.6},
		{"one-to-one", "events/s", peers.Journal, peers.MosquittoDisk, true, 5},
		{"one-to-one", "events/s", peers.Journal, peers.JetStream, true, 2},
		{"one-to-one", "events/s", peers.Journal, peers.JetStreamSync, true, 50},
		{"one-to-one", "events/s", peers.SlowDisk, "", true, 60_000},
		{"replay", "events/s", peers.Journal, "", true, 2e6},
		{"replay", "as fast as they came, times", peers.Journal, "", true, 5},
		{"ack-one", "acknowledged, in fdatasyncs", peers.Journal, "", false, 1.5},
		{"latency", "p50, µs", peers.Hub, peers.Relay, false, 1.15},
		{"latency", "p50, µs", peers.Hub, peers.Mosquitto, false, 1},
		{"latency", "p99, µs", peers.Hub, peers.NATS, false, 1},
		{"latency", "p99, µs", peers.Hub, peers.Relay, false, 1.5},
		{"latency", "p99.9, µs", peers.Hub, peers.NATS, false, 1},
		{"latency", "p99.9, µs", peers.Hub, peers.Relay, false, 1.5},
		{"request-1", "requests/s", peers.Hub, peers.NATS, true, 1.1},
		{"request-1", "requests/s", peers.Hub, peers.Mosquitto, true, 1},
		{"request-64", "requests/s", peers.Hub, peers.NATS, true, 1.2},
		{"devices", "readings/s", peers.Hub, "", true, 3800}, // of 4,000; all are heard, or the case fails: this is in time
		{"devices", "p99, µs", peers.Hub, "", false, 10_000},
		{"devices", "hub's CPU, % of a core", peers.Hub, "", false, 40},
		{"in-process", "ns/listener, of 1", peers.Hub, "", false, 60},
		{"in-process", "ns/listener, of 10", peers.Hub, "", false, 60},
		{"in-process", "allocations, 1 listeners", peers.Hub, "", false, 0},
		{"in-process", "allocations, 10 listeners", peers.Hub, "", false, 0},
		{"idle", "KB/connection", peers.Hub, "", false, 12},
		{"idle", "KB/connection", peers.HubTLS, "", false, 40},
		{"rest", "resident, MB", peers.Hub, "", false, 12},
		{"rest", "wake-ups/min", peers.Hub, "", false, 2}, // the runtime collects garbage each two minutes
		{"startup", "first connection, ms", peers.Hub, "", false, 50},
		{"startup", "resident, MB", peers.Hub, "", false, 15},
		{"slow-listener", "block: with ÷ without it", peers.Hub, "", true, 0.95},
		{"slow-listener", "latest: with ÷ without it", peers.Hub, "", true, 0.95},
		{"slow-listener", "disconnect: with ÷ without it", peers.Hub, "", true, 0.95},
	}
}

// A Verdict is a promise with what was measured.
type Verdict struct {
	Promise  string  `json:"promise"`
	Measured float64 `json:"measured"`
	Kept     bool    `json:"kept"`
}

// Said returns what was measured, as people read it.
func (v Verdict) Said() string { return Short(v.Measured) }

// Judge compares the promises with what was measured.
func Judge(r *Results) []Verdict {
	var list []Verdict
	for _, p := range promises() {
		row := r.Find(p.inCase, p.figure)
		if row == nil || row.Peers[p.peer] == nil {
			continue
		}
		v := Verdict{Promise: p.String(), Measured: row.Peers[p.peer].Median}
		if p.versus != "" {
			ratio, ok := row.Ratio(p.peer, p.versus)
			if !ok {
				continue
			}
			v.Measured = ratio
		}
		v.Kept = p.atLeast && v.Measured >= p.bound || !p.atLeast && v.Measured <= p.bound
		list = append(list, v)
	}
	return list
}

func (p promise) String() string {
	how, of := "at most", ""
	if p.atLeast {
		how = "at least"
	}
	if p.versus != "" {
		of = " × " + p.versus + "'s"
	}
	return fmt.Sprintf("%s: %s's %s is %s %s%s", p.inCase, p.peer, p.figure, how, Short(p.bound), of)
}

// PromisedCases returns the cases that something is promised of.
func PromisedCases() (names []string) {
	for _, p := range promises() {
		names = append(names, p.inCase)
	}
	return names
}
