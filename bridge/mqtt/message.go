package mqtt

import (
	"strconv"
	"time"

	"sighub/bridge"
	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
	"sighub/hub"
)

// What a message may have for its payload.
const (
	Data     = "data"     // the event's data, in JSON
	Envelope = "envelope" // a map with the event's data, time, id and so on
)

// Payloads lists what a message may have for its payload.
func Payloads() []string { return []string{Data, Envelope} }

// message makes the message of an event.
func (b *Bridge) message(ev *bridge.Event) (*client.Message, error) {
	m := &client.Message{Topic: b.template.topic(ev), Retain: b.o.Retain, User: properties(ev)}
	data := ev.Data
	if ev.Name == hub.Connect || ev.Name == hub.Disconnect {
		m.Retain = true
		data = carrier.ValueOf(stateOf(ev.Name == hub.Connect, ev.Data, ev.Time))
	}
	if b.o.Payload == Envelope {
		data = carrier.ValueOf(envelope(ev, data))
	}
	var err error
	m.Payload, err = data.AppendTo(nil, carrier.JSON)
	return m, err
}

// properties are the user properties of an event: its id, by which one that comes twice is known, and when it happened.
func properties(ev *bridge.Event) []user {
	list := []user{{Key: "id", Value: ev.ID()}, {Key: "time", Value: ev.Time.UTC().Format(time.RFC3339Nano)}}
	if ev.Uncertainty > 0 {
		list = append(list, user{Key: "uncertainty", Value: strconv.FormatFloat(ev.Uncertainty.Seconds(), 'f', -1, 64)})
	}
	return list
}

// envelope is what is told of an event.
func envelope(ev *bridge.Event, data carrier.Value) carrier.Object {
	o := carrier.Object{{Key: "id", Value: ev.ID()}, {Key: "sender", Value: ev.Sender}, {Key: "event", Value: ev.Name}}
	if d := ev.Device(); d != "" {
		o = append(o, carrier.Field{Key: "device", Value: d})
	}
	o = append(o, carrier.Field{Key: "time", Value: ev.Time.UTC().Format(time.RFC3339Nano)})
	if ev.Uncertainty > 0 {
		o = append(o, carrier.Field{Key: "uncertainty", Value: ev.Uncertainty.Seconds()})
	}
	return append(o, carrier.Field{Key: "connection", Value: ev.Connection}, carrier.Field{Key: "seq", Value: ev.Seq},
		carrier.Field{Key: "position", Value: []uint64{uint64(ev.Position.Epoch), ev.Position.Sequence}}, carrier.Field{Key: "data", Value: data})
}

// stateOf is what is told of a sender that has come or gone; connection is the data of that event.
func stateOf(connected bool, connection carrier.Value, at time.Time) carrier.Object {
	o := carrier.Object{{Key: "connected", Value: connected}}
	var c hub.Connection
	if !connected && connection.Decode(&c) == nil && c.Reason != "" {
		o = append(o, carrier.Field{Key: "reason", Value: c.Reason})
	}
	return append(o, carrier.Field{Key: "time", Value: at.UTC().Format(time.RFC3339Nano)})
}

// user is a user property.
type user = client.User
