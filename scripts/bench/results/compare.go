package results

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"sighub/scripts/bench/peers"
)

// doubt is how likely it is, at most, that anything is said of two commits that do not differ. All figures that are compared share it: with
// fifty of them, one or the other would else seem to have changed in every second comparison.
const doubt = 0.05

// leastChange is the change of which nothing is said, however sure it is.
const leastChange = 0.01

// A change is how a figure of one peer differs between two commits that were measured in turns.
type change struct {
	Case, Figure, Peer string
	Before, After      float64 // medians
	ratios             []float64
}

// between returns the range in which the median of the ratios is for sure, whatever their distribution: the k-th lowest and the k-th
// highest of n, if the chance is at most so small that fewer than k of n tosses of a coin show the same side. ok is false if n is too small
// for that.
func (c *change) between(chance float64) (low, high float64, ok bool) {
	sorted := slices.Sorted(slices.Values(c.ratios))
	n, k := len(sorted), 0
	exactly := math.Pow(0.5, float64(n)) // the chance of k
	for fewer := 0.0; k < n/2; k++ {
		fewer += exactly
		if 2*fewer > chance {
			break
		}
		exactly *= float64(n-k) / float64(k+1)
	}
	if k == 0 {
		return 0, 0, false
	}
	return sorted[k-1], sorted[n-k], true
}

// MoreIsBetter reports whether a figure is a rate, or a ratio of rates.
func MoreIsBetter(figure string) bool {
	return strings.HasSuffix(figure, "/s") || strings.HasSuffix(figure, ", times") || strings.Contains(figure, " ÷ ")
}

// verdict says what the change is: "" if it is within the noise.
func (c *change) verdict(chance float64) string {
	low, high, ok := c.between(chance)
	switch {
	case !ok:
		return "too few rounds"
	case low <= 1+leastChange && high >= 1-leastChange:
		return ""
	case (low > 1) == MoreIsBetter(c.Figure):
		return "better"
	default:
		return "WORSE"
	}
}

// Compare compares the reports before.*.json and after.*.json in a folder, which were made in turns, one for each round. An error says
// that something is worse.
func Compare(folder string, w io.Writer) error {
	before, err := readReports(filepath.Join(folder, "before.*.json"))
	if err != nil {
		return err
	}
	after, err := readReports(filepath.Join(folder, "after.*.json"))
	if err != nil {
		return err
	}
	if len(before) != len(after) {
		return fmt.Errorf("%s has %d reports of one commit and %d of the other", folder, len(before), len(after))
	}
	worse := 0
	table := [][]string{{"case", "figure", "peer", "before", "after", "change", "for sure", ""}}
	list := changes(before, after)
	chance := doubt / float64(len(list))
	for _, c := range list {
		low, high, ok := c.between(chance)
		within := ""
		if ok {
			within = fmt.Sprintf("%s to %s", percent(low), percent(high))
		}
		verdict := c.verdict(chance)
		if verdict == "WORSE" {
			worse++
		}
		table = append(table, []string{
			c.Case, c.Figure, c.Peer, Short(c.Before), Short(c.After), percent(Median(c.ratios)), within, verdict,
		})
	}
	printTable(w, table, 3)
	if worse > 0 {
		return fmt.Errorf("%d figures are worse beyond noise", worse)
	}
	return nil
}

func percent(ratio float64) string { return fmt.Sprintf("%+.1f %%", 100*(ratio-1)) }

func readReports(pattern string) ([]Report, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no reports %s: compare.sh makes them", pattern)
	}
	slices.Sort(files)
	reports := make([]Report, len(files))
	for i, file := range files {
		r, err := Read(file)
		if err != nil {
			return nil, err
		}
		reports[i] = *r
	}
	return reports, nil
}

// changes returns what both commits have measured, in pairs of one round.
func changes(before, after []Report) (list []*change) {
	type key struct{ c, figure, peer string }
	all := make(map[key]*change)
	values := make(map[*change][2][]float64)
	for i := range before {
		earlier := Results{Rows: before[i].Rows}
		for _, row := range after[i].Rows {
			other := earlier.Find(row.Case, row.Figure)
			if other == nil {
				continue
			}
			for _, peer := range peers.Names() {
				a, b := other.Peers[peer], row.Peers[peer]
				if a == nil || b == nil || a.Median == 0 {
					continue
				}
				k := key{row.Case, row.Figure, peer}
				if all[k] == nil {
					all[k] = &change{Case: k.c, Figure: k.figure, Peer: k.peer}
					list = append(list, all[k])
				}
				c := all[k]
				values[c] = [2][]float64{append(values[c][0], a.Median), append(values[c][1], b.Median)}
				c.ratios = append(c.ratios, b.Median/a.Median)
			}
		}
	}
	for c, v := range values {
		c.Before, c.After = Median(v[0]), Median(v[1])
	}
	return list
}
