package main

import (
	"errors"
	"time"

	"sighub/scripts/bench/costs"
)

// A consumer is a process whose costs are told: by the name that its figures have.
type consumer struct {
	name string
	pid  int
}

// costsOf returns what each process uses for each of the things that do returns the number of: processor time while it runs for as
// long as its caller wants to measure, and what the kernel counts while it runs once more, briefly, because counting takes time.
func costsOf(e *env, consumers []consumer, thing string, do func(span time.Duration) (float64, error)) ([]figure, error) {
	before := make([]time.Duration, len(consumers))
	var err error
	for i, c := range consumers {
		if before[i], err = costs.CPU(c.pid); err != nil {
			return nil, err
		}
	}
	n, err := do(e.span)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for i, c := range consumers {
		after, err := costs.CPU(c.pid)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{c.name + " CPU, µs/" + thing, micros(after-before[i]) / n})
	}
	if !e.counted || e.profile != "" {
		return figures, nil
	}
	counted, err := countsOf(consumers, thing, func() (float64, error) { return do(min(e.span, countSpan)) })
	return append(figures, counted...), err
}

// countSpan is how long system calls are counted.
const countSpan = time.Second / 2

// countsOf returns what the kernel counts of each process while do runs.
func countsOf(consumers []consumer, thing string, do func() (float64, error)) (figures []figure, err error) {
	counters := make([]*costs.Counter, len(consumers))
	defer func() {
		for _, c := range counters {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i, c := range consumers {
		if counters[i], err = costs.Count(c.pid); err != nil {
			return nil, err
		}
	}
	n, err := do()
	if err != nil {
		return nil, err
	}
	var switches []figure
	for i, c := range consumers {
		counts, err2 := counters[i].Counts()
		err = errors.Join(err, err2)
		figures = append(figures, figure{c.name + " system calls/" + thing, float64(counts.Calls) / n})
		switches = append(switches, figure{c.name + " switches/" + thing, float64(counts.Switches) / n})
	}
	return append(figures, switches...), err
}

// costs returns what the peer, the senders and the listeners use for each event.
func (c *crowd) costs(e *env, do func(span time.Duration) (float64, error)) ([]figure, error) {
	return costsOf(e, []consumer{
		{"peer's", c.peer.Running().Pid()}, {"sender's", c.senders.pid()}, {"listener's", c.listeners.pid()},
	}, "event", do)
}
