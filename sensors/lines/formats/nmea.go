package formats

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/adrianmo/go-nmea"
)

// nmeaParser takes a line for a sentence of NMEA 0183. What a field holds is the library's business. Which fields a sentence has is
// written here: the library's parser of whole sentences knows a hundred kinds, and with it they are all in the program, 200 KB.
type nmeaParser struct {
	fixed string // the time of the latest fix whose position was told, as the receiver has it
	gga   bool   // there are GGA sentences, which tell the quality of a fix
}

// The events of a receiver, with their units.
const (
	eventPosition   = "position"
	eventAltitude   = "altitude"
	eventSpeed      = "speed"
	eventCourse     = "course"
	eventFix        = "fix" // 0: none, 1: a fix, 2: a differential one, and so on as GGA has them
	eventMode       = "mode"
	eventSatellites = "satellites"
	eventHDOP       = "hdop"
	eventTime       = "time"

	unitDegrees = "deg"
	unitMetres  = "m"
	unitSpeed   = "m/s"
)

// Family implements [Vocabulary]. A receiver tells in several sentences what belongs together.
func (*nmeaParser) Family(e Event) []Event {
	gps := []Event{
		{Name: eventPosition, Unit: unitDegrees}, {Name: eventAltitude, Unit: unitMetres}, {Name: eventSpeed, Unit: unitSpeed},
		{Name: eventCourse, Unit: unitDegrees}, {Name: eventFix}, {Name: eventMode}, {Name: eventSatellites, Unit: "count"}, {Name: eventHDOP},
		{Name: eventTime},
	}
	for _, g := range gps {
		if g.Name == e.Name {
			return gps
		}
	}
	return []Event{e}
}

// Parse implements [Parser].
func (p *nmeaParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	line, err := Text(line)
	if err != nil {
		return list, err
	}
	if line[0] != '$' && line[0] != '!' && line[0] != '\\' {
		return list, fmt.Errorf("%w: it does not begin with $", ErrForm)
	}
	if err := checkNMEA(line); err != nil {
		return list, err
	}
	s, err := newSentence(line)
	if err != nil {
		return list, formError(err)
	}
	s.list = list
	before := *p
	p.tell(s)
	if s.Err() != nil {
		s.err = formError(s.Err())
	}
	if s.err != nil {
		*p = before
		return list, s.err
	}
	return s.list, nil
}

// formError returns an error of the library's as an [ErrForm].
func formError(err error) error {
	return fmt.Errorf("%w: %s", ErrForm, strings.TrimPrefix(err.Error(), "nmea: "))
}

// checkNMEA checks the checksum, the exclusive or of all bytes between $ and *.
func checkNMEA(line string) error {
	if line[0] == '\\' { // a tag block, which has a checksum of its own: the library looks at it
		end := strings.IndexByte(line[1:], '\\')
		if end < 0 || end+2 >= len(line) {
			return fmt.Errorf("%w: a tag block without a sentence", ErrForm)
		}
		line = line[end+2:]
	}
	body, sum, ok := strings.Cut(line[1:], "*")
	if !ok {
		return fmt.Errorf("%w: there is none", ErrDamaged)
	}
	want, err := strconv.ParseUint(sum, 16, 8)
	if err != nil || len(sum) != 2 {
		return fmt.Errorf("%w: it is not a number of two digits", ErrDamaged)
	}
	var have byte
	for i := range len(body) {
		have ^= body[i]
	}
	if have != byte(want) {
		return fmt.Errorf("%w: it is %02X, and should be %02X", ErrDamaged, want, have)
	}
	return nil
}

// A sentence has the fields of a sentence, and gathers its events.
type sentence struct {
	*nmea.Parser // it reads an empty field as 0, and keeps the first error
	list         []Event
	err          error // a value is out of its range
}

// newSentence takes a line whose checksum holds apart.
func newSentence(line string) (*sentence, error) {
	_, end, err := nmea.ParseTagBlock(line)
	if err != nil {
		return nil, err
	}
	line = line[end:]
	if line == "" || line[0] != '$' && line[0] != '!' {
		return nil, errors.New("what follows the tag block is no sentence")
	}
	body, _, _ := strings.Cut(line[1:], "*")
	fields := strings.Split(body, nmea.FieldSep)
	talker, kind, err := nmea.ParsePrefix(fields[0])
	if err != nil {
		return nil, err
	}
	if line[0] == '!' {
		kind = "" // what follows is packed, as that of AIS
	}
	return &sentence{Parser: nmea.NewParser(nmea.BaseSentence{Talker: talker, Type: kind, Fields: fields[1:]})}, nil
}

