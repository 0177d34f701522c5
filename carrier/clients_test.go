package carrier

import (
	"errors"
	"testing"
)

func TestClients(t *testing.T) {
	var c Clients[string]
	if _, err := c.Find(1); !errors.Is(err, ErrNoClient) {
		t.Error(err)
	}
	a, b := c.Add("a"), c.Add("b")
	c.Remove(a)
	c.Remove(a)
	if d := c.Add("d"); d == a || d == b || c.Len() != 2 || len(c.All()) != 2 {
		t.Errorf("ids %d, %d, %d; %v", a, b, d, c.All())
	}
	for id, want := range map[ClientID]error{0: ErrNoClient, a: ErrGone, b: nil, 99: ErrNoClient} {
		if got, err := c.Find(id); !errors.Is(err, want) || (err == nil) != (got == "b") {
			t.Errorf("%d: %q, %v", id, got, err)
		}
	}
}

// TestAppendReply: a reply that cannot go is replaced by one that says why, whatever its id is.
func TestAppendReply(t *testing.T) {
	small := func(packet []byte, _ Reply) error {
		if len(packet) > 80 {
			return ErrTooLarge
		}
		return nil
	}
	long := make([]byte, 100)
	for name, c := range map[string]struct {
		id   Value
		r    Reply
		want string
	}{
		"as it is":         {ValueOf(7), Done("x"), `>{"id":7,"status":0,"response":"x"}`},
		"not to be packed": {ValueOf(7), Done(func() {}), `>{"id":7,"status":-2,"exception":"cannot be packed as json: response: json: unsupported type: func()"}`},
		"too large":        {ValueOf(7), Done(string(long)), `>{"id":7,"status":-5,"exception":"carrier: message too large"}`},
		"the id is":        {ValueOf(string(long)), Done(1), `>{"id":null,"status":-5,"exception":"carrier: message too large"}`},
	} {
		fits := small
		if name == "not to be packed" {
			fits = func([]byte, Reply) error { return nil }
		}
		if got := string(AppendReply([]byte(">"), JSON, c.id, c.r, fits)); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
