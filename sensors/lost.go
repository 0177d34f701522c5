package sensors

import (
	"context"
	"time"
)

// A Loss says that readings of one event failed while its sender was connected. It is the data of #gap, as in [hub.Loss].
type Loss struct {
	Count uint64    `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Event string    `json:"event"`
	Cause string    `json:"cause"` // always "failed"
}

// A LossTeller is a [Sender] that can tell listeners that readings are missing. Those of [OnRouter] and [OnClientRouter] can.
type LossTeller interface {
	TellLoss(ctx context.Context, l Loss) error
}

// lost counts a reading of the output that failed.
func (o *output) lost(at time.Time) {
	if o.loss.Count == 0 {
		o.loss = Loss{First: at, Event: o.Event, Cause: "failed"}
	}
	o.loss.Count++
	o.loss.Last = at
}

// tellLosses tells listeners what they have missed, of outputs that have a value again, and now and then of those that have
// none. A sensor that is gone needs no such words: its #disconnect says why.
func (s *polled) tellLosses(ctx context.Context) {
	teller, ok := s.sender.(LossTeller)
	for _, o := range s.outputs {
		if o.loss.Count == 0 || len(o.samples) == 0 && !seldom(o.left) {
			continue
		}
		if loss := o.loss; ok {
			if err := teller.TellLoss(ctx, loss); err != nil {
				s.log.Debug("the hub does not accept a gap", "event", o.Event, "error", err)
			}
		}
		o.loss = Loss{}
	}
}

// TellLoss implements [LossTeller].
func (s *routerSender) TellLoss(ctx context.Context, l Loss) error {
	return s.gap.TriggerAt(ctx, l, l.Last, 0)
}