// has reports whether a field is there and not empty.
func (s *sentence) has(field int) bool {
	return field < len(s.Fields) && strings.TrimSpace(s.Fields[field]) != ""
}

// number appends the number of a field times factor, unless the field is empty. The product must lie between two ends.
func (s *sentence) number(field int, name, unit string, factor, low, high float64) {
	v := s.Float64(field, name) * factor
	switch {
	case s.Err() != nil || !s.has(field):
	case !(v >= low && v <= high):
		s.err = fmt.Errorf("%w: %s is %v, but can only be %v to %v", ErrRange, name, v, low, high)
	default:
		const digits = 1e4 // more than an instrument has, and less than a conversion makes
		s.list = append(s.list, Event{Name: name, Unit: unit, Value: math.Round(v*digits) / digits})
	}
}

// The ends of what an instrument can tell. Speeds are in metres a second, lengths in metres.
const (
	maxSpeed  = 2000
	maxHeight = 100_000
	maxDepthM = 12_000
	maxWind   = 200
)

// knot is a nautical mile an hour, in metres a second.
const knot = 1852.0 / 3600

// tell appends the events of a sentence. They do not count if it leaves an error.
func (p *nmeaParser) tell(s *sentence) {
	switch s.Type {
	case nmea.TypeRMC:
		p.rmc(s)
	case nmea.TypeGGA:
		p.gga = true
		quality := s.EnumString(5, eventFix, nmea.Invalid, nmea.GPS, nmea.DGPS, nmea.PPS, nmea.RTK, nmea.FRTK, nmea.EST)
		s.integer(eventFix, quality)
		s.number(6, eventSatellites, "count", 1, 0, 200)
		if quality != nmea.Invalid {
			p.position(s, 0, 1)
			s.number(8, eventAltitude, unitMetres, 1, -maxHeight, maxHeight)
			s.number(7, eventHDOP, "", 1, 0, 1000)
		}
	case nmea.TypeGNS:
		if mode := s.String(5, eventMode); s.has(2) && !strings.HasPrefix(mode, nmea.NoFixGNS) {
			p.position(s, 0, 1)
			s.number(8, eventAltitude, unitMetres, 1, -maxHeight, maxHeight)
		}
	case nmea.TypeGLL:
		if s.EnumString(5, "validity", nmea.ValidGLL, nmea.InvalidGLL) == nmea.ValidGLL {
			p.position(s, 4, 0)
		}
	case nmea.TypeVTG:
		s.number(4, eventSpeed, unitSpeed, knot, 0, maxSpeed)
		s.number(0, eventCourse, unitDegrees, 1, 0, 360)
	case nmea.TypeGSA:
		s.integer(eventMode, s.EnumString(1, eventMode, nmea.FixNone, nmea.Fix2D, nmea.Fix3D))
	case nmea.TypeZDA:
		at, day, month, year := s.Time(0, eventTime), s.Int64(1, "day"), s.Int64(2, "month"), s.Int64(3, "year")
		if s.has(0) && s.has(1) && s.has(2) && s.has(3) {
			s.time(at, int(year), int(month), int(day))
		}
	default:
		s.instruments()
	}
}

func (p *nmeaParser) rmc(s *sentence) {
	at, date := s.Time(0, eventTime), s.Date(8, "date")
	valid := s.EnumString(1, "validity", nmea.ValidRMC, nmea.InvalidRMC) == nmea.ValidRMC
	if !p.gga {
		fix := 0.0
		if valid {
			fix = 1
		}
		s.list = append(s.list, Event{Name: eventFix, Value: fix})
	}
	if at.Valid && date.Valid {
		year := 2000 + date.YY
		if date.YY >= 80 { // the first receivers are of the eighties
			year -= 100
		}
		s.time(at, year, date.MM, date.DD)
	}
	if !valid {
		return
	}
	p.position(s, 0, 2)
	s.number(6, eventSpeed, unitSpeed, knot, 0, maxSpeed)
	s.number(7, eventCourse, unitDegrees, 1, 0, 360)
}

