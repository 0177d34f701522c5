package hub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// draw draws one step: its name, and what is to be done in each house, which tells what came of it.
func (p *program) draw() (name string, take func(*house) string) {
	client, sender, event := p.IntN(2), p.oneOf("a", "b", "c"), p.oneOf("x", "y", "#ch")
	n := 1 + p.IntN(60)
	switch p.IntN(20) {
	case 0, 1, 2:
		return fmt.Sprint("add sender ", sender, " of ", client), func(h *house) string { return h.addSender(client, sender) }
	case 3:
		return fmt.Sprint("remove sender ", sender, " of ", client), func(h *house) string { return h.removeSender(client, sender) }
	case 4, 5, 6:
		if p.IntN(3) == 0 {
			sender = ""
		}
		if p.IntN(3) == 0 {
			event = p.oneOf("", hub.Connect, hub.Gap)
		}
		return fmt.Sprintf("listener of %d to %q %q", client, sender, event),
			func(h *house) string { return h.addListener(client, sender, event) }
	case 7:
		return fmt.Sprint("remove listener ", n, " of ", client), func(h *house) string { return h.removeListener(client, n) }
	case 8, 9:
		at, off, large := time.Unix(int64(p.IntN(1000)), 5).Add(time.Nanosecond), time.Duration(p.IntN(3)), p.IntN(10) == 0
		return fmt.Sprintf("trigger %s %s of %d, large: %v", sender, event, client, large),
			func(h *house) string { return h.trigger(client, sender, event, at, off, large) }
	case 10, 11, 12:
		return fmt.Sprint("burst of ", n, " by ", client), func(h *house) string { return h.burst(client, n) }
	case 13:
		return fmt.Sprint("request ", sender), func(h *house) string { return h.request(client, sender, n) }
	case 14:
		return fmt.Sprint("cut hearer ", client), func(h *house) string { return h.cut(h.hearers[client], fmt.Sprint("hearer ", client)) }
	case 15:
		return fmt.Sprint("cut sender ", client), func(h *house) string { return h.cut(h.senders[client], fmt.Sprint("sender ", client)) }
	case 16:
		return fmt.Sprint("steal ", sender, " or another of ", client), func(h *house) string { return h.steal(client, sender, n) }
	case 17:
		policy := hub.Policies()[p.IntN(3)]
		return fmt.Sprint("a listener is stuck, ", policy), func(h *house) string { return h.stuck(policy, 20+n) }
	case 18:
		return fmt.Sprint("storm by ", client), func(h *house) string { return h.storm(client) }
	default:
		return "the hub listens, or no more", (*house).listen
	}
}

func (h *house) addSender(client int, name string) string {
	k := h.senders[client]
	s, err := k.AddRemoteSender(h.ctx, name, hub.SenderOptions{
		Events: []string{"x", "#ch"}, Units: map[string]string{"x": "lx"},
		Requests: map[string]hub.RequestHandler{"double": func(_ context.Context, _ string, v carrier.Value) (any, error) {
			var n int
			if err := v.Decode(&n); err != nil || n%5 == 0 {
				return nil, fmt.Errorf("cannot double %s", v)
			}
			return 2 * n, nil
		}},
	})
	if err == nil {
		k.handles[name], k.owned[name] = s, true
	}
	return h.say(err)
}

func (h *house) removeSender(client int, name string) string {
	k := h.senders[client]
	if k.handles[name] == nil {
		return "none"
	}
	delete(k.owned, name)
	return h.say(k.RemoveRemoteSender(h.ctx, k.handles[name])) // the handle stays: what it triggers is refused
}

func (h *house) addListener(client int, sender, event string) string {
	k := h.hearers[client]
	n := len(k.listeners)
	l, err := k.AddRemoteListenerWith(h.ctx, sender, event, hub.ListenerOptions{KeepsNothing: n%2 == 1}, k.listener(n))
	if err == nil {
		k.listeners = append(k.listeners, l)
	}
	return h.say(err)
}

func (h *house) removeListener(client, n int) string {
	k := h.hearers[client]
	if len(k.listeners) == 0 {
		return "none"
	}
	return h.say(k.RemoveRemoteListener(h.ctx, k.listeners[n%len(k.listeners)]))
}

func (h *house) trigger(client int, sender, event string, at time.Time, off time.Duration, large bool) string {
	s := h.senders[client].handles[sender]
	if s == nil {
		return "none"
	}
	g, err := s.Signal(event)
	if err != nil {
		return h.say(err)
	}
	var data any = map[string]any{"of": client}
	if large {
		data = strings.Repeat("x", 2<<20)
	}
	return h.say(g.TriggerAt(h.ctx, data, at, off))
}

