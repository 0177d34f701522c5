package names

import (
	"fmt"
	"testing"
	"time"
)

// TestKeptNamesAreBounded: whatever clients come and go, few names are kept, and no address can use up the room of others.
func TestKeptNamesAreBounded(t *testing.T) {
	var k Kept
	now := time.Unix(1e9, 0)
	for n := range 3 * maxKept {
		c := Client{UID: fmt.Sprint(n), Addr: fmt.Sprint("port ", n%2)}
		k.Keep(fmt.Sprint("x", n), c, now)
		k.Keep(fmt.Sprint("x", n), Client{Addr: "tcp"}, now)
	}
	if d, o := len(k.devices.byName), len(k.others.byName); d != 2*maxKeptOfAddr || o != maxKeptOfAddr {
		t.Errorf("%d and %d names are kept", d, o)
	}
	k.Keep("mine", Client{UID: "1", Addr: "elsewhere"}, now)
	if k.Allows("mine", Client{UID: "2", Addr: "port 0"}, now) == nil {
		t.Error("there is no room for another")
	}
	for n := range 3 * maxKept { // kept no longer, so there is room
		now = now.Add(KeptFor / maxKeptOfAddr)
		k.Keep(fmt.Sprint("y", n), Client{UID: "3", Addr: "port 0"}, now)
	}
	now = now.Add(2 * KeptFor)
	k.Keep("z", Client{UID: "3", Addr: "port 0"}, now)
	if err := k.Allows("z", Client{UID: "4", Addr: "port 5"}, now); err == nil {
		t.Error("the latest name is not kept")
	}
	if n := len(k.devices.byName); n > 4*maxKeptOfAddr {
		t.Errorf("%d names are kept", n)
	}
}
