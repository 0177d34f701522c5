package formats

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// The names of the formats.
const (
	JSON      = "json"      // an object a line; nested ones have names with dots
	Pairs     = "pairs"     // temp:21.5,hum:40 or temp=21.5 hum=40
	CSV       = "csv"       // values by column
	Number    = "number"    // one number a line
	NMEA      = "nmea"      // NMEA 0183, as GPS receivers and instruments of boats speak it
	MySensors = "mysensors" // the serial API of MySensors, version 2
	DSMR      = "dsmr"      // telegrams of smart meters: the P1 port of DSMR, eSMR, e-MUCS and the like
	Pattern   = "pattern"   // the named groups of a regular expression
)

// Names returns the names of all formats.
func Names() []string { return []string{JSON, Pairs, CSV, Number, NMEA, MySensors, DSMR, Pattern} }

// The kinds of refusals.
var (
	ErrNoise   = carrier.NewRefusal("this is not text", "noise")                     // bytes that are no text
	ErrForm    = carrier.NewRefusal("this is not a line of the format", "format")    // text of another kind
	ErrDamaged = carrier.NewRefusal("the checksum does not hold", "damaged")         // the line has suffered on its way
	ErrFailed  = carrier.NewRefusal("the device has no value", "failed")             // it prints nan, or says that it failed
	ErrRange   = carrier.NewRefusal("false reading", "range")                        // no value that can be true
	ErrName    = carrier.NewRefusal("this cannot be the name of an event", "name")   // a name that the hub does not take
	ErrLong    = carrier.NewRefusal("the line is too long", "size")                  // longer than the Splitter takes
	errNumber  = errors.New("not a number")                                          // of a text that may be something else
	errNoValue = fmt.Errorf("%w: nan, inf or ovf instead of a number", ErrFailed)    // as Arduino prints them
	errTooBig  = fmt.Errorf("%w: a number beyond what a double can hold", ErrRange)  //
	errText    = fmt.Errorf("%w: a text that is not a plain word", ErrForm)          //
	errLeft    = fmt.Errorf("%w: something stands between the pairs", ErrForm)       //
	errHeader  = fmt.Errorf("%w: no header line has come: write columns", ErrForm)   //
	errTwice   = fmt.Errorf("%w: the same name twice in a line", ErrForm)            //
	errMatch   = fmt.Errorf("%w: the pattern does not match", ErrForm)               //
	errMany    = fmt.Errorf("%w: more than %d values in a line", ErrForm, maxValues) //
	errBoot    = fmt.Errorf("%w: the text of a boot loader", ErrForm)                //
)

// Bounds of what a line may bring.
const (
	maxValues = 128 // of a line
	maxName   = 64  // bytes of an event's name
	maxText   = 256 // bytes of a value that is a text
	maxDepth  = 8   // of nested objects
)

// An Event is one value that a line brings.
type Event struct {
	Of    string    // whose event, if a line is that of several senders; empty: the line's own
	Name  string    //
	Unit  string    // that the format or the line gives; empty: none
	Value any       // a float64, a string, a bool or a Position
	At    time.Time // when it was measured, if the device tells; zero: when the line came
}

// A ValueError says that a line has no value for one event that can be taken.
type ValueError struct {
	Of, Event string // as in [Event]
	Err       error
}

// Error implements error.
func (e *ValueError) Error() string { return e.Err.Error() + ", for " + e.Event }

// Unwrap returns the reason.
func (e *ValueError) Unwrap() error { return e.Err }

// A Position is a place on earth.
type Position struct {
	Lat float64 `json:"lat"` // degrees, north is positive
	Lon float64 `json:"lon"` // degrees, east is positive
}

// A Parser makes events of the lines of one device. One goroutine at a time uses it.
type Parser interface {
	// Parse appends the events of a line, without its end, whose first byte came at a time. A line may be right and have no
	// events. After an error, the events appended are those that are right nevertheless.
	Parse(list []Event, line string, at time.Time) ([]Event, error)
}

// A Vocabulary is a Parser that knows beforehand which events there may be.
type Vocabulary interface {
	Parser
	// Family returns the events that usually come together with this one, with their units. For an event without a name it
	// returns those that come in any case.
	Family(e Event) []Event
}

// Options configure a [Parser].
type Options struct {
	Format  string
	Columns []string // of CSV; empty: there is a header line. "-" leaves a column out
	Pattern string   // of Pattern
	Event   string   // of Number; empty: "value"
	// Comma means that numbers have a decimal comma.
	Comma bool
	// Unchecked means that telegrams of DSMR have no checksum, as those before version 4.
	Unchecked bool
}

