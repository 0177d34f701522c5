package main

import "fmt"

// A promise is a limit for a figure or, with versus, for its ratio to that peer's figure in the same round.
type promise struct {
	inCase, figure, peer, versus string
	atLeast                      bool // else at most
	bound                        float64
}

func promises() []promise {
	return []promise{
		{"one-to-one", "events/s", peerHub, peerMosquitto, true, 8},
		{"one-to-one", "events/s", peerHub, peerNATS, true, 0.7},
		{"one-to-10", "events/s", peerHub, peerMosquitto, true, 8},
		{"one-to-10", "events/s", peerHub, peerNATS, true, 0.7},
		{"one-to-one", "events/s", peerHubJSON, peerMosquitto, true, 2},
		{"one-to-one", "events/s", peerHubTLS, peerHub, true, 0.6},
		{"one-to-one", "events/s", peerHubTLS, peerNATSTLS, true, 1},
		{"idle", "KB/connection", peerHubTLS, "", false, 40},
		{"one-to-one", "events/s", peerJournal, peerHub, true, 0.6},
		{"one-to-one", "events/s", peerJournal, peerJetStream, true, 2},
		{"one-to-one", "events/s", peerJournal, peerJetStreamSync, true, 50},
		{"one-to-one", "events/s", peerSlowDisk, "", true, 60_000},
		{"replay", "events/s", peerJournal, "", true, 2e6},
		{"replay", "as fast as they came, times", peerJournal, "", true, 5},
		{"ack-one", "acknowledged, in fdatasyncs", peerJournal, "", false, 1.5},
		{"latency", "p99, µs", peerHub, peerNATS, false, 1},
		{"request-64", "requests/s", peerHub, peerNATS, true, 0.7},
		{"devices", "readings/s", peerHub, "", true, 0.95 * deviceCount * 20}, // all are heard, or the case fails: this is in time
		{"devices", "p99, µs", peerHub, "", false, 10_000},
		{"devices", "hub's CPU, % of a core", peerHub, "", false, 40},
		{"in-process", "ns/listener, of 1", peerHub, "", false, 60},
		{"in-process", "ns/listener, of 10", peerHub, "", false, 60},
		{"in-process", "allocations, 1 listeners", peerHub, "", false, 0},
		{"in-process", "allocations, 10 listeners", peerHub, "", false, 0},
		{"idle", "KB/connection", peerHub, "", false, 20},
		{"startup", "first connection, ms", peerHub, "", false, 50},
		{"startup", "resident, MB", peerHub, "", false, 15},
		{"slow-listener", "block: with ÷ without it", peerHub, "", true, 0.95},
		{"slow-listener", "latest: with ÷ without it", peerHub, "", true, 0.95},
		{"slow-listener", "disconnect: with ÷ without it", peerHub, "", true, 0.95},
	}
}

// A verdict is a promise with what was measured.
type verdict struct {
	Promise  string  `json:"promise"`
	Measured float64 `json:"measured"`
	Kept     bool    `json:"kept"`
}

// judge compares the promises with what was measured.
func judge(r *results) []verdict {
	var list []verdict
	for _, p := range promises() {
		row := r.find(p.inCase, p.figure)
		if row == nil || row.Peers[p.peer] == nil {
			continue
		}
		v := verdict{Promise: p.String(), Measured: row.Peers[p.peer].Median}
		if p.versus != "" {
			ratio, ok := row.ratio(p.peer, p.versus)
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
	return fmt.Sprintf("%s: %s's %s is %s %s%s", p.inCase, p.peer, p.figure, how, short(p.bound), of)
}
