package hub_test

import (
	"testing"

	"sighub/hub"
)

// TestRemoveBecause: listeners hear the reason for which a sender was removed, once.
func TestRemoveBecause(t *testing.T) {
	router := hub.NewRouter(hub.Options{})
	s, err := router.AddSender("air", hub.SenderOptions{Events: []string{"temp"}})
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	if _, err := router.AddListener("air", hub.Disconnect, func(ev hub.Event) {
		var c hub.Connection
		if err := ev.Data.Decode(&c); err != nil {
			t.Error(err)
		}
		reasons = append(reasons, c.Reason)
	}); err != nil {
		t.Fatal(err)
	}
	s.RemoveBecause("failed: no answer")
	s.Remove()
	if len(reasons) != 1 || reasons[0] != "failed: no answer" {
		t.Errorf("the reasons are %q", reasons)
	}
}
