package mqtt

import (
	"bytes"
	"context"
	"sync"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/internal/lockrank"
)

// An inbox is where messages of the broker arrive, on one connection.
type inbox struct {
	b     *Bridge
	tasks sync.WaitGroup  // requests
	known map[string]bool // topics of newest states
	marks bool            // the mark may be moved: see Bridge.begin; it is for the goroutine of Bridge.connect

	mu      lockrank.Mutex[lockrank.Leaf]
	ctx     context.Context // of requests; nil: they are not taken yet
	client  *client.Client
	running int
	hello   []byte        // what was said of the hub when this looked last
	here    chan struct{} // closed when that has come back; it changes when this looks again
	mark    []byte        // what the broker has kept of the mark; it does not change when here is closed
}

func newInbox(b *Bridge) *inbox {
	in := &inbox{b: b}
	if b.newest != nil {
		in.known = b.announcer.Known()
	}
	return in
}

// echoTimeout is how long it may take until what is published comes back.
const echoTimeout = 10 * time.Second

// look subscribes, and waits until everything has come that the broker has kept. The broker sends that before what is published later,
// so the hub's own state is published and waited for.
func (in *inbox) look(ctx context.Context, c *client.Client) error {
	b := in.b
	here := make(chan struct{})
	in.mu.Lock()
	in.hello, in.here, in.mark = presentSince(time.Now()), here, nil
	in.mu.Unlock()
	filters := []client.Filter{{Topics: b.hubTopic(), QoS: 1}}
	if b.newest != nil {
		filters = append(filters, client.Filter{Topics: b.o.Prefix + "#", Kept: true, QoS: 1})
	} else {
		filters = append(filters, client.Filter{Topics: b.markTopic(), Kept: true, QoS: 1})
	}
	if err := c.Subscribe(ctx, filters...); err != nil {
		return err
	}
	if err := c.Say(ctx, &client.Message{Topic: b.hubTopic(), Payload: in.hello, Retain: true}); err != nil {
		return err
	}
	timer := time.NewTimer(echoTimeout)
	defer timer.Stop()
	select {
	case <-here:
	case <-timer.C:
		b.log.Warn("the broker does not send what it has kept: allow this user to subscribe to the topic", "bridge", b.o.Name, "topic", filters[1].Topics)
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return c.Unsubscribe(ctx, filters...)
}

// commands subscribes to requests, and to what Home Assistant says.
func (in *inbox) commands(ctx context.Context, c *client.Client) error {
	b := in.b
	in.mu.Lock()
	in.ctx, in.client = ctx, c
	in.mu.Unlock()
	var filters []client.Filter
	if b.o.Commands {
		for _, topics := range b.topics().Requests() {
			filters = append(filters, client.Filter{Topics: topics, QoS: 1})
		}
	}
	if b.announces() {
		filters = append(filters, client.Filter{Topics: b.statusTopic(), QoS: 1})
	}
	if len(filters) == 0 {
		return nil
	}
	return c.Subscribe(ctx, filters...)
}

// announces reports whether devices are announced to Home Assistant.
func (b *Bridge) announces() bool { return b.newest != nil && b.o.HomeAssistant != nil && !b.o.Silent }

func (b *Bridge) statusTopic() string { return b.announcer.Status() }

// handle is called with each message of the broker.
func (in *inbox) handle(m *client.Message) {
	b := in.b
	in.mu.Lock()
	ctx, c := in.ctx, in.client
	if ctx == nil {
		switch {
		case m.Topic == b.hubTopic():
			if bytes.Equal(m.Payload, in.hello) && !in.isHere() {
				close(in.here)
			}
			in.mu.Unlock()
		case m.Topic == b.markTopic() && !in.isHere():
			in.mark = m.Payload
			in.mu.Unlock()
		default:
			in.mu.Unlock()
			if in.known[m.Topic] {
				b.known(m, time.Now())
			}
		}
		return
	}
	in.mu.Unlock()
	if b.announces() && m.Topic == b.statusTopic() {
		if string(m.Payload) == "online" {
			b.announcer.Online()
		}
		return
	}
	if !b.o.Commands {
		return
	}
	in.mu.Lock()
	full := in.running >= maxCommands
	if !full {
		in.running++
	}
	in.mu.Unlock()
	if full {
		b.log.Warn("a request of the broker is dropped: too many are running", "bridge", b.o.Name, "topic", m.Topic, "most", maxCommands)
		return
	}
	in.tasks.Go(func() {
		b.ask(ctx, c, m)
		in.mu.Lock()
		in.running--
		in.mu.Unlock()
	})
}

func (in *inbox) isHere() bool {
	select {
	case <-in.here:
		return true
	default:
		return false
	}
}
