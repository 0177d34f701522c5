package formats

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sighub/internal/safetext"
)

// A Command is what a message of MySensors is about. Source of this and of what follows: the description of the serial API, version
// 2.x, at mysensors.org.
type Command int

// The commands of messages.
const (
	Presentation Command = iota // a node tells what it has
	Set                         // a value
	Request                     // a value is wanted
	Internal                    // of nodes, the gateway and the controller
	Stream                      // of firmware that is replaced over the air
)

// The types of internal messages that have a meaning here.
const (
	BatteryLevel = 0
	TimeOfDay    = 1
	VersionOf    = 2
	Config       = 6
	LogMessage   = 9
	SketchName   = 11
	Present      = 19 // a node is asked to present itself
)

// WholeNode is the child of messages that are about a node as a whole.
const WholeNode = 255

// A Message is one of the serial API of MySensors: node;child;command;ack;type;payload.
type Message struct {
	Node, Child int
	Command     Command
	Ack         bool // of a message to a node: its echo is wanted; of one from a node: it is such an echo
	Type        int
	Payload     string
}

// maxPayload is the longest payload that MySensors can carry, in bytes.
const maxPayload = 25

// String returns the message as a line without its end.
func (m Message) String() string {
	ack := 0
	if m.Ack {
		ack = 1
	}
	return fmt.Sprintf("%d;%d;%d;%d;%d;%s", m.Node, m.Child, m.Command, ack, m.Type, m.Payload)
}

// Sender returns the sender that a message is from or for: NODE.CHILD, or NODE for a node as a whole.
func (m Message) Sender() string {
	if m.Child == WholeNode {
		return strconv.Itoa(m.Node)
	}
	return strconv.Itoa(m.Node) + "." + strconv.Itoa(m.Child)
}

// ParseMessage reads a line.
func ParseMessage(line string) (m Message, err error) {
	line, err = Text(line)
	if err != nil {
		return m, err
	}
	var ack, command int
	rest := line
	for i, field := range []struct {
		value *int
		most  int
	}{{&m.Node, 255}, {&m.Child, 255}, {&command, int(Stream)}, {&ack, 1}, {&m.Type, 255}} {
		text, more, ok := strings.Cut(rest, ";")
		n, err := strconv.Atoi(text)
		if !ok || err != nil || n < 0 || n > field.most || len(text) > 3 {
			return m, fmt.Errorf("%w: field %d of a message of MySensors is not a number up to %d", ErrForm, i+1, field.most)
		}
		*field.value, rest = n, more
	}
	m.Command, m.Ack, m.Payload = Command(command), ack == 1, rest
	return m, nil
}

// CheckPayload says why a text cannot be a payload.
func CheckPayload(text string) error {
	if len(text) > maxPayload {
		return fmt.Errorf("it has %d bytes, and MySensors carries %d", len(text), maxPayload)
	}
	return safetext.Check(text)
}

// mySensorsParser takes a line for a message. Only values are events.
type mySensorsParser struct{}

// Parse implements [Parser].
func (mySensorsParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	m, err := ParseMessage(line)
	if err != nil {
		return list, err
	}
	return m.Events(list)
}

// Events appends the event of a message that brings a value.
func (m Message) Events(list []Event) ([]Event, error) {
	switch {
	case m.Command == Internal && m.Type == BatteryLevel:
		v, err := numbers{}.number(strings.TrimSpace(m.Payload))
		if err != nil || v < 0 || v > 100 { // the API says percent
			return list, &ValueError{strconv.Itoa(m.Node), "battery", fmt.Errorf("%w: %s is no percentage", ErrRange, safetext.Short(m.Payload, 32))}
		}
		return append(list, Event{Of: strconv.Itoa(m.Node), Name: "battery", Unit: "%", Value: v}), nil
	case m.Command != Set || m.Ack:
		return list, nil
	}
	kind := variable(m.Type)
	e := Event{Of: m.Sender(), Name: kind.name, Unit: kind.unit}
	v, err := kind.value(m.Payload)
	if err != nil {
		return list, &ValueError{Of: e.Of, Event: kind.name, Err: err}
	}
	e.Value = v
	return append(list, e), nil
}

// value reads a payload.
func (v variableKind) value(payload string) (any, error) {
	payload = strings.TrimSpace(payload)
	if v.text {
		if err := safetext.Check(payload); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrForm, err)
		}
		return payload, nil
	}
	n, err := numbers{}.number(payload)
	if err == errNumber { //nolint:errorlint // it is never wrapped
		err = fmt.Errorf("%w: %s is not a number", ErrForm, safetext.Short(payload, 32))
	}
	switch {
	case err != nil:
		return nil, err
	case v.logical && n != 0 && n != 1:
		return nil, fmt.Errorf("%w: %v is neither 0 nor 1", ErrRange, n)
	case v.logical:
		return n == 1, nil
	case v.high > v.low && (n < v.low || n > v.high):
		return nil, fmt.Errorf("%w: %v is not from %v to %v", ErrRange, n, v.low, v.high)
	}
	return n, nil
}

// Payload returns a value as the payload of a message that sets an event, and the event's type.
func Payload(event string, value any) (kind int, payload string, err error) {
	kind, ok := VariableType(event)
	if !ok {
		return 0, "", fmt.Errorf("MySensors has no variable %s: write the name of one, such as status, or its number", safetext.Short(event, 64))
	}
	switch v := value.(type) {
	case bool:
		payload = "0"
		if v {
			payload = "1"
		}
	case float64:
		payload = strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		payload = strconv.Itoa(v)
	case int64:
		payload = strconv.FormatInt(v, 10)
	case uint64:
		payload = strconv.FormatUint(v, 10)
	case string:
		payload = v
	default:
		return 0, "", fmt.Errorf("a value of %T cannot be sent: write a number, a text, true or false", value)
	}
	if err := CheckPayload(payload); err != nil {
		return 0, "", fmt.Errorf("%s cannot be sent: %w", event, err)
	}
	_, err = variable(kind).value(payload)
	return kind, payload, err
}
