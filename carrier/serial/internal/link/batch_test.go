package link

import "testing"

// TestBatchSize: frames that have to be sent again make the next ones smaller, down to what every device takes; frames that
// arrive make them larger again, up to all that fits.
func TestBatchSize(t *testing.T) {
	l := &Link{limits: Limits{MaxFrame: 254}}
	most := l.PayloadLimit()
	var b batchSize
	again, once := &outgoing{sends: 2}, &outgoing{sends: 1}
	b.answered(l, once)
	if b.bytes(l) != most {
		t.Errorf("at first %d bytes, want %d", b.bytes(l), most)
	}
	for range 3 {
		before := b.bytes(l)
		if b.answered(l, again); b.bytes(l) > before*3/4 {
			t.Errorf("%d bytes after %d", b.bytes(l), before)
		}
	}
	for range 10 {
		b.answered(l, again)
	}
	if b.bytes(l) != leastBatch {
		t.Errorf("%d bytes at least, want %d", b.bytes(l), leastBatch)
	}
	l.limits.MaxFrame = 60 // of another session
	if b.bytes(l) != l.PayloadLimit() {
		t.Errorf("%d bytes in frames of 60", b.bytes(l))
	}
	l.limits.MaxFrame = 254
	for n := 0; b.bytes(l) < most; n++ {
		if n > most {
			t.Fatal("it does not grow")
		}
		b.answered(l, once)
	}
}
