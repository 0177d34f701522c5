package hub_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestGatherOfAClient: a client asks for it, and hears every event, in order; what cannot be granted is refused.
func TestGatherOfAClient(t *testing.T) {
	for name, o := range media {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, hub.ServerOptions{})
			sender, _ := k.client(carrier.CBOR)
			g := k.signal(sender, "s")
			r, _ := k.over(o)
			live, _ := k.listen(r, "s", "n", hub.ListenerOptions{Gather: 20 * time.Millisecond})
			k.trigger(g, 0, 500)
			wantLines(t, live.wait(500), numbers("s", 0, 500)...)
			_, err := r.AddRemoteListenerWith(k.ctx, "s", "n", hub.ListenerOptions{Gather: hub.MaxGather + time.Second}, func(hub.Event) {})
			if !errors.Is(err, hub.ErrArguments) || !strings.Contains(err.Error(), "gather must be from 0 to 500 ms, not 1500") {
				t.Errorf("%v", err)
			}
		})
	}
}
