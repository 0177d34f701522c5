package carrier

import "sync"

// AsSignalHandler returns h if it takes signals. Otherwise it returns a handler that passes them to h as messages
// "signal", with the params info {sender, event, time, uncertainty, seq} and data, and answers them in order.
func AsSignalHandler(h Handler) SignalHandler {
	if s, ok := h.(SignalHandler); ok {
		return s
	}
	return &signalsAsMessages{Handler: h, clients: make(map[ClientID]*signalReplies)}
}

type signalsAsMessages struct {
	Handler

	mu      sync.Mutex
	clients map[ClientID]*signalReplies
}

// signalReplies are the signals of a client that are not answered, in their order. Some may remain after it has gone.
type signalReplies struct {
	mu      sync.Mutex
	waiting []*signalReply
}

// A signalReply is the answer to a signal, which waits for those before it.
type signalReply struct {
	given bool
	reply Reply
}

// HandleSignals implements SignalHandler.
func (h *signalsAsMessages) HandleSignals(id ClientID, signals []Signal, answers Answers) {
	h.mu.Lock()
	rs := h.clients[id]
	if rs == nil {
		rs = new(signalReplies)
		h.clients[id] = rs
	}
	h.mu.Unlock()
	for _, s := range CloneSignals(nil, signals) {
		r := new(signalReply)
		rs.mu.Lock()
		rs.waiting = append(rs.waiting, r)
		rs.mu.Unlock()
		if s.Err != nil {
			rs.answer(r, Failed(s.Err), answers)
			continue
		}
		h.HandleMessage(id, s.message(), func(reply Reply) { rs.answer(r, reply, answers) })
	}
}

func (rs *signalReplies) answer(r *signalReply, reply Reply, answers Answers) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.given {
		return
	}
	r.given, r.reply = true, reply
	for ; len(rs.waiting) > 0 && rs.waiting[0].given; rs.waiting = rs.waiting[1:] {
		if rs.waiting[0].reply.Status == StatusDone {
			answers.Done(1)
		} else {
			answers.Fail(rs.waiting[0].reply)
		}
	}
}

// SignalsAnswered implements SignalHandler. This end sends no signals, so it is never called.
func (h *signalsAsMessages) SignalsAnswered(ClientID, int, *Reply) {}

// ClientDisconnected implements Handler.
func (h *signalsAsMessages) ClientDisconnected(id ClientID, cause error) {
	h.mu.Lock()
	delete(h.clients, id)
	h.mu.Unlock()
	h.Handler.ClientDisconnected(id, cause)
}

// message returns the signal as a message.
func (s *Signal) message() *Message {
	info := Object{{Key: "sender", Value: s.Route.Sender}, {Key: "event", Value: s.Route.Event}}
	if s.Time != 0 {
		info = append(info, Field{Key: "time", Value: s.Time})
	}
	if s.Uncertainty > 0 {
		info = append(info, Field{Key: "uncertainty", Value: s.Uncertainty})
	}
	if s.Seq > 0 {
		info = append(info, Field{Key: "seq", Value: s.Seq})
	}
	return &Message{Method: "signal", Params: ValueOf(Object{{Key: "info", Value: info}, {Key: "data", Value: s.Data}})}
}
