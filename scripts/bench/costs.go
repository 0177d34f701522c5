package main

import "time"

// A consumer is a process whose costs are told: by the name that its figures have.
type consumer struct {
	name string
	pid  int
}

// costsOf returns what each process used while do ran, for each of the things that do returns the number of.
func costsOf(consumers []consumer, thing string, do func() (float64, error)) ([]figure, error) {
	before := make([]time.Duration, len(consumers))
	var err error
	for i, c := range consumers {
		if before[i], err = cpuOf(c.pid); err != nil {
			return nil, err
		}
	}
	n, err := do()
	if err != nil {
		return nil, err
	}
	var figures []figure
	for i, c := range consumers {
		after, err := cpuOf(c.pid)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{c.name + " CPU, µs/" + thing, micros(after-before[i]) / n})
	}
	return figures, nil
}

// costs returns what the peer, the senders and the listeners use for each event.
func (c *crowd) costs(thing string, do func() (float64, error)) ([]figure, error) {
	return costsOf([]consumer{
		{"peer's", c.peer.running().cmd.Process.Pid},
		{"sender's", c.senders.cmd.Process.Pid},
		{"listener's", c.listeners.cmd.Process.Pid},
	}, thing, do)
}
