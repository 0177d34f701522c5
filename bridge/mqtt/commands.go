package mqtt

import (
	"context"
	"errors"
	"fmt"

	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
)

// maxCommands is how many requests of a broker run at a time. Others are refused.
const maxCommands = 64

// A command is a request that came from the broker.
type command struct {
	sender, name string
	params       carrier.Value
	message      *client.Message
}

// commandOf returns the request that a message is.
func (b *Bridge) commandOf(m *client.Message) (*command, error) {
	sender, name, ok := b.topics().ParseRequest(m.Topic)
	if !ok {
		return nil, errors.New("the topic is not that of a request")
	}
	if m.Retain {
		return nil, errors.New("the broker has kept it, so nobody asks for it now: publish requests without retain")
	}
	c := &command{sender: sender, name: name, message: m}
	if len(m.Payload) > 0 {
		c.params = carrier.RawValue(carrier.JSON, m.Payload)
		if err := carrier.CheckValue(carrier.JSON, m.Payload); err != nil {
			return nil, fmt.Errorf("the payload is not JSON: %w", err)
		}
	}
	return c, nil
}

// ask sends a request to the hub, and the answer to who has asked, if a topic for that was given.
func (b *Bridge) ask(ctx context.Context, c *client.Client, m *client.Message) {
	status := "done"
	var answer carrier.Value
	cmd, err := b.commandOf(m)
	if err == nil {
		answer, err = b.hub.RemoteRequest(ctx, cmd.sender, cmd.name, cmd.params)
	}
	if err != nil {
		b.log.Warn("a request of the broker failed", "bridge", b.o.Name, "topic", m.Topic, "error", err)
		status, answer = "failed", carrier.ValueOf(carrier.Object{{Key: "error", Value: err.Error()}})
	}
	if m.ResponseTopic == "" {
		return
	}
	payload, err := answer.AppendTo(nil, carrier.JSON)
	if err == nil {
		err = c.Say(ctx, &client.Message{
			Topic: m.ResponseTopic, Payload: payload, CorrelationData: m.CorrelationData, User: []user{{Key: "status", Value: status}},
		})
	}
	if err != nil && ctx.Err() == nil {
		b.log.Warn("an answer to the broker is lost", "bridge", b.o.Name, "topic", m.ResponseTopic, "error", err)
	}
}
