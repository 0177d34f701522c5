package simulator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
	"sighub/sensors/modbus/slave"
	"sighub/sensors/simulated"
)

// Modbus is the word for Modbus among what a simulated device may speak.
const Modbus = "modbus"

// A ModbusBus has simulated units of Modbus. What is written to them stays.
type ModbusBus struct {
	bus     slave.Bus
	query   string
	place   simulated.Drift
	answers atomic.Int64
}

// DefaultUnits are the units of a bus for which none are named.
func DefaultUnits() []string { return []string{"1:xy-md02", "2:sdm120", "3:relay-8"} }

// NewModbusBus returns a bus with these units, each written as ID:PROFILE.
func NewModbusBus(units []string, day time.Duration) (*ModbusBus, error) {
	m := &ModbusBus{place: simulated.Drift{Day: day, Start: time.Now().Add(-day * 3 / 10)}}
	m.bus.Units = make(map[byte]slave.Unit)
	for _, text := range units {
		id, name, ok := strings.Cut(text, ":")
		n, err := strconv.Atoi(id)
		if !ok || err != nil || n < 1 || n > frame.MaxUnit {
			return nil, fmt.Errorf("%q is not a unit: write ID:PROFILE, such as 1:xy-md02", text)
		}
		if m.bus.Units[byte(n)] != nil {
			return nil, fmt.Errorf("unit %d is given twice", n)
		}
		p, err := profile.Library{}.Find(name)
		if err != nil {
			return nil, err
		}
		m.bus.Units[byte(n)] = m.unit(p)
		if m.query == "" {
			m.query = "speaks=modbus&id=" + strconv.Itoa(n) + "&profile=" + name + "&sender=simulated"
		}
	}
	return m, nil
}

// Query returns what the hub must know of the first unit, as the query of the port.
func (m *ModbusBus) Query() string { return m.query }

// Answered returns how many requests were served.
func (m *ModbusBus) Answered() int64 { return m.answers.Load() }

// Run answers on the line that open opens until ctx is done. It opens a line that was lost again.
func (m *ModbusBus) Run(ctx context.Context, open func(context.Context) (port.Port, error)) error {
	for ctx.Err() == nil {
		p, err := open(ctx)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = p.Close() })
			_ = m.bus.ServeRTU(p) // the line was lost, or the end has come
			stop()
			_ = p.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// A simulatedUnit is one unit.
type simulatedUnit struct {
	of      *ModbusBus
	profile *profile.Profile
	bank    *slave.Bank
}

func (m *ModbusBus) unit(p *profile.Profile) *simulatedUnit {
	u := &simulatedUnit{m, p, slave.NewBank()}
	for _, b := range profile.Plan(p.Registers, p.Most, p.Gap) { // what lies between registers is 0, as in real devices
		if !b.Request.Function.Bits() {
			u.bank.Set(b.Request.Function, b.Request.Address, make([]byte, 2*b.Request.Count))
		}
	}
	for i := range p.Registers {
		if r := &p.Registers[i]; r.Type == profile.Bool {
			u.bank.SetBit(r.Function, r.Address, false)
		}
	}
	u.refresh(true)
	return u
}

// Serve implements [slave.Unit].
func (u *simulatedUnit) Serve(r frame.Request) ([]byte, error) {
	u.refresh(false)
	data, err := u.bank.Serve(r)
	if err == nil || !errors.Is(err, slave.ErrSilent) {
		u.of.answers.Add(1)
	}
	return data, err
}

// refresh sets what is measured. What can be written is set only at first.
func (u *simulatedUnit) refresh(first bool) {
	now := time.Now()
	for i := range u.profile.Registers {
		r := &u.profile.Registers[i]
		if r.Type == profile.Bool || r.Field || r.Write != profile.NoWrite && !first {
			continue
		}
		if words, err := r.Encode(u.of.value(r, now)); err == nil {
			u.bank.Set(r.Function, r.Address, words)
		}
	}
}

// value returns what a register shows: by its unit, or something within its range.
func (m *ModbusBus) value(r *profile.Register, at time.Time) float64 {
	temp, lux := m.place.Temperature(at).Value, m.place.Light(at).Value
	power := math.Round(200 + 1000/(1+lux/100)) // in a house where the light goes on when it gets dark
	v := 1.0
	switch r.Unit {
	case "Cel":
		v = temp
	case "%RH":
		v = 60 - temp
	case "V":
		v = 230 + math.Round(10*math.Sin(float64(at.Unix())/60))/10
	case "A":
		v = math.Round(power/2.3) / 100
	case "W", "VA":
		v = power
	case "Hz":
		v = 50
	case "kWh":
		v = math.Round(float64(at.Unix()%1_000_000) / 36)
	case "Wh":
		v = float64(at.Unix() % 1_000_000)
	case "%EL":
		v = 80
	}
	if r.Max != nil && v > *r.Max || r.Min != nil && v < *r.Min {
		low, high := v, v
		if r.Min != nil {
			low = *r.Min
		}
		if r.Max != nil {
			high = *r.Max
		}
		v = low + (high-low)/4
	}
	return v
}
