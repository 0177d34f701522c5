package hub

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sighub/carrier"
)

// listed asks for a part of the list of senders, and returns the names in it, with "" for the last entry, and its size.
func (w *messageWorld) listed(id carrier.ClientID, params string) (names []string, size int) {
	w.t.Helper()
	r := w.tell(id, "list_senders", "%s", params)
	synctest.Wait()
	if got := r.String(); got != "done" {
		w.t.Fatal(got)
	}
	text, err := r.reply.Response.AppendTo(nil, carrier.JSON)
	if err != nil {
		w.t.Fatal(err)
	}
	var list []struct{ Sender *string }
	if err := json.Unmarshal(text, &list); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list {
		if s.Sender == nil {
			names = append(names, "")
		} else {
			names = append(names, *s.Sender)
		}
	}
	return names, len(text)
}

// TestListsComeInPages: no answer is long, unless one sender alone makes it so; all pages together have every sender once.
func TestListsComeInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		var want []string
		var some, many []string
		for i := range 1000 {
			name := fmt.Sprintf("%d%s", i, strings.Repeat("e", 100))
			if many = append(many, name); i < 50 {
				some = append(some, name)
			}
		}
		for i := range 100 {
			name, events := fmt.Sprintf("s%02d", i), some
			if i == 42 {
				events = many
			}
			want = append(want, name)
			addTo(t, w.Router, name, events)
		}
		want = append(want, "")
		id := w.connect(4, true)
		for _, limit := range []int{1 << 20, 3} {
			var got []string
			for pages, after := 0, ""; ; pages++ {
				params := fmt.Sprintf(`{"list_events":true,"limit":%d}`, limit)
				if after != "" {
					params = fmt.Sprintf(`{"list_events":true,"limit":%d,"after":%q}`, limit, after)
				}
				names, size := w.listed(id, params)
				if size > pageBytes && !slices.Equal(names, []string{"s42"}) {
					t.Errorf("the page of %q has %d bytes", names, size)
				}
				got = append(got, names...)
				if after = names[len(names)-1]; after == "" {
					if pages < 8 {
						t.Errorf("there are %d pages", pages)
					}
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("the pages have %q", got)
			}
		}
		if names, _ := w.listed(id, `{"list_events":true,"after":"s98"}`); !slices.Equal(names, []string{"s99", ""}) {
			t.Errorf("after the last but one, there are %q", names)
		}
	})
}

// TestLegacyListIsWhole: a client that knows no pages gets the whole list, or is told that it is too long, and may ask for parts.
func TestLegacyListIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		id := w.connect(1, false)
		for i := range 300 {
			addTo(t, w.Router, fmt.Sprintf("s%04d", i), []string{"e"})
		}
		if names, _ := w.listed(id, `{}`); len(names) != 301 || names[300] != "" {
			t.Errorf("it has %d entries", len(names))
		}
		for i := range 1000 {
			addTo(t, w.Router, fmt.Sprintf("s%04d", 300+i), []string{"e"})
		}
		r := w.tell(id, "list_senders", `{"list_events":true}`)
		synctest.Wait()
		if r.reply.Status != carrier.StatusTooLarge || !strings.Contains(r.reply.Exception, "limit and after") {
			t.Errorf("the answer is %d, %s", r.reply.Status, r.reply.Exception)
		}
		if names, _ := w.listed(id, `{"limit":2,"after":"s0999"}`); !slices.Equal(names, []string{"s1000", "s1001"}) {
			t.Errorf("a part has %q", names)
		}
	})
}

// TestListOfManyChannels: the list of channels is bounded, so that nobody can make it too long for all.
func TestListOfManyChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMessageWorld(t, ServerOptions{})
		defer w.end()
		for i := range 10 {
			var channels []string
			for j := range 1000 {
				channels = append(channels, fmt.Sprintf("#%d.%d", i, j))
			}
			addTo(t, w.Router, fmt.Sprint(i), channels)
		}
		id := w.connect(1, true)
		if names, size := w.listed(id, `{"list_events":true,"after":"9"}`); size > pageBytes*2 || len(names) != 1 {
			t.Errorf("it has %d bytes", size)
		}
	})
}

// TestSortedNames: the names are those of the topics, in order, whatever has changed.
func TestSortedNames(t *testing.T) {
	r, rnd := NewRouter(Options{}), rand.New(rand.NewPCG(1, 2))
	there := make(map[string]*Listener)
	for range 2000 {
		name := fmt.Sprint("s", rnd.IntN(50))
		if l := there[name]; l != nil {
			l.Remove()
			delete(there, name)
		} else {
			l, err := r.AddListener(name, "e", func(Event) {})
			if err != nil {
				t.Fatal(err)
			}
			there[name] = l
		}
		if rnd.IntN(3) == 0 {
			continue
		}
		var want []string
		for name := range there {
			want = append(want, name)
		}
		slices.Sort(want)
		page, more := r.page(nil, "", 1000, 1<<20)
		var got []string
		for _, s := range page {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, want) || more {
			t.Fatalf("listed are %q, want %q", got, want)
		}
	}
}

// TestListeners: a list has those that were added and not removed, in order, and not many more.
func TestListeners(t *testing.T) {
	var ls listeners
	var want []*Listener
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		if n := len(want); n > 0 && rnd.IntN(2) == 0 || n > 100 {
			at := rnd.IntN(n)
			l := want[at]
			l.removed.Store(true)
			ls.remove(l)
			want = slices.Delete(want, at, at+1)
		} else {
			l := &Listener{id: uint64(i)}
			ls.add(l)
			want = append(want, l)
		}
		var got []*Listener
		for _, l := range ls.load() {
			if !l.removed.Load() {
				got = append(got, l)
			}
		}
		if !slices.Equal(got, want) || ls.len() != len(want) || ls.empty() != (len(want) == 0) {
			t.Fatalf("after %d changes, there are %d, want %d", i, len(got), len(want))
		}
		if n := len(ls.load()); n > 2*len(want)+1 {
			t.Fatalf("the list of %d has %d entries", len(want), n)
		}
	}
}
