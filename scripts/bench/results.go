package main

import (
	"fmt"
	"slices"
)

// results are the measurements: a row for each figure of each case.
type results struct {
	rows     []*row
	failures []string
}

// A row is one figure of one case, of all peers.
type row struct {
	Case   string              `json:"case"`
	Figure string              `json:"figure"`
	Peers  map[string]*measure `json:"peers"`
	// Ratios are the medians of sighub's figure divided by the peer's of the same round.
	Ratios map[string]float64 `json:"ratios,omitempty"`
}

// A measure is one peer's figure in each round.
type measure struct {
	Median float64   `json:"median"`
	Rounds []float64 `json:"rounds"`
	rounds []int     // which rounds: some may have failed
}

func (r *results) add(c, peer string, round int, figures []figure) {
	for _, f := range figures {
		at := r.find(c, f.Name)
		if at == nil {
			at = &row{Case: c, Figure: f.Name, Peers: make(map[string]*measure)}
			r.rows = append(r.rows, at)
		}
		m := at.Peers[peer]
		if m == nil {
			m = new(measure)
			at.Peers[peer] = m
		}
		m.Rounds, m.rounds = append(m.Rounds, f.Value), append(m.rounds, round)
		m.Median = median(m.Rounds)
	}
}

func (r *results) find(c, figure string) *row {
	i := slices.IndexFunc(r.rows, func(o *row) bool { return o.Case == c && o.Figure == figure })
	if i < 0 {
		return nil
	}
	return r.rows[i]
}

func (r *results) failed(c, peer string, err error) {
	r.failures = append(r.failures, fmt.Sprintf("%s, %s: %v", c, peer, err))
}

// ratio returns the median of the ratios of two peers' figures in each round, or false if there are none.
func (r *row) ratio(peer, versus string) (float64, bool) {
	a, b := r.Peers[peer], r.Peers[versus]
	if a == nil || b == nil {
		return 0, false
	}
	var ratios []float64
	for i, round := range a.rounds {
		if j := slices.Index(b.rounds, round); j >= 0 && b.Rounds[j] != 0 {
			ratios = append(ratios, a.Rounds[i]/b.Rounds[j])
		}
	}
	return median(ratios), len(ratios) > 0
}

// complete computes the ratios.
func (r *results) complete() {
	for _, row := range r.rows {
		row.Ratios = make(map[string]float64)
		for peer := range row.Peers {
			if v, ok := row.ratio(peerHub, peer); ok && peer != peerHub {
				row.Ratios[peer] = v
			}
		}
	}
}
