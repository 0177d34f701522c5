package hub_test

import (
	"encoding"
	"strings"
	"testing"

	"sighub/hub"
)

var (
	_ encoding.TextMarshaler   = hub.Block
	_ encoding.TextUnmarshaler = new(hub.Policy)
)

// TestPolicyTexts: each policy has a text that means it, and no other text means one.
func TestPolicyTexts(t *testing.T) {
	for policy, want := range map[hub.Policy]string{
		hub.DefaultPolicy: "", hub.Block: "block", hub.Latest: "latest", hub.Hangup: "disconnect",
	} {
		text, err := policy.MarshalText()
		if err != nil || string(text) != want || policy.String() != want {
			t.Errorf("%d is %q and %q, %v; want %q", policy, text, policy, err, want)
		}
		back := hub.Policy(99)
		if err := back.UnmarshalText(text); err != nil || back != policy {
			t.Errorf("%q means %d, %v; want %d", text, back, err, policy)
		}
	}
	if _, err := hub.Policy(99).MarshalText(); err == nil {
		t.Error("policy 99 has a text")
	}
	var p hub.Policy
	err := p.UnmarshalText([]byte("Block"))
	if err == nil || !strings.Contains(err.Error(), `policy "Block" is not one of block, latest, disconnect`) {
		t.Errorf("the error is %v", err)
	}
}

// TestUnknownPolicyOfAMessage: a policy that the hub does not know is refused with those it does.
func TestUnknownPolicyOfAMessage(t *testing.T) {
	c := serve(t, hub.ServerOptions{}).raw(t, "any")
	r := c.call("add_listener", `{"sender": "light", "event": null, "policy": "hope"}`)
	if want := `policy "hope" is not one of block, latest, disconnect`; !strings.Contains(r.Exception, want) {
		t.Errorf("the answer is %+v, want %s", r, want)
	}
}
