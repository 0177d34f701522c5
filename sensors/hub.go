package sensors

import (
	"context"

	"sighub/hub"
)

// A Hub is where a Poller's sensors become senders: see [OnRouter] and [OnClientRouter].
type Hub interface {
	// Connect announces a sender with these events and their units. The Poller calls it again after an error.
	Connect(ctx context.Context, name string, events, units []string) (Sender, error)
}

// A Sender is a sensor's place in the hub while it is connected.
type Sender interface {
	// Report triggers an event, by its index in the list that Connect was given.
	Report(ctx context.Context, event int, r Reading) error
	// Disconnect announces that the sender has gone, and why. It does not wait.
	Disconnect(reason string)
}

// OnRouter returns a Hub whose senders are senders of r. For a [hub.ServerRouter], pass its Router field. A reading
// arrives at listeners as a device's does: the data is the bare number, its unit is in #connect, its time and uncertainty
// are the event's.
func OnRouter(r *hub.Router) Hub {
	return hubFunc(func(_ context.Context, name string, o hub.SenderOptions) (*hub.Sender, error) {
		return r.AddSender(name, o)
	})
}

// OnClientRouter returns a Hub whose senders are senders of the hub to which r is connected. While there is no
// connection, new senders wait for one, and readings of senders that were connected before are dropped and logged. The
// reason of #disconnect is always "removed".
func OnClientRouter(r *hub.ClientRouter) Hub { return hubFunc(r.AddRemoteSender) }

// A hubFunc adds a sender to a router.
type hubFunc func(ctx context.Context, name string, o hub.SenderOptions) (*hub.Sender, error)

type routerSender struct {
	sender  *hub.Sender
	signals []*hub.Signal
	gap     *hub.Signal
}

func (add hubFunc) Connect(ctx context.Context, name string, events, units []string) (Sender, error) {
	o := hub.SenderOptions{Events: events, Units: make(map[string]string, len(units))}
	for i, unit := range units {
		o.Units[events[i]] = unit
	}
	added, err := add(ctx, name, o)
	if err != nil {
		return nil, err
	}
	s := &routerSender{sender: added, signals: make([]*hub.Signal, len(events))}
	for i, event := range events {
		if s.signals[i], err = added.Signal(event); err != nil {
			added.Remove()
			return nil, err
		}
	}
	if s.gap, err = added.Signal(hub.Gap); err != nil {
		added.Remove()
		return nil, err
	}
	return s, nil
}

func (s *routerSender) Report(ctx context.Context, event int, r Reading) error {
	return s.signals[event].TriggerAt(ctx, r.Value, r.Time, r.Uncertainty)
}

func (s *routerSender) Disconnect(reason string) { s.sender.RemoveBecause(reason) }
