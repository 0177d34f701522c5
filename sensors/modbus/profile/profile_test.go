package profile

import (
	"testing"
)

func TestEmbedded(t *testing.T) {
	names, list := Library{}.All()
	if len(list) != len(Names()) || len(list) < 6 {
		t.Fatal(names)
	}
	for i, p := range list {
		if p.Name == "" || p.Source == "" || p.ID == 0 || p.Baud == 0 {
			t.Errorf("%s: %+v", names[i], p)
		}
		blocks := Plan(p.Registers, p.Most, p.Gap)
		n := 0
		for _, b := range blocks {
			if err := b.Request.Check(); err != nil {
				t.Error(err)
			}
			n += len(b.Registers)
			t.Log(names[i], b.Request, b.Registers[0].Interval)
		}
		if n != len(p.Registers) {
			t.Errorf("%s: %d of %d registers are read", names[i], n, len(p.Registers))
		}
	}
}
