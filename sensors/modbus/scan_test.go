package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
	"sighub/sensors/modbus/slave"
)

// likeA returns a unit with what a profile identifies it by.
func likeA(t *testing.T, name string, values map[string]float64) *slave.Bank {
	t.Helper()
	p, err := profile.Library{}.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	b := slave.NewBank()
	for event, v := range values {
		r := p.Find(event)
		words, err := r.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Set(r.Function, r.Address, words)
	}
	return b
}

// TestScan: units are found at the rate at which they are, with the profiles that fit, and are told apart.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		units := map[byte]slave.Unit{
			1:   likeA(t, "xy-md02", map[string]float64{"temp": -5, "hum": 40}),
			17:  likeA(t, "sdm630", map[string]float64{"voltage_l1": 230, "frequency": 50, "power_factor": 0.9}),
			40:  likeA(t, "pzem-004t-v3", map[string]float64{"voltage": 231.5, "frequency": 50, "power_factor": 1}),
			247: slave.NewBank(),
		}
		units[17].(*slave.Bank).Set(frame.ReadInput, 2, make([]byte, 4)) // so that it could also be a thermometer at 0 °C
		var found []string
		var tried []int
		s := Scan{
			Open: func(_ context.Context, settings port.Settings) (port.Port, error) {
				near, far := net.Pipe()
				bus := slave.Bus{}
				if settings.Baud == 9600 && settings.Parity == port.EvenParity {
					bus.Units = units
				}
				go func() {
					_ = bus.ServeRTU(far)
					far.Close()
				}()
				return near, nil
			},
			Progress: func(settings port.Settings) { tried = append(tried, settings.Baud) },
			Found:    func(f Found) { found = append(found, fmt.Sprint(f.ID, " ", f.Refusal, f.Profiles)) },
		}
		if err := s.Run(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		want := []string{"1 illegal data address (2)[xy-md02]", "17 illegal data address (2)[sdm120 sdm630]", "40 illegal data address (2)[pzem-004t-v3]",
			"247 illegal data address (2)[]"}
		if !slices.Equal(found, want) {
			t.Errorf("found %q", found)
		}
		if !slices.Equal(tried, []int{9600, 19200, 9600}) {
			t.Errorf("tried %v", tried)
		}
	})
}

// TestScanWrites: a scan asks for what it reads, and nothing else; a port that is lost ends it.
func TestScanWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var end net.Conn
		s := Scan{
			Open: func(context.Context, port.Settings) (port.Port, error) {
				near, far := net.Pipe()
				end = far
				go func() {
					buffer := make([]byte, 64)
					for {
						n, err := far.Read(buffer)
						if err != nil {
							return
						}
						asked++
						r, err := frame.ParseRequest(buffer[1 : n-2])
						if err != nil || !r.Function.Reads() {
							t.Errorf("% x", buffer[:n])
						}
						if asked == 5 {
							_, _ = far.Write([]byte{1, 2, 3, 4, 5, 6, 7, 8})
						}
						if asked == 9 {
							far.Close()
						}
					}
				}()
				return near, nil
			},
			Settings: []port.Settings{{Baud: 9600}},
			Found: func(f Found) {
				if f.ID != 4 && f.ID != 5 || !f.Damaged {
					t.Errorf("%+v", f)
				}
			},
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a lost port is none")
		}
		end.Close()
		failed := errors.New("no")
		s.Open = func(context.Context, port.Settings) (port.Port, error) { return nil, failed }
		if err := s.Run(t.Context()); !errors.Is(err, failed) {
			t.Error(err)
		}
	})
}
