package mqtt

import (
	"testing"

	"sighub/carrier"
	"sighub/internal/mqtt/topic"
)

// TestTells: an event waits for a client if its filter has it, and also before the session knows the listener that the hub has just added.
func TestTells(t *testing.T) {
	f, err := topic.ParseFilter("few/#")
	if err != nil {
		t.Fatal(err)
	}
	few := &carrier.OutRoute{Route: carrier.Route{Listener: 7, Sender: "few", Event: "e"}}
	many := &carrier.OutRoute{Route: carrier.Route{Listener: 7, Sender: "many", Event: "e"}}
	c := new(session)
	if !c.Tells(few) || !c.Tells(many) {
		t.Error("an event is dropped before it is known what the client has asked for")
	}
	c.listeners = map[uint64]*subscription{7: {filter: f}}
	c.changes++
	if !c.Tells(few) {
		t.Error("an event is dropped that the client has asked for")
	}
	if c.Tells(many) {
		t.Error("an event waits that the client has not asked for")
	}
}