// Check returns what is wrong with the options.
func (o *Options) Check() error {
	_, err := New(*o)
	return err
}

// New returns the Parser of a format.
func New(o Options) (Parser, error) {
	if o.Comma && !slices.Contains([]string{Pairs, CSV, Number, Pattern}, o.Format) {
		return nil, fmt.Errorf("numbers of the format %s always have a point: leave decimal out", o.Format)
	}
	n := numbers{comma: o.Comma}
	switch o.Format {
	case JSON:
		return jsonParser{}, nil
	case Pairs:
		return pairsParser{n}, nil
	case CSV:
		return newCSV(o.Columns, n)
	case Number:
		name := o.Event
		if name == "" {
			name = "value"
		}
		return numberParser{name, n}, CheckName(name)
	case NMEA:
		return new(nmeaParser), nil
	case MySensors:
		return mySensorsParser{}, nil
	case DSMR:
		return &dsmrParser{unchecked: o.Unchecked, lost: true}, nil // a port may be opened amid a telegram
	case Pattern:
		return newPattern(o.Pattern, n)
	case "":
		return nil, fmt.Errorf("the format is missing: write one of %s", strings.Join(Names(), ", "))
	default:
		return nil, fmt.Errorf("there is no format %q: write one of %s", safetext.Short(o.Format, 64), strings.Join(Names(), ", "))
	}
}

// CheckName returns an error that wraps [ErrName] if an event cannot have a name: what the hub does not take as a name, the names of
// channels, which a device on a line does not choose, and names of more than 64 bytes.
func CheckName(name string) error {
	switch err := safetext.CheckName(name); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrName, err)
	case name[0] == '#':
		return fmt.Errorf("%w: it begins with #", ErrName)
	case len(name) > maxName:
		return fmt.Errorf("%w: it has more than %d bytes", ErrName, maxName)
	}
	return nil
}

// appendOnce appends an event, unless the line has had it before.
func appendOnce(list []Event, from int, e Event) ([]Event, error) {
	if len(list)-from >= maxValues {
		return list, errMany
	}
	for i := range list[from:] {
		if list[from+i].Name == e.Name && list[from+i].Of == e.Of {
			return list, errTwice
		}
	}
	return append(list, e), nil
}

// patternParser has the named groups of a regular expression.
type patternParser struct {
	pattern *regexp.Regexp
	names   []string
	numbers numbers
}

func newPattern(text string, n numbers) (Parser, error) {
	if text == "" {
		return nil, errors.New(`the pattern is missing: write pattern: and an expression with named groups, such as '^T=(?P<temp>[-0-9.]+)'`)
	}
	p, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the pattern is no regular expression: %w", err)
	}
	named := 0
	for _, name := range p.SubexpNames() {
		if name != "" {
			named++
		}
	}
	if named == 0 {
		return nil, errors.New("the pattern has no named group: write (?P<temp>[-0-9.]+) for the event temp")
	}
	return &patternParser{p, p.SubexpNames(), n}, nil
}

// Parse implements [Parser].
func (p *patternParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	line, err := Text(line)
	if err != nil {
		return list, err
	}
	found := p.pattern.FindStringSubmatchIndex(line)
	if found == nil {
		return list, errMatch
	}
	from := len(list)
	for i, name := range p.names {
		if name == "" || found[2*i] < 0 {
			continue
		}
		value, err := p.numbers.value(line[found[2*i]:found[2*i+1]])
		if err == nil {
			list, err = appendOnce(list, from, Event{Name: name, Value: value})
		}
		if err != nil {
			return list[:from], &ValueError{Event: name, Err: err}
		}
	}
	return list, nil
}

// Family implements [Vocabulary].
func (p *patternParser) Family(Event) (list []Event) {
	for _, name := range p.names {
		if name != "" {
			list = append(list, Event{Name: name})
		}
	}
	return list
}

// numberParser takes a line for one number.
type numberParser struct {
	name    string
	numbers numbers
}

// Parse implements [Parser].
func (p numberParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	line, err := Text(line)
	if err != nil {
		return list, err
	}
	value, unit, err := p.numbers.measured(line)
	if errors.Is(err, errNumber) {
		err = fmt.Errorf("%w: it is not a number", ErrForm)
	}
	if err != nil {
		return list, &ValueError{Event: p.name, Err: err}
	}
	return append(list, Event{Name: p.name, Unit: unit, Value: value}), nil
}

// Family implements [Vocabulary].
func (p numberParser) Family(Event) []Event { return []Event{{Name: p.name}} }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
