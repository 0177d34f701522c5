package shelf_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sighub/internal/mqtt/shelf"
)

// An account has so many bytes.
type account struct{ left, taken int }

var errEmpty = errors.New("nothing is left")

func (a *account) Take(n int) error {
	if a.taken+n > a.left {
		return errEmpty
	}
	a.taken += n
	return nil
}

func (a *account) Give(n int) { a.taken -= n }

// TestShelf: whoever looks from time to time ends with the newest message of each topic, however rarely they look; each is told in order.
func TestShelf(t *testing.T) {
	a := &account{left: 1 << 30}
	s := shelf.New(a)
	want := make(map[string]string)
	type looker struct {
		at  uint64
		has map[string]string
	}
	lookers := []*looker{{has: map[string]string{}}, {has: map[string]string{}}}
	told := 0
	stop := s.Watch(func() { told++ })
	for n := range 5000 {
		topic, payload := fmt.Sprint("t", rand.N(100)), fmt.Sprint(n)
		if rand.N(5) == 0 {
			payload = ""
		}
		want[topic] = payload
		if err := s.Put(topic, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		for i, l := range lookers {
			if rand.N(1+i*100) > 0 {
				continue
			}
			for _, m := range s.After(l.at, 1+rand.N(10)) {
				if m.Version <= l.at {
					t.Fatalf("%d comes after %d", m.Version, l.at)
				}
				l.at, l.has[m.Topic] = m.Version, string(m.Payload)
			}
		}
	}
	for _, l := range lookers {
		for _, m := range s.After(l.at, 1000) {
			l.at, l.has[m.Topic] = m.Version, string(m.Payload)
		}
		for topic, payload := range want {
			if m, ok := s.At(topic); !ok || string(m.Payload) != payload || l.has[topic] != payload {
				t.Errorf("%s is %q, and %q for who looks, not %q", topic, m.Payload, l.has[topic], payload)
			}
		}
		if l.at != s.Version() {
			t.Errorf("at %d of %d", l.at, s.Version())
		}
	}
	if stop(); told != 5000 || s.Put("t1", nil) != nil || told != 5000 {
		t.Errorf("told %d times", told)
	}
}

// TestBounds: neither topics nor bytes nor what is cleared grow without end, and the account has what it should.
func TestBounds(t *testing.T) {
	a := &account{left: 1 << 20}
	s := shelf.New(a)
	for n := range 5 * shelf.MaxCleared {
		if err := s.Put(fmt.Sprint(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.After(0, 1<<20)); n != shelf.MaxCleared {
		t.Errorf("%d cleared topics are kept", n)
	}
	before := a.taken
	if err := s.Put("x", []byte(strings.Repeat("x", 1<<20))); !errors.Is(err, errEmpty) || a.taken != before {
		t.Errorf("too large: %v, %d bytes more", err, a.taken-before)
	}
	for n := range 1000 {
		if err := s.Put("y", []byte(strings.Repeat("y", n))); err != nil {
			t.Fatal(err)
		}
	}
	if more := a.taken - before; more > 2000 {
		t.Errorf("one topic takes %d bytes", more)
	}
	s = shelf.New(&account{left: 1 << 30})
	for n := range shelf.MaxTopics + 1 {
		if err := s.Put(fmt.Sprint(n), []byte("1")); (err != nil) != (n == shelf.MaxTopics) {
			t.Fatal(n, err)
		}
	}
}