// burst triggers events of all of a client's senders. Each is answered once; in a stream in their order, while messages
// may overtake one that waits for a slow listener.
func (h *house) burst(client, n int) string {
	k := h.senders[client]
	names := []string{"a", "b", "c"}
	names = slices.DeleteFunc(names, func(name string) bool { return k.handles[name] == nil })
	if len(names) == 0 {
		return "none"
	}
	var mu sync.Mutex
	answers, latest := make([]string, n), -1
	var all sync.WaitGroup
	for i := range n {
		g, err := k.handles[names[i%len(names)]].Signal([]string{"x", "#ch"}[i/2%2])
		if err != nil {
			return h.say(err)
		}
		all.Add(1)
		if err := g.TriggerAsync(h.ctx, i, func(err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			if answers[i] != "" || i < latest {
				h.t.Errorf("burst: the answer to %d comes after %q and after the one to %d", i, answers[i], latest)
			}
			answers[i], latest = fmt.Sprint(i, " ", h.say(err)), i
		}); err != nil {
			answers[i] = fmt.Sprint(i, " at once: ", h.say(err))
			all.Done()
		}
	}
	h.await(ended(&all), "the answers to a burst")
	return strings.Join(answers, "\n")
}

func (h *house) request(client int, sender string, n int) string {
	v, err := h.hearers[client].RemoteRequest(h.ctx, sender, "double", n)
	return v.String() + " " + h.say(err)
}

// cut cuts a client off, and waits until it is back and has registered everything again.
func (h *house) cut(k *tenant, name string) string {
	k.cable.cut()
	h.until(name+" to go", func() bool { return !h.has(name) })
	k.cable.mend()
	h.await(k.connected, name+" to come back")
	return ""
}

// steal adds a client's sender at another one while it is away. When it is back, its signals are refused, those of its
// other senders are not.
func (h *house) steal(client int, sender string, n int) string {
	k, name := h.senders[client], fmt.Sprint("sender ", client)
	thief := h.senders[1-client]
	if owned := slices.Sorted(maps.Keys(k.owned)); !k.owned[sender] && len(owned) > 0 {
		sender = owned[0]
	}
	select {
	case <-k.lost: // an earlier time
	default:
	}
	k.cable.cut()
	h.until(name+" to go", func() bool { return !h.has(name) })
	h.await(k.lost, name+" to notice") // or it would be asked over the connection that was cut
	s, err := thief.AddRemoteSender(h.ctx, sender, hub.SenderOptions{Events: []string{"x"}})
	said := h.say(err)
	k.cable.mend()
	if err := k.WaitConnected(h.ctx); err != nil {
		return h.say(err)
	}
	said += "\n" + h.burst(client, n)
	if err == nil {
		said += "\n" + h.say(thief.RemoveRemoteSender(h.ctx, s))
	}
	h.await(k.connected, name+" to come back")
	return said
}

