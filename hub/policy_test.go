package hub_test

import (
	"strings"
	"testing"

	"sighub/hub"
)

// TestUnknownPolicy: a policy that the hub does not know is refused, with all that it does know.
func TestUnknownPolicy(t *testing.T) {
	c := serve(t, hub.ServerOptions{}).raw(t, "any")
	r := c.call("add_listener", `{"sender": "light", "event": null, "policy": "hope"}`)
	for _, want := range append(hub.Policies(), `not "hope"`) {
		if !strings.Contains(r.Exception, string(want)) {
			t.Errorf("the answer is %q, which does not tell of %s", r.Exception, want)
		}
	}
}
