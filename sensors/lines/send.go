package lines

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/sensors/lines/formats"
)

// maxWrites is how many lines may wait to be written.
const maxWrites = 16

// errStalled says that they do.
var errStalled = errors.New("the device does not take what is written: check its flow control")

// write writes lines until the session ends.
func (l *session) write() {
	for {
		select {
		case <-l.ended:
			return
		case line := <-l.writes:
			select {
			case <-l.free:
			case <-l.ended:
				return
			}
			_, err := l.port.Write([]byte(line)) // closing the port ends it
			l.free <- struct{}{}
			if err != nil {
				return // the reader notices, too
			}
		}
	}
}

// send has a line written.
func (l *session) send(line string) error {
	end := string(l.options.End)
	if end == "" {
		end = string(formats.LF)
	}
	select {
	case l.writes <- line + end:
		return nil
	default:
		return errStalled
	}
}

// start writes what is to be written at the start, and connects a sender that answers requests: it may have no events at all.
func (l *session) start() {
	now := time.Now()
	l.schedule = make([]time.Time, len(l.options.Send))
	for i := range l.options.Send {
		s := &l.options.Send[i]
		if s.Start {
			l.sendNow(s.Line)
		}
		if s.Every > 0 {
			l.schedule[i] = now
			if s.Start {
				l.schedule[i] = now.Add(s.Every)
			}
		}
	}
	if l.options.Format == formats.MySensors {
		l.greet()
	}
	p := l.station.place("")
	if len(p.requests()) == 0 {
		return
	}
	if v, ok := l.parser.(formats.Vocabulary); ok && len(l.options.Events) == 0 {
		for _, e := range v.Family(formats.Event{}) {
			if e.Name != "" {
				p.know(e.Name, e.Unit)
			}
		}
	}
	if p.connect(now) {
		p.last = now
	}
}

func (l *session) sendNow(line string) {
	if err := l.send(line); err != nil {
		l.log.Warn("a line cannot be written", "text", safetext.Short(line, shownLine), "error", err)
	}
}

// due writes what is due.
func (l *session) due(now time.Time) {
	for i, at := range l.schedule {
		if at.IsZero() || now.Before(at) {
			continue
		}
		s := &l.options.Send[i]
		l.sendNow(s.Line)
		if l.schedule[i] = at.Add(s.Every); l.schedule[i].Before(now) { // after a pause there is no need to make up for it
			l.schedule[i] = now.Add(s.Every)
		}
	}
}

// requests returns the requests that a sender answers; nil if there are none.
func (p *place) requests() map[string]hub.RequestHandler {
	s := p.station.speaker
	if p.of != "" {
		return s.nodeRequests(p)
	}
	var all map[string]hub.RequestHandler
	for i := range s.options.Send {
		if send := &s.options.Send[i]; send.Request != "" {
			if all == nil {
				all = make(map[string]hub.RequestHandler)
			}
			all[send.Request] = s.request(send)
		}
	}
	return all
}

// request returns what answers a request that the options describe.
func (s *Speaker) request(send *Send) hub.RequestHandler {
	timeout := send.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	var match func(line string) (any, bool, bool)
	if send.Answer != "" {
		answer := regexp.MustCompile(send.Answer) // Check has compiled it
		match = func(line string) (any, bool, bool) { return matchAnswer(answer, line) }
	}
	return func(ctx context.Context, _ string, params carrier.Value) (any, error) {
		line, err := fill(send.Line, params)
		if err != nil {
			return nil, err
		}
		return s.asked.ask(ctx, &ask{line: line, timeout: timeout, match: match})
	}
}

// matchAnswer returns the named groups of an answer or, without any, the whole line.
func matchAnswer(answer *regexp.Regexp, line string) (response any, ok, consumed bool) {
	text, err := formats.Text(line)
	if err != nil {
		return nil, false, false
	}
	found := answer.FindStringSubmatch(text)
	if found == nil {
		return nil, false, false
	}
	groups := make(map[string]any)
	for i, name := range answer.SubexpNames() {
		if name != "" && found[i] != "" {
			groups[name] = plainValue(found[i])
		}
	}
	if len(groups) == 0 {
		return text, true, true
	}
	return groups, true, true
}

// plainValue returns a number if a text is one, else the text.
func plainValue(text string) any {
	if v, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789+-.eE") == "" {
		return v
	}
	return text
}

// fill puts the parameters of a request into its line.
func fill(line string, params carrier.Value) (string, error) {
	var given any
	if err := params.Decode(&given); err != nil && !params.IsNull() {
		return "", err
	}
	var failed error
	filled := placeholder.ReplaceAllStringFunc(line, func(hole string) string {
		name := hole[1 : len(hole)-1]
		v, ok := parameter(given, name)
		if !ok {
			failed = fmt.Errorf("the parameter %s is missing", name)
			return ""
		}
		text, err := printable(v)
		if err != nil {
			failed = fmt.Errorf("the parameter %s %w", name, err)
		}
		return text
	})
	if failed == nil && len(filled) > 2*maxSendLine {
		failed = fmt.Errorf("the line would have %d bytes: shorten the parameters", len(filled))
	}
	return filled, failed
}

// parameter returns a parameter by its name. A value that is no map is the parameter value.
func parameter(given any, name string) (any, bool) {
	switch m := given.(type) {
	case map[string]any:
		v, ok := m[name]
		return v, ok
	case map[any]any:
		v, ok := m[name]
		return v, ok
	case nil:
		return nil, false
	}
	return given, name == "value"
}

// printable returns a parameter as it is written. What would end the line, or do something else to the device, is refused.
func printable(v any) (string, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case uint64:
		text = strconv.FormatUint(v, 10)
	default:
		return "", fmt.Errorf("is a %T: give a number, a text, true or false", v)
	}
	if err := safetext.Check(text); err != nil {
		return "", fmt.Errorf("cannot be written: %w", err)
	}
	return text, nil
}
