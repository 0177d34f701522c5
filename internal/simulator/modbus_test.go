package simulator

import (
	"testing"
	"time"

	"sighub/sensors/modbus/profile"
)

// TestModbusBus: what simulated units of every profile say is what their profiles allow.
func TestModbusBus(t *testing.T) {
	for _, name := range profile.Names() {
		m, err := NewModbusBus([]string{"9:" + name}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Library{}.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range profile.Plan(p.Registers, p.Most, p.Gap) {
			data, err := m.bus.Units[9].Serve(b.Request)
			if err != nil {
				t.Errorf("%s: %v: %v", name, b.Request, err)
				continue
			}
			b.Values(data, func(r *profile.Register, value any, err error) {
				if err != nil {
					t.Errorf("%s: %s is %v, %v", name, r.Event, value, err)
				}
			})
		}
		if m.Answered() == 0 {
			t.Error("nothing was answered")
		}
	}
	for _, units := range [][]string{{"x"}, {"0:sdm120"}, {"248:sdm120"}, {"1:nobody"}, {"1:sdm120", "1:sdm630"}} {
		if _, err := NewModbusBus(units, time.Minute); err == nil {
			t.Errorf("%q are taken", units)
		}
	}
}
