package mqtt_test

import (
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/mqtt"
	"sighub/internal/mqtt/packet"
)

// pipes is a listener that accepts the other ends of pipes.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serveRecorder serves a Server for a handler that fails the test at each call that breaks the contract of carriers.
func serveRecorder(t testing.TB) (*pipes, *carriertest.StreamRecorder) {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s := mqtt.New(p, mqtt.Options{Logger: slog.New(slog.DiscardHandler), Limits: mqtt.Limits{MaxMessage: 1 << 16, WriteTimeout: time.Second}})
	r := &carriertest.StreamRecorder{Recorder: carriertest.NewRecorder(t, "hub")}
	var listeners atomic.Uint64 // of clients that come and go side by side
	r.Handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		switch m.Method {
		case "add_listener":
			respond(carrier.Done(map[string]uint64{"listener_id": listeners.Add(1)}))
		case "list_senders":
			respond(carrier.Done([]any{map[string]any{"sender": "a", "connected": true}, map[string]any{"sender": nil}}))
		default:
			respond(carrier.Done(nil))
		}
	}
	ended := make(chan struct{})
	ctx, stop := contextWithCancel()
	go func() {
		defer close(ended)
		if err := s.Serve(ctx, r); err != nil {
			t.Errorf("Serve: %v", err)
		}
		r.Served()
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return p, r
}

// FuzzSession: whatever a client says, the handler is called as the contract of carriers demands, and nothing panics or hangs.
func FuzzSession(f *testing.F) {
	for _, v := range []byte{4, 5} {
		p := &peer{t: f, v: v}
		hi := hello{id: "x", will: "a/b=c"}.packet(v)
		f.Add(append(append(hi, p.publishPacket("a/b", "21.5", 3)...), p.subscribePacket(1, 1, nil, "a/#", "a/_request/+", "$share/a/b")...))
		f.Add(append(append(hi, p.subscribePacket(1, 1, nil, "#")...), p.unsubscribePacket(2, "#", "b")...))
		f.Add(append(append(hi, p.publishPacket("a/_request/b", "1", 1)...), frame(packet.Disconnect, 0, nil)...))
		f.Add(append(append(hi, p.publishPacket("a/_answer/b", "1", 1)...), pubackPacket(4)...))
		f.Add(append(kept("y", v).packet(v), p.subscribePacket(1, 1, nil, "a/b")...))
	}
	pipes, _ := serveRecorder(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		here, there := net.Pipe()
		pipes.conns <- there
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, here)
		}()
		_ = here.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = here.Write(data) // the Server may close before it has read everything
		_ = here.Close()
		<-read
	})
}
