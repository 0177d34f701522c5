package rights_test

import (
	"fmt"
	"testing"
	"time"

	"sighub/hub/internal/rights"
)

// TestExpelled: what was revoked long ago is forgotten when there is much of it, and only then.
func TestExpelled(t *testing.T) {
	var e rights.Expelled
	old, now := time.Unix(1e9, 0), time.Unix(1e9, 0).Add(time.Hour)
	e.Note("ann", old)
	if !e.Since("ann", old.Add(-time.Minute)) || !e.Since("ann", old) || e.Since("ann", old.Add(1)) || e.Since("ann", time.Time{}) || e.Since("bob", old) {
		t.Error("it is not told what was revoked")
	}
	for i := range 1023 {
		e.Note(fmt.Sprint("recent ", i), now)
	}
	if !e.Since("ann", old) {
		t.Error("something was forgotten without need")
	}
	e.Note("one more", now)
	if e.Since("ann", old) || !e.Since("recent 7", now) || !e.Since("one more", now) {
		t.Error("the wrong ones were forgotten")
	}
}
