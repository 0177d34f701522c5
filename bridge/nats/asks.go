package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"sighub/carrier"
)

const methodRequest = "request"

// askSuffix stands between the prefix and the hub in the subject of a request to that hub; aliveSuffix, in that of its beats.
const (
	askSuffix   = "-ask."
	aliveSuffix = "-alive."
)

// maxAsks is how many requests of other hubs this one answers at a time, and how many one other hub is asked.
const maxAsks = 64

// longestAsk bounds a request to another hub, whose own time limit and this hub's are shorter as a rule.
const longestAsk = time.Minute

// A wireReply is the answer to a request as it travels.
type wireReply struct {
	Status    int             `json:"status"`
	Response  json.RawMessage `json:"response,omitempty"`
	Exception string          `json:"exception,omitempty"`
}

// appendReply returns a reply as it travels.
func appendReply(r carrier.Reply) []byte {
	out := wireReply{Status: int(r.Status), Exception: r.Exception}
	if r.Status == carrier.StatusDone {
		response, err := r.Response.AppendTo(nil, carrier.JSON)
		if err == nil {
			out.Response = response
		} else {
			out.Status, out.Exception = int(carrier.StatusFailed), err.Error()
		}
	}
	data, err := json.Marshal(out)
	if err != nil {
		return []byte(`{"status":-2,"exception":"nats: the answer cannot be told"}`)
	}
	return data
}

// readReply reads a reply that another hub has sent.
func readReply(data []byte) carrier.Reply {
	var in wireReply
	err := json.Unmarshal(data, &in)
	if err == nil && in.Response != nil {
		err = carrier.CheckValue(carrier.JSON, in.Response)
	}
	switch {
	case err != nil:
		return carrier.Failed(fmt.Errorf("nats: the answer of the other hub is not understood: %w", err))
	case in.Status != int(carrier.StatusDone):
		return carrier.Reply{Status: carrier.Status(in.Status), Exception: in.Exception}
	case in.Response == nil:
		return carrier.Reply{}
	}
	return carrier.Reply{Response: carrier.RawValue(carrier.JSON, in.Response)}
}

// answerAsks answers what other hubs ask of the senders here, until ctx is done.
func (b *Bridge) answerAsks(ctx context.Context, conn *nats.Conn) error {
	if b.o.May&carrier.RightRequest == 0 {
		return nil // whoever asks is told that nobody is there
	}
	f := &b.far
	turns := make(chan struct{}, maxAsks)
	sub, err := conn.Subscribe(b.o.Prefix+askSuffix+token(b.o.Hub), func(m *nats.Msg) {
		if m.Reply == "" {
			return
		}
		answer := func(r carrier.Reply) { _ = conn.Publish(m.Reply, appendReply(r)) } // whoever asks has a time limit
		select {
		case turns <- struct{}{}:
		default:
			answer(carrier.Reply{Status: carrier.StatusFailed, Exception: "nats: the hub is busy with requests of other hubs"})
			return
		}
		if err := carrier.CheckValue(carrier.JSON, m.Data); err != nil {
			<-turns
			answer(carrier.Failed(err))
			return
		}
		respond := sync.OnceFunc(func() { <-turns })
		_ = f.do(ctx, func() {
			f.handler.HandleMessage(f.asks(), &carrier.Message{Method: methodRequest, Params: carrier.RawValue(carrier.JSON, m.Data)}, func(r carrier.Reply) {
				respond()
				answer(r)
			})
		})
	})
	if err != nil {
		return fmt.Errorf("nats: requests of other hubs cannot be heard: %w", err)
	}
	<-ctx.Done()
	_ = sub.Unsubscribe() // it may be closed already
	_ = f.do(context.WithoutCancel(ctx), func() { f.leaveAsker(carrier.ErrClosed) })
	return context.Cause(ctx)
}

// asks returns the id of the client that stands for other hubs that ask. It is connected when somebody asks.
func (f *far) asks() carrier.ClientID {
	if f.asker == 0 {
		f.mu.Lock()
		f.next++
		f.asker = f.next
		f.mu.Unlock()
		c := f.client(f.asker, f.b.o.Name)
		c.May = f.b.o.May & carrier.RightRequest
		f.handler.ClientConnected(c)
	}
	return f.asker
}

func (f *far) leaveAsker(cause error) {
	if f.asker != 0 {
		f.handler.ClientDisconnected(f.asker, cause)
		f.asker = 0
	}
}