// integer appends a number that is given as one of some digits, unless the field was empty.
func (s *sentence) integer(name, digits string) {
	if n, err := strconv.Atoi(digits); err == nil {
		s.list = append(s.list, Event{Name: name, Value: float64(n)})
	}
}

// time appends the time that the receiver tells, unless there is no such day.
func (s *sentence) time(t nmea.Time, year, month, day int) {
	at := time.Date(year, time.Month(month), day, t.Hour, t.Minute, min(t.Second, 59), t.Millisecond*1e6, time.UTC)
	if at.Day() != day || int(at.Month()) != month || t.Hour > 23 || t.Minute > 59 || t.Second > 60 || year > 9999 {
		s.err = fmt.Errorf("%w: there is no such time", ErrRange)
		return
	}
	s.list = append(s.list, Event{Name: eventTime, Value: at.Format("2006-01-02T15:04:05.999Z07:00")})
}

// position appends the position whose first of four fields is given, unless it was told already: several sentences tell the same fix,
// whose time is in the field at.
func (p *nmeaParser) position(s *sentence, at, field int) {
	lat, lon := s.LatLong(field, field+1, "latitude"), s.LatLong(field+2, field+3, "longitude")
	if s.Err() != nil || !s.has(field) || !s.has(field+2) {
		return
	}
	if math.Abs(lat) > 90 || math.Abs(lon) > 180 || !finite(lat) || !finite(lon) {
		s.err = fmt.Errorf("%w: there is no place at %v, %v", ErrRange, lat, lon)
		return
	}
	if s.has(at) {
		when := strings.TrimRight(strings.TrimRight(s.Fields[at], "0"), ".")
		if when == p.fixed {
			return
		}
		p.fixed = when
	}
	const digits = 1e8 // a millimetre, and no more than the library's sums can carry
	lat, lon = math.Round(lat*digits)/digits, math.Round(lon*digits)/digits
	s.list = append(s.list, Event{Name: eventPosition, Unit: unitDegrees, Value: Position{lat, lon}})
}

// instruments appends what the other instruments of a boat tell.
func (s *sentence) instruments() {
	switch s.Type {
	case nmea.TypeHDT:
		s.EnumString(1, "reference", "T")
		s.number(0, "heading", unitDegrees, 1, 0, 360)
	case nmea.TypeHDM:
		s.EnumString(1, "reference", nmea.MagneticHDM)
		s.number(0, "magnetic_heading", unitDegrees, 1, 0, 360)
	case nmea.TypeDPT:
		s.number(0, "depth", unitMetres, 1, 0, maxDepthM)
	case nmea.TypeDBT:
		s.number(2, "depth", unitMetres, 1, 0, maxDepthM)
	case nmea.TypeMTW:
		s.EnumString(1, "unit", nmea.CelsiusMTW)
		s.number(0, "water_temp", "Cel", 1, -10, 60)
	case nmea.TypeVHW:
		s.number(4, "water_speed", unitSpeed, knot, 0, maxSpeed)
	case nmea.TypeMWV:
		s.wind()
	case nmea.TypeROT:
		if s.EnumString(1, "status", nmea.ValidROT, nmea.InvalidROT) == nmea.ValidROT {
			s.number(0, "rate_of_turn", "deg/min", 1, -1000, 1000)
		}
	}
}

func (s *sentence) wind() {
	if s.EnumString(4, "status", nmea.ValidMWV, nmea.InvalidMWV) != nmea.ValidMWV {
		return
	}
	kind := "apparent_"
	if s.EnumString(1, "reference", nmea.RelativeMWV, nmea.TheoreticalMWV) == nmea.TheoreticalMWV {
		kind = "true_"
	}
	s.number(0, kind+"wind_angle", unitDegrees, 1, -180, 360)
	unit := s.EnumString(3, "unit", nmea.UnitKMHMWV, nmea.UnitMSMWV, nmea.UnitKnotsMWV, nmea.UnitSMilesHMWV)
	factor, ok := map[string]float64{
		nmea.UnitKMHMWV: 1 / 3.6, nmea.UnitMSMWV: 1, nmea.UnitKnotsMWV: knot, nmea.UnitSMilesHMWV: 0.44704,
	}[unit]
	if ok { // without its unit, a speed says nothing
		s.number(2, kind+"wind_speed", unitSpeed, factor, 0, maxWind)
	}
}
