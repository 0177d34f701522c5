package lines

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/safetext"
	"sighub/sensors/lines/formats"
)

// wholeGateway is the node of a gateway.
const wholeGateway = 0

// greet asks the gateway for its version, as every controller does: some gateways say nothing before.
func (l *session) greet() {
	l.sendNow(formats.Message{Node: wholeGateway, Child: formats.WholeNode, Command: formats.Internal, Type: formats.VersionOf}.String())
	clear(l.station.asked)
}

// mySensors does what a message wants of a controller, beside having events: names, and answers to the questions of nodes.
func (l *session) mySensors(i *item) {
	m, err := formats.ParseMessage(i.text)
	if err != nil || i.half {
		return
	}
	l.askToPresent(m)
	switch {
	case m.Command == formats.Set: // also the echo of what a request has set
		if p := l.station.place(m.Sender()); p != nil && formats.CheckPayload(m.Payload) == nil {
			p.remember(m.Type, m.Payload)
		}
	case m.Command == formats.Presentation && m.Child != formats.WholeNode:
		name := strings.TrimSpace(m.Payload)
		if name != "" && safetext.CheckName(name) == nil {
			l.station.rename(m.Sender(), strconv.Itoa(m.Node)+"."+name)
		}
	case m.Command == formats.Request:
		l.answerNode(m)
	case m.Command == formats.Internal:
		l.internal(m)
	}
}

// internal answers what nodes ask of a controller. The time is that of the place, as sketches show it.
func (l *session) internal(m formats.Message) {
	answer := m
	switch m.Type {
	case formats.TimeOfDay:
		now := time.Now()
		_, offset := now.Zone()
		answer.Payload = strconv.FormatInt(now.Unix()+int64(offset), 10)
	case formats.Config:
		answer.Payload = "M" // metric
	case formats.LogMessage:
		l.log.Debug("the gateway says", "text", safetext.Short(m.Payload, shownLine))
		return
	default:
		return
	}
	answer.Ack = false
	l.sendNow(answer.String())
}

// askToPresent asks a node once to present itself, so that its children have the names that it gives them.
func (l *session) askToPresent(m formats.Message) {
	if l.station.asked[m.Node] || m.Node == wholeGateway || m.Node == 255 || m.Command == formats.Presentation {
		return
	}
	l.station.asked[m.Node] = true
	l.sendNow(formats.Message{Node: m.Node, Child: formats.WholeNode, Command: formats.Internal, Type: formats.Present}.String())
}

// answerNode answers a node that asks for a value: with the one that was set last, by whomever.
func (l *session) answerNode(m formats.Message) {
	p := l.station.places[m.Sender()]
	if p == nil {
		return
	}
	if payload, ok := p.payloads[m.Type]; ok {
		m.Command, m.Ack, m.Payload = formats.Set, false, payload
		l.sendNow(m.String())
	}
}

// remember keeps the latest value of a variable, as it came.
func (p *place) remember(kind int, payload string) {
	if p.payloads == nil {
		p.payloads = make(map[int]string)
	}
	p.payloads[kind] = payload
}

// nodeRequests returns the requests of a child of a node:
//
//	set {"status": true}   sets variables, and waits for the echo of each
//	req "temp"             asks for a value, and returns it; without a name, the only one
func (s *Speaker) nodeRequests(p *place) map[string]hub.RequestHandler {
	id := strings.Split(p.of, ".")
	if len(id) != 2 {
		return nil // a node as a whole
	}
	node, _ := strconv.Atoi(id[0])
	child, _ := strconv.Atoi(id[1])
	to := formats.Message{Node: node, Child: child}
	var only string
	if len(p.known) == 1 {
		for name := range p.known {
			only = name
		}
	}
	return map[string]hub.RequestHandler{
		"set": func(ctx context.Context, _ string, params carrier.Value) (any, error) {
			return s.setVariables(ctx, to, params)
		},
		"req": func(ctx context.Context, _ string, params carrier.Value) (any, error) {
			return s.requestVariable(ctx, to, only, params)
		},
	}
}

func (s *Speaker) setVariables(ctx context.Context, to formats.Message, params carrier.Value) (any, error) {
	var values map[string]any
	if err := params.Decode(&values); err != nil || len(values) == 0 {
		return nil, errors.New(`write what to set, as in {"status": true}`)
	}
	var messages []formats.Message
	for event, v := range values {
		kind, payload, err := formats.Payload(event, v)
		if err != nil {
			return nil, err
		}
		m := to
		m.Command, m.Ack, m.Type, m.Payload = formats.Set, true, kind, payload
		messages = append(messages, m)
	}
	for _, m := range messages {
		echo := func(line string) (any, bool, bool) {
			got, err := formats.ParseMessage(line)
			return nil, err == nil && got == m, false
		}
		if _, err := s.asked.ask(ctx, &ask{line: m.String(), timeout: defaultTimeout, match: echo}); err != nil {
			return nil, fmt.Errorf("set %s: %w", m.Sender(), err)
		}
	}
	return nil, nil
}

func (s *Speaker) requestVariable(ctx context.Context, to formats.Message, only string, params carrier.Value) (any, error) {
	event := only
	if !params.IsNull() {
		if err := params.Decode(&event); err != nil {
			return nil, errors.New(`write the name of what is asked for, as in "temp"`)
		}
	}
	kind, ok := formats.VariableType(event)
	if !ok {
		return nil, fmt.Errorf(`write which of its values is asked for, as in "temp", not %q`, safetext.Short(event, 64))
	}
	m := to
	m.Command, m.Type = formats.Request, kind
	value := func(line string) (any, bool, bool) {
		got, err := formats.ParseMessage(line)
		if err != nil || got.Node != m.Node || got.Child != m.Child || got.Type != kind || got.Command != formats.Set || got.Ack {
			return nil, false, false
		}
		list, err := got.Events(nil)
		if err != nil || len(list) == 0 {
			return nil, false, false
		}
		return list[0].Value, true, false
	}
	return s.asked.ask(ctx, &ask{line: m.String(), timeout: defaultTimeout, match: value})
}
