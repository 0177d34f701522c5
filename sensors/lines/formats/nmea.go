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

// nmeaParser takes a line for a sentence of NMEA 0183. What a sentence is, its checksum and the meaning of its fields are the library's
// business. It reads an empty field as 0, so fields that may be empty are looked at here first.
type nmeaParser struct {
	sentences nmea.SentenceParser
	fixed     string // the time of the latest fix whose position was told, as the receiver has it
	gga       bool   // there are GGA sentences, which tell the quality of a fix
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
	sentence, err := p.sentences.Parse(line)
	if _, ok := errors.AsType[*nmea.NotSupportedError](err); ok {
		return list, nil // it is right, because its checksum is
	}
	if err != nil {
		return list, fmt.Errorf("%w: %s", ErrForm, strings.TrimPrefix(err.Error(), "nmea: "))
	}
	return p.events(list, sentence)
}

// checkNMEA checks the checksum, the exclusive or of all bytes between $ and *. The library does it, too, and tells a wrong one from a
// malformed sentence only in words.
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

// A sentenceEvents gathers the events of a sentence.
type sentenceEvents struct {
	list   []Event
	from   int
	fields []string
	err    error
}

// has reports whether a field is there and not empty.
func (s *sentenceEvents) has(field int) bool {
	return field < len(s.fields) && strings.TrimSpace(s.fields[field]) != ""
}

