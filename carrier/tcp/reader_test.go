package tcp

import (
	"testing"

	"sighub/carrier"
	"sighub/internal/buffers"
)

// TestLargeReads: a buffer is large after one was full, unless the account has little left; then a large one is given back.
func TestLargeReads(t *testing.T) {
	var small, large buffers.Pool
	account := carrier.NewBudget(64 * plentyReads * largeRead).Open("here")
	r := &reader{small: &small, large: &large, account: account}
	size := func(full bool) int {
		r.enlarge(full)
		return len(r.lend())
	}
	taken := 0
	left := func(want int64) {
		for account.Left() > want {
			if err := account.Take(largeRead); err != nil {
				t.Fatal(err)
			}
			taken += largeRead
		}
	}
	if got := size(false); got != smallRead {
		t.Errorf("a buffer has %d bytes before one was full", got)
	}
	if got := size(true); got != largeRead {
		t.Errorf("a buffer has %d bytes after one was full", got)
	}
	left(2 * plentyReads * largeRead)
	if got := size(true); got != largeRead {
		t.Errorf("a buffer has %d bytes while there is enough", got)
	}
	left(plentyReads / 2 * largeRead)
	if got := size(true); got != smallRead {
		t.Errorf("a buffer has %d bytes although little is left", got)
	}
	if got := account.Used(); got != int64(taken) {
		t.Errorf("%d bytes are taken, not %d: the large buffer was not given back", got, taken)
	}
	account.Give(taken)
	if got := size(true); got != largeRead {
		t.Errorf("a buffer has %d bytes when there is enough again", got)
	}
	if got := size(false); got != smallRead {
		t.Errorf("a buffer has %d bytes after one was not full", got)
	}
	if r.release(); account.Used() != 0 {
		t.Errorf("%d bytes stay taken", account.Used())
	}
}
