package results

import (
	"testing"

	"sighub/scripts/bench/peers"
)

func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := Median(c.of); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.of, got, c.want)
		}
	}
	for v, want := range map[float64]string{
		0: "0", 8: "8", 0.7: "0.70", 0.0349: "0.0349", 12.34: "12.3", 123.4: "123", 1234.4: "1234", 49_300: "49.3k", 1_410_000: "1.41M",
	} {
		if got := Short(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

// Ratios are of figures of the same round.
func TestRatios(t *testing.T) {
	var r Results
	for round, hub := range []float64{10, 40, 90} {
		r.Add("one-to-one", peers.Hub, round, "events/s", hub)
		if round != 1 {
			r.Add("one-to-one", peers.Mosquitto, round, "events/s", 10)
		}
	}
	r.Complete()
	if len(r.Rows) != 1 || r.Rows[0].Ratios[peers.Mosquitto] != 5 || r.Rows[0].Peers[peers.Hub].Median != 40 {
		t.Errorf("the rows are %+v", r.Rows[0])
	}
	verdicts := Judge(&r)
	if len(verdicts) != 1 || verdicts[0].Kept || verdicts[0].Measured != 5 {
		t.Errorf("the verdicts are %+v", verdicts)
	}
}
