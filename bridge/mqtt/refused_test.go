package mqtt

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
)

// nowhere is a broker that takes everything.
type nowhere struct{}

func (nowhere) Retain(context.Context, string, []byte) error { return nil }

// TestLateRefusal: the broker refuses a state for good, and says so only when something else was announced meanwhile. The connection ends
// all the same.
func TestLateRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(Options{Newest: true, Silent: true, HomeAssistant: &homeassistant.AnnouncerOptions{}})
		if err != nil {
			t.Fatal(err)
		}
		b.announcer.Listed([]hub.SenderInfo{{Name: "s", Connected: true, Events: []string{"e"}}})
		if _, err := b.announcer.Publish(t.Context(), nowhere{}, true); err != nil {
			t.Fatal(err)
		}
		b.newest.Heard(hub.Event{Sender: "s", Name: "e", Time: time.Now(), Data: carrier.ValueOf(1)})
		near, far := net.Pipe()
		defer far.Close()
		said := make(chan struct{})
		go func() {
			buf := make([]byte, 4096)
			_, _ = far.Read(buf) // CONNECT
			_, _ = far.Write(packet.AppendConnack(nil, packet.V5, false, packet.Success, nil))
			_, _ = far.Read(buf) // what is said of the sender, and the state
			close(said)
		}()
		dial := func(context.Context, string) (net.Conn, error) { return near, nil }
		c, err := client.Connect(t.Context(), client.Options{Dial: dial, Handle: func(*client.Message) {}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(false)
		states, failed := make(map[string]bool), make(chan error, 1)
		if err := b.sayStates(t.Context(), c, time.Second, states, failed); err != nil {
			t.Fatal(err)
		}
		<-said
		for id := range uint16(2) {
			if _, err := far.Write(packet.AppendAck(nil, packet.V5, id+1, packet.QuotaExceeded, "")); err != nil {
				t.Fatal(err)
			}
		}
		err = b.sayStates(t.Context(), c, time.Second, states, failed)
		if r, is := errors.AsType[*client.RefusedError](err); !is || r.Code != packet.QuotaExceeded {
			t.Errorf("the error is %v", err)
		}
	})
}
