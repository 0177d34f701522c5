package modbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// requests returns the requests of a device:
//
//	read "temp"             asks the unit for a value now, and returns it; without a name, the only one
//	set {"relay1": true}    writes values, and waits for the unit to say that it has them
func (d *device) requests() map[string]hub.RequestHandler {
	s, config := d.session.Speaker, d.config
	all := map[string]hub.RequestHandler{
		"read": func(ctx context.Context, _ string, params carrier.Value) (any, error) {
			return s.read(ctx, config, params)
		},
	}
	if slices.ContainsFunc(config.Profile.Registers, func(r profile.Register) bool { return r.Write != profile.NoWrite }) {
		all["set"] = func(ctx context.Context, _ string, params carrier.Value) (any, error) {
			return nil, s.set(ctx, d, params)
		}
	}
	return all
}

// read does the request of that name.
func (s *Speaker) read(ctx context.Context, config *Device, params carrier.Value) (any, error) {
	p := &config.Profile
	event := ""
	if len(p.Registers) == 1 {
		event = p.Registers[0].Event
	}
	if !params.IsNull() {
		if err := params.Decode(&event); err != nil {
			return nil, errors.New(`write the name of what is asked for, as in "temp"`)
		}
	}
	r := p.Find(event)
	if r == nil {
		return nil, fmt.Errorf("write which of its values is asked for, not %q: %s", safetext.Short(event, 64), eventNames(p, false))
	}
	q := r.Request()
	a, err := s.ask(ctx, config.ID, &q)
	if err != nil {
		return nil, explain(err)
	}
	b := profile.Block{Request: q, Registers: []*profile.Register{r}}
	var value any
	b.Values(a.data, func(_ *profile.Register, v any, e error) { value, err = v, e })
	return value, err
}

// set does the request of that name. Nothing is written if one of the values cannot be.
func (s *Speaker) set(ctx context.Context, d *device, params carrier.Value) error {
	var values map[string]any
	if err := params.Decode(&values); err != nil || len(values) == 0 {
		return fmt.Errorf(`write what to set, as in {"relay1": true}: %s`, eventNames(&d.config.Profile, true))
	}
	events := slices.Sorted(maps.Keys(values))
	var requests []frame.Request
	for _, event := range events {
		r := d.config.Profile.Find(event)
		if r == nil || r.Write == profile.NoWrite {
			return fmt.Errorf("%q cannot be set: %s can", safetext.Short(event, 64), eventNames(&d.config.Profile, true))
		}
		q, err := r.WriteRequest(values[event])
		if err != nil {
			return fmt.Errorf("%s: %w", event, err)
		}
		requests = append(requests, q)
	}
	for _, q := range together(requests) {
		if _, err := s.ask(ctx, d.config.ID, &q); err != nil {
			return fmt.Errorf("address %d: %w", q.Address, explain(err))
		}
	}
	select {
	case d.session.written <- d:
	default: // enough of them wait, and one of them is as good
	}
	return nil
}

// together joins requests of function 15 and 16 whose addresses follow each other: what belongs together changes at once.
func together(list []frame.Request) (joined []frame.Request) {
	sort.SliceStable(list, func(i, j int) bool { return list[i].Address < list[j].Address })
	for _, q := range list {
		n := len(joined)
		if n == 0 || q.Function != frame.WriteCoils && q.Function != frame.WriteRegisters || joined[n-1].Function != q.Function {
			joined = append(joined, q)
			continue
		}
		last := &joined[n-1]
		whole := *last
		whole.Count += q.Count
		if q.Function == frame.WriteRegisters {
			whole.Data = slices.Concat(last.Data, q.Data)
		} else {
			whole.Data = slices.Clone(last.Data)
			if last.Count%8 == 0 {
				whole.Data = append(whole.Data, 0)
			}
			whole.Data[last.Count/8] |= (q.Data[0] & 1) << (last.Count % 8)
		}
		if int(q.Address) != int(last.Address)+int(last.Count) || whole.Check() != nil {
			joined = append(joined, q)
			continue
		}
		*last = whole
	}
	return joined
}

// explain adds to the error of a request what can be done.
func explain(err error) error {
	if e, ok := errors.AsType[*frame.ExceptionError](err); ok {
		return fmt.Errorf("%w: %s", err, e.Code.Remedy())
	}
	return err
}

// eventNames lists the events of a device, or those that can be set.
func eventNames(p *profile.Profile, writable bool) string {
	var names []string
	for i := range p.Registers {
		if r := &p.Registers[i]; !writable || r.Write != profile.NoWrite {
			names = append(names, r.Event)
		}
	}
	return safetext.Short(strings.Join(names, ", "), 256)
}
