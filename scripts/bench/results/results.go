// Package results has what the benchmark has measured: in rounds, as a table, beside what is promised, and beside another commit.
package results

import (
	"fmt"
	"slices"

	"sighub/scripts/bench/peers"
)

// Results are the measurements: a row for each figure of each case.
type Results struct {
	Rows     []*Row
	Failures []string
}

// A Row is one figure of one case, of all peers.
type Row struct {
	Case   string              `json:"case"`
	Figure string              `json:"figure"`
	Peers  map[string]*Measure `json:"peers"`
	// Ratios are the medians of sighub's figure divided by the peer's of the same round.
	Ratios map[string]float64 `json:"ratios,omitempty"`
}

// A Measure is one peer's figure in each round.
type Measure struct {
	Median float64   `json:"median"`
	Rounds []float64 `json:"rounds"`
	rounds []int     // which rounds: some may have failed
}

// Range returns the lowest and the highest of the rounds.
func (m *Measure) Range() (low, high float64) { return slices.Min(m.Rounds), slices.Max(m.Rounds) }

// Middle returns the quartiles: half of the rounds lie between them. What several runs have as their medians does, usually.
func (m *Measure) Middle() (low, high float64) {
	v := slices.Sorted(slices.Values(m.Rounds))
	n := len(v)
	return (v[(n-1)/4] + v[n/4]) / 2, (v[n-1-(n-1)/4] + v[n-1-n/4]) / 2
}

// Add adds what a figure of a case was for a peer in a round.
func (r *Results) Add(c, peer string, round int, figure string, value float64) {
	at := r.Find(c, figure)
	if at == nil {
		at = &Row{Case: c, Figure: figure, Peers: make(map[string]*Measure)}
		r.Rows = append(r.Rows, at)
	}
	m := at.Peers[peer]
	if m == nil {
		m = new(Measure)
		at.Peers[peer] = m
	}
	m.Rounds, m.rounds = append(m.Rounds, value), append(m.rounds, round)
	m.Median = Median(m.Rounds)
}

// Find returns the row of a figure, or nil.
func (r *Results) Find(c, figure string) *Row {
	i := slices.IndexFunc(r.Rows, func(o *Row) bool { return o.Case == c && o.Figure == figure })
	if i < 0 {
		return nil
	}
	return r.Rows[i]
}

// Failed notes that a case failed with a peer.
func (r *Results) Failed(c, peer string, err error) {
	r.Failures = append(r.Failures, fmt.Sprintf("%s, %s: %v", c, peer, err))
}

// Ratio returns the median of the ratios of two peers' figures in each round, and whether there is such a round.
func (r *Row) Ratio(peer, versus string) (float64, bool) {
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
	return Median(ratios), len(ratios) > 0
}

// Complete computes the ratios.
func (r *Results) Complete() {
	for _, row := range r.Rows {
		row.Ratios = make(map[string]float64)
		for peer := range row.Peers {
			if v, ok := row.Ratio(peers.Hub, peer); ok && peer != peers.Hub {
				row.Ratios[peer] = v
			}
		}
	}
}

// Median returns the median; 0 of nothing.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
