package threshold

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"sighub/hub"
)

// Options are those of Watch. The zero value is ready to use.
type Options struct {
	// Logger logs what keeps a threshold from being reported. Nil: nothing is logged.
	Logger *slog.Logger
}

// A Watcher watches thresholds.
type Watcher struct{ watched []*watched }

// Watch starts to watch thresholds, until the Watcher is closed. It is an error if Check fails for one, or if two would have
// the same sender.
func Watch(r *hub.Router, thresholds []Threshold, o Options) (*Watcher, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	w := new(Watcher)
	names := make(map[string]bool, len(thresholds))
	for _, t := range thresholds {
		err := t.Check()
		if err == nil && names[t.As] {
			err = fmt.Errorf("two thresholds are called %q: give each its own name", t.As)
		}
		names[t.As] = true
		if err == nil {
			err = w.add(r, t, o.Logger)
		}
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("threshold: %s of %s: %w", t.Event, t.Sender, err)
		}
	}
	return w, nil
}

func (w *Watcher) add(r *hub.Router, t Threshold, log *slog.Logger) error {
	s := &watched{Threshold: t, router: r, log: log.With("sender", t.As, "of", t.Sender, "event", t.Event)}
	w.watched = append(w.watched, s)
	for _, event := range []struct {
		name string
		fn   func(hub.Event)
	}{{t.Event, s.heard}, {hub.Disconnect, s.gone}} {
		l, err := r.AddListener(t.Sender, event.name, event.fn)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// Close stops watching and removes the senders.
func (w *Watcher) Close() {
	for _, s := range w.watched {
		s.close()
	}
}

// A watched is a threshold with its listeners and its sender.
type watched struct {
	Threshold
	router    *hub.Router
	log       *slog.Logger
	listeners []*hub.Listener

	mu      sync.Mutex // events of one sender come one after another, but Close may be called at any time
	closed  bool
	sender  *hub.Sender // nil until the first reading
	signal  *hub.Signal
	crossed bool
	told    bool // a problem was logged since the watched sender connected
}

// heard is called with each reading. Its event has the time of the reading.
func (s *watched) heard(ev hub.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || ev.Name == hub.Gap {
		return // what is not known changes nothing
	}
	var value float64
	if err := ev.Data.Decode(&value); err != nil || ev.Data.IsNull() || !finite(value) {
		s.once().Warn("a threshold's reading is not a number", "data", ev.Data.String())
		return
	}
	crossed := s.Threshold.crossed(value, s.crossed)
	if s.sender != nil && crossed == s.crossed {
		return
	}
	if s.sender == nil && !s.connect() {
		return
	}
	s.crossed = crossed
	if err := s.signal.TriggerAt(context.Background(), crossed, ev.Time, ev.Uncertainty); err != nil {
		s.once().Warn("the hub does not accept a threshold's event", "error", err)
	}
}

func (s *watched) connect() bool {
	added, err := s.router.AddSender(s.As, hub.SenderOptions{Events: []string{s.Report}})
	if err == nil {
		if s.signal, err = added.Signal(s.Report); err != nil {
			added.Remove()
		}
	}
	if err != nil {
		s.once().Warn("the hub does not accept a threshold's sender: trying again with each reading", "error", err)
		return false
	}
	s.sender = added
	return true
}

// gone is called when the watched sender disconnects.
func (s *watched) gone(ev hub.Event) {
	var c hub.Connection
	reason := "removed"
	if ev.Data.Decode(&c) == nil && c.Reason != "" {
		reason = c.Reason
	}
	s.disconnect(reason)
}

func (s *watched) disconnect(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crossed, s.told = false, false
	if s.sender != nil {
		s.sender.RemoveBecause(reason)
		s.sender, s.signal = nil, nil
	}
}

func (s *watched) close() {
	for _, l := range s.listeners {
		l.Remove()
	}
	s.disconnect("removed")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// once returns a logger the first time since the watched sender connected, and one that discards after that.
func (s *watched) once() *slog.Logger {
	if s.told {
		return slog.New(slog.DiscardHandler)
	}
	s.told = true
	return s.log
}
