package formats

import (
	"strconv"
	"strings"
	"time"
)

// electricity are the objects of the electricity meter, whose OBIS codes begin with 1-0: IEC 62056-61 and the P1 Companion Standard,
// table 6.12; those of Belgium (e-MUCS P1), Luxembourg and Sweden are the same, with some more.
var electricity = map[string]struct{ event, unit string }{
	"1.8.0": {"import", "kWh"}, "1.8.1": {"import_1", "kWh"}, "1.8.2": {"import_2", "kWh"}, "1.8.3": {"import_3", "kWh"}, "1.8.4": {"import_4", "kWh"},
	"2.8.0": {"export", "kWh"}, "2.8.1": {"export_1", "kWh"}, "2.8.2": {"export_2", "kWh"}, "2.8.3": {"export_3", "kWh"}, "2.8.4": {"export_4", "kWh"},
	"1.7.0": {"power", "kW"}, "2.7.0": {"power_export", "kW"},
	"21.7.0": {"power_l1", "kW"}, "41.7.0": {"power_l2", "kW"}, "61.7.0": {"power_l3", "kW"},
	"22.7.0": {"power_export_l1", "kW"}, "42.7.0": {"power_export_l2", "kW"}, "62.7.0": {"power_export_l3", "kW"},
	"32.7.0": {"voltage_l1", "V"}, "52.7.0": {"voltage_l2", "V"}, "72.7.0": {"voltage_l3", "V"},
	"31.7.0": {"current_l1", "A"}, "51.7.0": {"current_l2", "A"}, "71.7.0": {"current_l3", "A"},
	"3.8.0": {"reactive_import", "kvarh"}, "4.8.0": {"reactive_export", "kvarh"}, "3.7.0": {"reactive_power", "kvar"}, "4.7.0": {"reactive_power_export", "kvar"},
	"1.4.0":   {"average_demand", "kW"},
	"32.32.0": {"sags_l1", ""}, "52.32.0": {"sags_l2", ""}, "72.32.0": {"sags_l3", ""},
	"32.36.0": {"swells_l1", ""}, "52.36.0": {"swells_l2", ""}, "72.36.0": {"swells_l3", ""},
}

// events appends the events of a whole telegram.
func (p *dsmrParser) events(list []Event) ([]Event, error) {
	from := len(list)
	kinds := make(map[byte]string)
	for i := range p.objects {
		if o := &p.objects[i]; o.medium == 0 && o.channel > 0 && o.code == "24.1.0" {
			kind, _ := o.value(0)
			kinds[o.channel] = strings.TrimLeft(kind, "0")
		}
	}
	for i := range p.objects {
		o := &p.objects[i]
		var err error
		switch {
		case o.medium == 1 && electricity[o.code].event != "":
			kind := electricity[o.code]
			text, _ := o.value(-1)
			if text == "" {
				continue
			}
			var v float64
			if v, err = o.measured(text, kind.unit); err == nil {
				list, err = appendOnce(list, from, Event{Name: kind.event, Unit: kind.unit, Value: v})
			}
		case o.medium == 0 && o.channel == 0 && o.code == "96.14.0":
			text, _ := o.value(0)
			if v, bad := strconv.Atoi(text); bad == nil {
				list, err = appendOnce(list, from, Event{Name: "tariff", Value: float64(v)})
			}
		case o.medium == 0 && o.channel == 0 && (o.code == "96.7.21" || o.code == "96.7.9"):
			text, _ := o.value(0)
			name := map[string]string{"96.7.21": "failures", "96.7.9": "long_failures"}[o.code]
			if v, bad := strconv.Atoi(text); bad == nil {
				list, err = appendOnce(list, from, Event{Name: name, Value: float64(v)})
			}
		case o.medium == 0 && o.channel > 0:
			list, err = p.other(list, from, o, kinds[o.channel])
		}
		if err != nil {
			return list[:from], err
		}
	}
	return list, nil
}

// otherMeters are the kinds of meters that are connected to the electricity meter: EN 13757-3, device types.
var otherMeters = map[string]string{"2": "sub_import", "3": "gas", "4": "heat", "6": "hot_water", "7": "water", "10": "cooling", "11": "cooling", "12": "heat", "13": "heat"}

// other appends the value of another meter, unless it was told before: it measures every five minutes or every hour, and its value
// comes with each telegram.
func (p *dsmrParser) other(list []Event, from int, o *object, kind string) ([]Event, error) {
	switch o.code {
	case "24.2.1", "24.2.3", "24.3.0": // the last but one is that of Belgium, the last one that before version 4
	default:
		return list, nil
	}
	name := otherMeters[kind]
	stamp, _ := o.value(0)
	text, ok := o.value(-1)
	if name == "" || !ok || text == "" || text == stamp || stamp == p.gas[o.channel] {
		return list, nil
	}
	number, unit, _ := strings.Cut(text, "*")
	if o.code == "24.3.0" {
		unit, _ = o.value(-2)
	}
	if unit == "" {
		unit = "m3"
	}
	v, err := o.measured(number, unit)
	if err != nil {
		return list, err
	}
	if p.gas == nil {
		p.gas = make(map[byte]string)
	}
	p.gas[o.channel] = stamp
	e := Event{Name: name, Unit: unit, Value: v, At: stampTime(stamp, p.at)}
	if list, err = appendOnce(list, from, e); err != nil { // two of a kind
		e.Name += "_" + strconv.Itoa(int(o.channel))
		list, err = appendOnce(list, from, e)
	}
	return list, err
}

// stampTime returns the time that a stamp YYMMDDhhmmssX tells, X being W in winter and S in summer, in the time of Central Europe. It
// is zero, which is when the telegram came, if that lies more than two hours before it, or after it: then one of the clocks is wrong.
func stampTime(stamp string, now time.Time) time.Time {
	if len(stamp) != 13 {
		return time.Time{}
	}
	zone := 3600
	switch stamp[12] {
	case 'W':
	case 'S':
		zone = 7200
	default:
		return time.Time{}
	}
	at, err := time.ParseInLocation("060102150405", stamp[:12], time.FixedZone("", zone))
	if err != nil || at.After(now) || now.Sub(at) > 2*time.Hour {
		return time.Time{}
	}
	return at.UTC()
}