// stuck lets events wait for a listener that does not return from its callback, more than its outbox has room for.
func (h *house) stuck(policy hub.Policy, n int) string {
	k := h.slow
	s, err := h.senders[0].AddRemoteSender(h.ctx, "fast", hub.SenderOptions{Events: []string{"f"}})
	if err != nil {
		return h.say(err)
	}
	g, err := s.Signal("f")
	if err != nil {
		return h.say(err)
	}
	var gate sync.RWMutex // closed while callbacks are not to return
	var mu sync.Mutex
	var heard, missed int
	var numbers, told []int // told: with those in gaps
	var gaps []string
	changed := make(chan struct{}, 1)
	l, err := k.AddRemoteListenerWith(h.ctx, "fast", "", hub.ListenerOptions{Policy: policy, Deadline: 10 * time.Millisecond},
		func(ev hub.Event) {
			gate.RLock()
			defer gate.RUnlock()
			mu.Lock()
			defer mu.Unlock()
			switch ev.Name {
			case "f":
				heard++
				var i int
				if err := ev.Data.Decode(&i); err != nil {
					h.t.Error(err)
				}
				numbers, told = append(numbers, i), append(told, i)
			case hub.Gap:
				var loss hub.Loss
				if err := ev.Data.Decode(&loss); err != nil {
					h.t.Error(err)
				}
				missed += int(loss.Count)
				gaps = append(gaps, fmt.Sprintf("%d, %d to %d", loss.Count, loss.First.Unix(), loss.Last.Unix()))
				for i := loss.First.Unix(); i <= loss.Last.Unix(); i++ {
					told = append(told, int(i))
				}
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	if err != nil {
		return h.say(err)
	}
	gate.Lock()
	var said []string
	if policy == hub.Hangup {
		n = houseInFlight + houseOutbox + 1 // the last is too many: it is not to happen twice
	}
	for i := range n { // one at a time: who waits for whom is not left to chance
		if err := g.TriggerAt(h.ctx, i, time.Unix(int64(i), 0), 0); err != nil {
			said = append(said, h.say(err))
		}
	}
	gate.Unlock()
	if policy == hub.Hangup {
		h.await(k.connected, "the slow one to come back")
	}
	accounted := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return policy == hub.Hangup || heard+missed == n
	}
	for !accounted() {
		select {
		case <-changed:
		case <-h.ctx.Done():
			h.t.Errorf("%d heard, %d missed of %d", heard, missed, n)
			return ""
		}
	}
	said = append(said, h.say(k.RemoveRemoteListener(h.ctx, l)), h.say(h.senders[0].RemoveRemoteSender(h.ctx, s)))
	mu.Lock()
	defer mu.Unlock()
	switch policy {
	case hub.Latest: // how many are heard is a matter of time
		said = append(said, fmt.Sprint("the latest is ", numbers[heard-1]))
	case hub.Hangup: // what was on its way then may be lost, and it may be back for the last of them
		if missed > 0 || !slices.IsSorted(numbers) || len(slices.Compact(numbers)) != heard {
			h.t.Errorf("heard %v, missed %d", numbers, missed)
		}
	default:
		// As many are heard as there is room for on the way and in the outbox. The others are told in gaps, each where it was. There
		// may be several gaps: if the hub sends some of its first events only when the deadline has passed, there is room again.
		if numbers[0] != 0 || heard > houseInFlight+houseOutbox+1 || len(told) != n || !slices.IsSorted(told) ||
			len(slices.Compact(told)) != n {
			h.t.Errorf("heard %v, gaps of %q", numbers, gaps)
		}
	}
	return strings.Join(said, "\n")
}

// storm cuts a client off while its events are on their way: each ends once, and those that are done were heard, in order.
func (h *house) storm(client int) string {
	const most = 20_000
	k, name := h.senders[client], fmt.Sprint("sender ", client)
	s, err := k.AddRemoteSender(h.ctx, "storm", hub.SenderOptions{Events: []string{"s"}})
	if err != nil {
		return h.say(err)
	}
	g, err := s.Signal("s")
	if err != nil {
		return h.say(err)
	}
	var mu sync.Mutex
	var heard []int
	var missed, done int
	l, err := h.hearers[0].AddRemoteListener(h.ctx, "storm", "s", func(ev hub.Event) {
		mu.Lock()
		defer mu.Unlock()
		var n int
		var loss hub.Loss
		if ev.Name == hub.Gap {
			err := ev.Data.Decode(&loss)
			if missed += int(loss.Count); err == nil {
				return
			}
		}
		if err := ev.Data.Decode(&n); err != nil {
			h.t.Error(err)
		}
		heard = append(heard, n)
	})
	if err != nil {
		return h.say(err)
	}
	var ends [most]int // 1: done, 2: failed, more: twice
	var under sync.WaitGroup
	started := make(chan struct{})
	sent := make(chan int)
	go func() {
		n := 0
		for i := range most {
			under.Add(1)
			if err := g.TriggerAsync(h.ctx, i, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				if ends[i] != 0 {
					h.t.Errorf("storm: event %d ends twice", i)
					return
				}
				defer under.Done()
				if ends[i] = 1; err == nil {
					done++
					return
				}
				if ends[i] = 2; !errors.Is(err, carrier.ErrGone) {
					h.t.Errorf("storm: event %d: %v", i, err)
				}
			}); err != nil {
				under.Done()
				break
			}
			if n = i + 1; n == 100 {
				close(started)
			}
		}
		sent <- n
	}()
	<-started
	k.cable.cut()
	h.until(name+" to go", func() bool { return !h.has(name) })
	n := <-sent
	h.await(ended(&under), "the answers of the storm")
	k.cable.mend()
	h.await(k.connected, name+" to come back")
	said := h.say(k.RemoveRemoteSender(h.ctx, s))
	h.until("the storm to pass", func() bool { // each that is done is heard, or told to be missed
		mu.Lock()
		defer mu.Unlock()
		left := done - missed
		for i := range n {
			if _, found := slices.BinarySearch(heard, i); found && ends[i] == 1 {
				left--
			}
		}
		return left <= 0
	})
	said += h.say(h.hearers[0].RemoveRemoteListener(h.ctx, l))
	mu.Lock()
	defer mu.Unlock()
	if !slices.IsSorted(heard) || len(slices.Compact(slices.Clone(heard))) != len(heard) {
		h.t.Errorf("storm: heard out of order: %v", heard)
	}
	return said
}

// listen lets the hub's own process listen to everything, or ends that: a callback puts events on another path.
func (h *house) listen() string {
	if h.local != nil {
		h.local.Remove()
		h.local = nil
		return "no more"
	}
	l, err := h.hub.AddListener("", "", func(hub.Event) {})
	h.local = l
	return h.say(err)
}
