package sensors

import (
	"context"

	"sighub/hub"
)

// A Hub is where a Poller's sensors become senders: see [OnRouter].
type Hub interface {
	// Connect announces a sender with these events and their units. An error means that it may be tried again.
	Connect(name string, events, units []string) (Sender, error)
}

// A Sender is a sensor's place in the hub while it is connected.
type Sender interface {
	// Report triggers an event, by its place in the list that Connect was given.
	Report(ctx context.Context, event int, r Reading) error
	// Disconnect announces that the sender has gone, and why.
	Disconnect(reason string)
}

// A Router is what OnRouter needs of a hub: a *hub.Router, and so a *hub.ServerRouter.
type Router interface {
	AddSender(name string, o hub.SenderOptions) (*hub.Sender, error)
}

// OnRouter returns r as a Hub. A reading arrives at listeners as a device's does: the data is the bare number, its
// unit is told by #connect, its time and uncertainty are the event's.
func OnRouter(r Router) Hub { return routerHub{r} }

type routerHub struct{ router Router }

type routerSender struct {
	sender  *hub.Sender
	signals []*hub.Signal
}

func (h routerHub) Connect(name string, events, units []string) (Sender, error) {
	o := hub.SenderOptions{Events: events, Units: make(map[string]string, len(units))}
	for i, unit := range units {
		o.Units[events[i]] = unit
	}
	added, err := h.router.AddSender(name, o)
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
	return s, nil
}

func (s *routerSender) Report(ctx context.Context, event int, r Reading) error {
	return s.signals[event].TriggerAt(ctx, r.Value, r.Time, r.Uncertainty)
}

func (s *routerSender) Disconnect(reason string) { s.sender.RemoveBecause(reason) }