// number appends a number if its field is not empty. It must lie between two ends.
func (s *sentenceEvents) number(field int, name, unit string, v, low, high float64) {
	switch {
	case !s.has(field):
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

func (p *nmeaParser) events(list []Event, sentence nmea.Sentence) ([]Event, error) {
	s := sentenceEvents{list: list, from: len(list)}
	switch m := sentence.(type) {
	case nmea.RMC:
		s.fields = m.Fields
		p.rmc(&s, &m)
	case nmea.GGA:
		s.fields = m.Fields
		p.gga = true
		s.fix(m.FixQuality)
		s.number(6, eventSatellites, "count", float64(m.NumSatellites), 0, 200)
		if m.FixQuality != nmea.Invalid {
			p.position(&s, 0, 1, m.Latitude, m.Longitude)
			s.number(8, eventAltitude, unitMetres, m.Altitude, -maxHeight, maxHeight)
			s.number(7, eventHDOP, "", m.HDOP, 0, 1000)
		}
	case nmea.GNS:
		s.fields = m.Fields
		if s.has(2) && !strings.HasPrefix(m.Fields[5], "N") {
			p.position(&s, 0, 1, m.Latitude, m.Longitude)
			s.number(8, eventAltitude, unitMetres, m.Altitude, -maxHeight, maxHeight)
		}
	case nmea.GLL:
		s.fields = m.Fields
		if m.Validity == nmea.ValidGLL {
			p.position(&s, 4, 0, m.Latitude, m.Longitude)
		}
	case nmea.VTG:
		s.fields = m.Fields
		s.number(4, eventSpeed, unitSpeed, m.GroundSpeedKnots*knot, 0, maxSpeed)
		s.number(0, eventCourse, unitDegrees, m.TrueTrack, 0, 360)
	case nmea.GSA:
		s.fields = m.Fields
		if mode, err := strconv.Atoi(m.FixType); err == nil {
			s.number(1, eventMode, "", float64(mode), 1, 3)
		}
	case nmea.ZDA:
		s.fields = m.Fields
		if s.has(0) && s.has(1) && s.has(2) && s.has(3) {
			s.time(m.Time, int(m.Year), int(m.Month), int(m.Day))
		}
	default:
		instruments(&s, sentence)
	}
	for i := range s.list[s.from:] { // the library's ranges are those of its number types
		if v, ok := s.list[s.from+i].Value.(float64); ok && !finite(v) {
			s.err = fmt.Errorf("%w: %s is %v", ErrRange, s.list[s.from+i].Name, v)
		}
	}
	if s.err != nil {
		return s.list[:s.from], s.err
	}
	return s.list, nil
}

func (p *nmeaParser) rmc(s *sentenceEvents, m *nmea.RMC) {
	valid := m.Validity == nmea.ValidRMC
	if !p.gga {
		if valid {
			s.fix("1")
		} else {
			s.fix("0")
		}
	}
	if m.Time.Valid && m.Date.Valid {
		year := 2000 + m.Date.YY
		if m.Date.YY >= 80 { // the first receivers are of the eighties
			year -= 100
		}
		s.time(m.Time, year, m.Date.MM, m.Date.DD)
	}
	if !valid {
		return
	}
	p.position(s, 0, 2, m.Latitude, m.Longitude)
	s.number(6, eventSpeed, unitSpeed, m.Speed*knot, 0, maxSpeed)
	s.number(7, eventCourse, unitDegrees, m.Course, 0, 360)
}

func (s *sentenceEvents) fix(quality string) {
	if q, err := strconv.Atoi(quality); err == nil {
		s.list = append(s.list, Event{Name: eventFix, Value: float64(q)})
	}
}

// time appends the time that the receiver tells, unless there is no such day.
func (s *sentenceEvents) time(t nmea.Time, year, month, day int) {
	at := time.Date(year, time.Month(month), day, t.Hour, t.Minute, min(t.Second, 59), t.Millisecond*1e6, time.UTC)
	if at.Day() != day || int(at.Month()) != month || t.Hour > 23 || t.Minute > 59 || t.Second > 60 || year > 9999 {
		s.err = fmt.Errorf("%w: there is no such time", ErrRange)
		return
	}
	s.list = append(s.list, Event{Name: eventTime, Value: at.Format("2006-01-02T15:04:05.999Z07:00")})
}

// position appends the position, unless it was told already: several sentences tell the same fix, whose time is in one of the fields.
func (p *nmeaParser) position(s *sentenceEvents, at, field int, lat, lon float64) {
	if !s.has(field) || !s.has(field+2) {
		return
	}
	if math.Abs(lat) > 90 || math.Abs(lon) > 180 || !finite(lat) || !finite(lon) {
		s.err = fmt.Errorf("%w: there is no place at %v, %v", ErrRange, lat, lon)
		return
	}
	if s.has(at) {
		when := strings.TrimRight(strings.TrimRight(s.fields[at], "0"), ".")
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
func instruments(s *sentenceEvents, sentence nmea.Sentence) {
	switch m := sentence.(type) {
	case nmea.HDT:
		s.fields = m.Fields
		s.number(0, "heading", unitDegrees, m.Heading, 0, 360)
	case nmea.HDM:
		s.fields = m.Fields
		s.number(0, "magnetic_heading", unitDegrees, m.Heading, 0, 360)
	case nmea.DPT:
		s.fields = m.Fields
		s.number(0, "depth", unitMetres, m.Depth, 0, maxDepthM)
	case nmea.DBT:
		s.fields = m.Fields
		s.number(2, "depth", unitMetres, m.DepthMeters, 0, maxDepthM)
	case nmea.MTW:
		s.fields = m.Fields
		s.number(0, "water_temp", "Cel", m.Temperature, -10, 60)
	case nmea.VHW:
		s.fields = m.Fields
		s.number(4, "water_speed", unitSpeed, m.SpeedThroughWaterKnots*knot, 0, maxSpeed)
	case nmea.MWV:
		s.fields = m.Fields
		if !m.StatusValid {
			return
		}
		kind := "apparent_"
		if m.Reference == nmea.TheoreticalMWV {
			kind = "true_"
		}
		factor := map[string]float64{
			nmea.UnitKMHMWV: 1 / 3.6, nmea.UnitMSMWV: 1, nmea.UnitKnotsMWV: knot, nmea.UnitSMilesHMWV: 0.44704,
		}[m.WindSpeedUnit]
		s.number(0, kind+"wind_angle", unitDegrees, m.WindAngle, -180, 360)
		s.number(2, kind+"wind_speed", unitSpeed, m.WindSpeed*factor, 0, maxWind)
	case nmea.ROT:
		s.fields = m.Fields
		if m.Valid {
			s.number(0, "rate_of_turn", "deg/min", m.RateOfTurn, -1000, 1000)
		}
	}
}
