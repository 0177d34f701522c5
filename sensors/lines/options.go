package lines

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"sighub/carrier/serial/port/remote"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/sensors/lines/formats"
)

// Options say what a port's lines are, and what becomes of them.
type Options struct {
	formats.Options

	// Sender is the sender's name. {port} stands for the last part of the port's path, or for its host and number if it is elsewhere, and {serial} for the serial number of a USB
	// adapter.
	Sender string
	// Events are the events that count. Others are passed over. Empty: all count.
	Events []string
	// Units are the units of events, which those that the lines give come after.
	Units map[string]string
	// Min and Max are what a value can be, by event. A value beyond is refused.
	Min, Max map[string]float64
	// Names are the names of senders of MySensors by NODE.CHILD or NODE.
	Names map[string]string
	// Silence is how long nothing may be understood until a sender counts as gone. 0: for ever.
	Silence time.Duration
	// End ends lines. When it is empty, any end is taken, and LF is written.
	End formats.End
	// Send is what is written.
	Send []Send

	// Baud is the fixed rate of the port. 0: the rate is found.
	Baud int
}

// A Send is a line that is written: at the start, every so often, or when a request asks for it.
type Send struct {
	// Line is the text, without its end. In the line of a request, {name} stands for a parameter, and {value} for one that has no
	// name.
	Line string
	// Start means that it is written whenever the port was opened.
	Start bool
	// Every is how often it is written. 0: not by itself.
	Every time.Duration
	// Request is the method of the sender that writes it. Empty: none does.
	Request string
	// Answer is a regular expression for the line that answers the request. Its named groups are the response; without any, the
	// line is. Empty: the request is answered with null as soon as its line is written.
	Answer string
	// Timeout is how long the answer may take. Default 2 s.
	Timeout time.Duration
}

const (
	defaultTimeout = 2 * time.Second
	maxTimeout     = time.Minute
	minEvery       = 100 * time.Millisecond
	maxSends       = 64
	maxSendLine    = 512 // bytes
)

// placeholder stands for a parameter of a request.
var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// Check returns what is wrong with the options.
func (o *Options) Check() error {
	if err := o.Options.Check(); err != nil {
		return err
	}
	if o.Sender == "" {
		return errors.New("the sender is missing: write sender: and the name that listeners are to use")
	}
	name := strings.NewReplacer("{port}", "p", "{serial}", "s").Replace(o.Sender)
	if err := safetext.CheckName(name); err != nil {
		return fmt.Errorf("sender %q cannot be a name: %w", safetext.Short(o.Sender, 64), err)
	}
	if strings.ContainsAny(name, "{}") {
		return fmt.Errorf("sender %q: only {port} and {serial} have a meaning: remove the other braces", safetext.Short(o.Sender, 64))
	}
	if len(o.Names) > 0 && o.Format != formats.MySensors {
		return errors.New("names are those of nodes of MySensors: leave them out")
	}
	if o.Unchecked && o.Format != formats.DSMR {
		return errors.New("only telegrams of dsmr can do without a checksum: leave checksum out")
	}
	if len(o.Events) > 0 && o.Format == formats.Number {
		return fmt.Errorf("number has one event: write event: %s instead of events", safetext.Short(o.Events[0], 64))
	}
	for _, event := range slices.Concat(o.Events, slices.Collect(maps.Keys(o.Units)), slices.Collect(maps.Keys(o.Min)), slices.Collect(maps.Keys(o.Max))) {
		if err := formats.CheckName(event); err != nil {
			return fmt.Errorf("event %q: %w", safetext.Short(event, 64), err)
		}
		if len(o.Events) > 0 && !slices.Contains(o.Events, event) {
			return fmt.Errorf("%s has a unit or a range, and is none of the events: add it to events", event)
		}
	}
	for event, unit := range o.Units {
		if err := safetext.CheckUnit(unit); err != nil {
			return fmt.Errorf("unit %q of %s cannot be shown: %w", safetext.Short(unit, 64), event, err)
		}
	}
	for event, low := range o.Min {
		if high, ok := o.Max[event]; ok && high <= low {
			return fmt.Errorf("%s can only be from %v to %v: max must be larger than min", event, low, high)
		}
	}
	for id, name := range o.Names {
		if !nodeID.MatchString(id) {
			return fmt.Errorf("names: %q is no node: write NODE.CHILD, such as \"12.6\", or NODE", safetext.Short(id, 32))
		}
		if err := safetext.CheckName(name); err != nil {
			return fmt.Errorf("names: %q cannot be a name: %w", safetext.Short(name, 64), err)
		}
	}
	if o.Silence < 0 {
		return fmt.Errorf("silence must not be negative: %v", o.Silence)
	}
	return o.checkSends()
}

var nodeID = regexp.MustCompile(`^(\d{1,3})(\.\d{1,3})?$`)

func (o *Options) checkSends() error {
	if len(o.Send) > maxSends {
		return fmt.Errorf("%d lines are to be sent: write %d at most", len(o.Send), maxSends)
	}
	seen := make(map[string]bool)
	for i := range o.Send {
		s := &o.Send[i]
		if err := s.check(); err != nil {
			return fmt.Errorf("the line %q to be sent: %w", safetext.Short(s.Line, 64), err)
		}
		if s.Request != "" && seen[s.Request] {
			return fmt.Errorf("the request %s is there twice: give each its own name", s.Request)
		}
		seen[s.Request] = true
	}
	return nil
}

func (s *Send) check() error {
	switch {
	case len(s.Line) > maxSendLine:
		return fmt.Errorf("it has more than %d bytes", maxSendLine)
	case strings.ContainsAny(s.Line, "\r\n"):
		return errors.New("it has the end of a line: leave that out, line_end says it")
	case !s.Start && s.Every == 0 && s.Request == "":
		return errors.New("it says neither start, nor every, nor request: write when it is to be sent")
	case s.Every != 0 && s.Every < minEvery:
		return fmt.Errorf("every %v is too often: write %v or more", s.Every, minEvery)
	case s.Request == "" && (s.Answer != "" || s.Timeout != 0):
		return errors.New("only a request has an answer: events come of what the format understands")
	case s.Timeout < 0 || s.Timeout > maxTimeout:
		return fmt.Errorf("the timeout must be up to %v, not %v", maxTimeout, s.Timeout)
	case (s.Start || s.Every > 0) && placeholder.MatchString(s.Line):
		return errors.New("only a request has parameters in braces")
	}
	if s.Request != "" {
		if err := safetext.CheckName(s.Request); err != nil {
			return fmt.Errorf("request %q cannot be a name: %w", safetext.Short(s.Request, 64), err)
		}
	}
	if _, err := regexp.Compile(s.Answer); err != nil {
		return fmt.Errorf("the answer is no regular expression: %w", err)
	}
	return nil
}

// SenderAt returns the name of the sender at a port.
func (o *Options) SenderAt(path, serialNumber string) string {
	base := remote.Base(path)
	return strings.NewReplacer("{port}", base, "{serial}", cmp.Or(serialNumber, base)).Replace(o.Sender)
}

// A Place is where a Speaker's senders are to be.
type Place struct {
	Path         string             // of the port
	SerialNumber string             // of its USB adapter; empty: there is none
	Router       func() *hub.Router // where the senders are; it is asked once the port is open
	Logger       *slog.Logger       // nil: nothing is logged
}
