package carriertest

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"sighub/carrier"
)

const memSignals = 64

func (e *memEnd) Window() int {
	if e.m.has("signal window off by one") {
		return memSignals + 1
	}
	return memSignals
}

func (e *memEnd) Account(total *atomic.Int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total = total
}

// Put writes at once: nothing is ever pending, but by a bug.
func (e *memEnd) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.link.gone:
		if e.m.has("Put for a client that has gone is taken") {
			return 0, nil
		}
		return 0, carrier.ErrGone
	default:
	}
	known := r.Known()
	packet := p.AppendTo(nil, &e.out, r)
	if len(packet) > e.Max {
		if !known && !e.m.has("a route told in vain stays known") {
			e.out.Undo(r)
		}
		return 0, carrier.ErrTooLarge
	}
	if e.m.has("borrowed bytes are kept") { // until the next one
		if e.late != nil {
			e.put++
			e.sendLocked(e.late.AppendTo(nil, &e.out, e.lateTo))
		}
		e.late, e.lateTo = p, r
		return 0, nil
	}
	if e.m.has("signals overtake each other") && e.put%10 == 3 {
		packet, e.last = e.last, packet
		if packet == nil {
			e.put++
			return 0, nil
		}
		e.sendLocked(e.last)
		e.last = nil
	}
	e.put++
	if e.total != nil && e.m.has("the account is never settled") {
		e.total.Add(int64(len(packet)))
	}
	e.sendLocked(packet)
	return 0, nil
}

func (e *memEnd) Pending() int {
	if e.m.has("pending never falls") {
		return 1
	}
	return 0
}

func (e *memEnd) Submit() {}

func (e *memEnd) Flush(bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.late != nil {
		e.put++
		e.sendLocked(e.late.AppendTo(nil, &e.out, e.lateTo))
		e.late = nil
	}
	for e.m.has("Flush waits for answers") && e.put > 0 {
		e.mu.Unlock()
		select {
		case <-e.link.gone:
			e.mu.Lock()
			return
		default:
		}
		e.mu.Lock()
	}
}

// receiveSignals handles one packet of a stream, alone.
func (e *memEnd) receiveSignals(packet []byte) {
	var p carrier.SignalPacket
	if err := e.in.Unpack(e.Codec, packet, &p); err != nil {
		e.link.cutFrom(e, err, carrier.ErrClosed)
		return
	}
	h, _ := e.Handler.(carrier.SignalHandler)
	if p.Signal.Route == nil {
		e.answered(h, &p)
		return
	}
	if e.open.Add(1) > memSignals {
		e.link.cutFrom(e, fmt.Errorf("%w: too many signals", carrier.ErrLimit), carrier.ErrClosed)
		return
	}
	if e.m.has("a route's Handle is lost") {
		p.Signal.Route.Handle = nil
	}
	if e.m.has("a route number is used again too early") && p.Signal.Route.Sender == "bb" {
		p.Signal.Route.Sender = "a"
	}
	switch {
	case e.m.has("listeners are forgotten"):
		r := *p.Signal.Route
		r.Listener = 0
		p.Signal.Route = &r
	case e.m.has("times are dropped"):
		p.Signal.Time = 0
	case e.m.has("uncertainties are dropped"):
		p.Signal.Uncertainty = 0
	case e.m.has("numbers are dropped"):
		p.Signal.Seq = 0
	case e.m.has("a signal is dropped") && p.Signal.Seq == 100:
		return
	case e.m.has("a signal comes twice") && p.Signal.Seq == 100:
		h.HandleSignals(e.Client, []carrier.Signal{p.Signal}, discard{})
	}
	signals := []carrier.Signal{p.Signal}
	h.HandleSignals(e.Client, signals, &memAnswers{e: e})
}

func (e *memEnd) answered(h carrier.SignalHandler, p *carrier.SignalPacket) {
	n := max(p.Done, 1)
	e.mu.Lock()
	wrong := n > e.put
	e.put -= n
	e.mu.Unlock()
	if wrong && !e.m.has("wrong answers are believed") {
		e.link.cutFrom(e, errMisanswered, carrier.ErrClosed)
		return
	}
	if p.Failed != nil && e.m.has("a refused signal counts as done") {
		p.Failed = nil
	}
	if p.Failed != nil && e.m.has("a refusal loses its reason") {
		p.Failed.Exception = ""
	}
	h.SignalsAnswered(e.Client, n, p.Failed)
	if e.m.has("an answer is told twice") && p.Failed != nil {
		h.SignalsAnswered(e.Client, n, p.Failed)
	}
}

type discard struct{}

func (discard) Done(int)           {}
func (discard) Fail(carrier.Reply) {}

// memAnswers answer a signal.
type memAnswers struct{ e *memEnd }

func (a *memAnswers) Done(n int) {
	if n == 0 && !a.e.m.has("an answer to none is sent") {
		return
	}
	a.e.open.Add(int64(-n))
	a.send(carrier.AppendDone(nil, false, n))
}

func (a *memAnswers) Fail(r carrier.Reply) {
	if a.e.m.has("refusals are dropped") {
		return
	}
	a.e.open.Add(-1)
	packet := carrier.AppendFailed(nil, false, &r)
	if len(packet) > a.e.Max && !a.e.m.has("refusals that are too large are sent") {
		r.Exception = ""
		packet = carrier.AppendFailed(nil, false, &r)
	}
	a.send(packet)
}

func (a *memAnswers) send(packet []byte) {
	e := a.e
	if e.m.has("answers overtake each other") {
		e.mu.Lock()
		if len(packet) > 2 || bytes.Equal(e.last, nil) && packet[1] == 1 && e.next%7 == 3 {
			packet, e.last = e.last, packet
		}
		e.mu.Unlock()
		if packet == nil {
			return
		}
	}
	if e.m.has("late answers go to the next connection") {
		select {
		case <-e.link.gone:
			e.m.mu.Lock()
			for _, l := range e.m.links {
				to := l.ends[0]
				if e != e.link.ends[0] {
					to = l.ends[1]
				}
				e = to
			}
			e.m.mu.Unlock()
		default:
		}
	}
	e.send(packet)
}
