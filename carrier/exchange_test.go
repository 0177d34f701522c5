package carrier

import (
	"fmt"
	"strings"
	"testing"
)

// TestAppendReplyWhereLittleFits: what cannot be sent is replaced by what can, and its id is kept for as long as that fits.
func TestAppendReplyWhereLittleFits(t *testing.T) {
	id := RawValue(JSON, []byte("7"))
	response := Done(strings.Repeat("x", 500))
	for _, c := range []struct {
		max  int
		want string
	}{
		{600, `{"id":7,"status":0,"response":"xxx`},
		{100, `{"id":7,"status":-5,"exception":"carrier: message too large: `},
		{40, `{"id":7,"status":-5}`},
		{10, `{"id":null,"status":-5,"exception":"carrier: message too large: `},
	} {
		got := string(AppendReply(nil, JSON, id, response, func(packet []byte, _ Reply) error {
			if len(packet) > c.max {
				return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(packet), c.max)
			}
			return nil
		}))
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("with room for %d bytes: %.100s, want %s", c.max, got, c.want)
		}
	}
}
