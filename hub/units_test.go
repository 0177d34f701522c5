package hub_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"sighub/hub"
)

// TestUnits: what a client's events are measured in reaches those who hear of it, and those who ask.
func TestUnits(t *testing.T) {
	w := serve(t, hub.ServerOptions{})
	heard := make(chan hub.Connection, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := func(name string) *hub.ClientRouter {
		r, _, _ := w.client(t, name, hub.ClientOptions{})
		return r
	}
	listener := client("listener")
	if _, err := listener.AddRemoteListener(ctx, "air", hub.Connect, func(ev hub.Event) {
		var c hub.Connection
		if err := ev.Data.Decode(&c); err != nil {
			t.Error(err)
		}
		heard <- c
	}); err != nil {
		t.Fatal(err)
	}
	units := map[string]string{"temp": "Cel", "nothing": "lx", "door": ""}
	if _, err := client("sender").AddRemoteSender(ctx, "air", hub.SenderOptions{Events: []string{"temp", "door"}, Units: units}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"temp": "Cel"}
	if c := <-heard; !reflect.DeepEqual(c.Units, want) {
		t.Errorf("#connect says %v", c.Units)
	}
	list, err := listener.RemoteSenders(ctx)
	if err != nil || len(list) != 1 || !reflect.DeepEqual(list[0].Units, want) {
		t.Errorf("the list says %+v, %v", list, err)
	}
}
