package serial

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// TestLedger: an older state never replaces a newer one, in whatever order they are asked for.
func TestLedger(t *testing.T) {
	var l ledger
	marks := make([]*mark, 4)
	for n := range marks {
		marks[n] = l.make(carrier.Mark{Key: "k", State: []byte{byte(n)}, Within: time.Duration(n)})
	}
	newest := 0
	for _, n := range []int{0, 2, 1, 3, 2} {
		newest = max(newest, n)
		if got := marks[n].give(); got.Key != "k" || got.State[0] != byte(newest) || got.Within != time.Duration(n) {
			t.Errorf("for mark %d there is %+v, want state %d", n, got, newest)
		}
	}
}

// TestMarkKey: keys differ, and are short whatever a device calls itself.
func TestMarkKey(t *testing.T) {
	long := strings.Repeat("x", 500)
	seen := make(map[string]bool)
	for _, id := range []string{"a1b2", "name:porch", long, long + "y", "name:" + long} {
		key := markKey(id)
		if seen[key] || len(key) > maxMarkKey || !strings.HasPrefix(key, "link/") {
			t.Errorf("the key of %q is %q", id, key)
		}
		seen[key] = true
	}
}

// TestMarkList: the marks of so many absent devices are kept, those that were here last, and none for longer than a year. A connected
// device keeps its own. The list says so to the next run.
func TestMarkList(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	kept := make(map[string]bool)
	var l markList
	enlist := func(key string, now time.Time, connected ...string) {
		t.Helper()
		here := map[string]bool{key: true}
		for _, c := range connected {
			here[c] = true
		}
		marks := l.enlist(key, now, here)
		if marks == nil { // it was noted with another one, that was kept
			return
		}
		for _, m := range marks {
			if len(m.State) == 0 {
				delete(kept, m.Key)
			}
		}
		maps.Copy(kept, here)
		last := marks[len(marks)-1]
		again, err := readMarkList(last.State)
		must(t, err)
		if last.Key != markListKey {
			t.Fatalf("the list is kept as %s", last.Key)
		}
		if !slices.Equal(again.entries, l.entries) {
			t.Fatalf("the list is read as %v, not %v", again.entries, l.entries)
		}
	}
	for n := range 2 * maxMarks {
		enlist(fmt.Sprint("k", n), now, "k7")
	}
	if len(kept) != maxMarks || !kept["k7"] || kept["k8"] || !kept[fmt.Sprint("k", 2*maxMarks-1)] {
		t.Errorf("%d marks are kept: %v", len(kept), kept)
	}
	if marks := l.enlist("k7", now.Add(time.Hour), nil); marks != nil {
		t.Errorf("on the same day the list is written again: %v", marks)
	}
	enlist("k7", now.AddDate(1, 0, -5))
	enlist("new", now.AddDate(1, 0, 1), "k300")
	if want := map[string]bool{"k7": true, "new": true, "k300": true}; len(kept) != len(want) || !kept["k7"] || !kept["k300"] {
		t.Errorf("after a year %d marks are kept: %v", len(kept), kept)
	}
	enlist("unset", time.Unix(1000, 0)) // the clock is not set: nothing has become old
	enlist("set", now.AddDate(1, 0, 2))
	if !kept["unset"] || !kept["new"] {
		t.Errorf("by a clock that is not set, marks are dropped: %v", kept)
	}
}

// TestMarkListOfMany: of many devices that are connected, the list is kept once a day, and devices that are away for a moment keep
// their marks.
func TestMarkListOfMany(t *testing.T) {
	const many = 4 * maxMarks
	var l markList
	connected := make(map[string]bool)
	for n := range many {
		connected[fmt.Sprint("k", n)] = true
	}
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	for range 3 {
		kept := 0
		for n := range many {
			if marks := l.enlist(fmt.Sprint("k", n), now, connected); marks != nil {
				kept++
			}
		}
		if kept != 1 || len(l.entries) != many {
			t.Errorf("the list of %d devices was kept %d times", len(l.entries), kept)
		}
		now = now.AddDate(0, 0, 1)
	}
	for n := range maxMarks / 2 {
		delete(connected, fmt.Sprint("k", n))
	}
	if marks := l.enlist("new", now, connected); len(marks) != 1 {
		t.Errorf("%d marks are dropped", len(marks)-1)
	}
}

// TestMarkListDamaged: a list that cannot be read is an error.
func TestMarkListDamaged(t *testing.T) {
	l := markList{[]markEntry{{"link/a", 20_000}, {"link/b", -5}}}
	good := l.pack()
	for n := 1; n < len(good); n++ {
		got, err := readMarkList(good[:n])
		if whole := len(got.entries) == 1 || n == 1; err == nil && !whole || err != nil && len(got.entries) > 0 {
			t.Errorf("%d bytes are read as %v, %v", n, got, err)
		}
	}
	newer := bytes.Clone(good)
	newer[0]++
	for _, bad := range [][]byte{newer, {0xff}, append(good, 0x58, 200), append(bytes.Clone(good), wire.AppendBytes(nil, make([]byte, maxMarkKey+1))...)} {
		if got, err := readMarkList(bad); err == nil || len(got.entries) > 0 {
			t.Errorf("%x is read as %v", bad, got)
		}
	}
}

// FuzzMarkList: whatever is read as a list is bounded, and is written as it was read.
func FuzzMarkList(f *testing.F) {
	l := markList{[]markEntry{{"link/a", 20_000}, {"link/b", -5}}}
	f.Add(l.pack())
	f.Fuzz(func(t *testing.T, packed []byte) {
		l, err := readMarkList(packed)
		if err != nil {
			return
		}
		again, err := readMarkList(l.pack())
		if err != nil || !slices.Equal(again.entries, l.entries) {
			t.Fatalf("%v becomes %v, %v", l, again, err)
		}
		l.enlist("link/c", time.Unix(1e9, 0), nil)
	})
}

// TestLossesOfAnotherRun: the next run of a hub knows which senders have reported and what was not told, as long as the dictionary is
// the same; else all of its senders may have lost something.
func TestLossesOfAnotherRun(t *testing.T) {
	var senders []wire.Sender
	for n := range 20 {
		senders = append(senders, wire.Sender{Name: fmt.Sprint("s", n), Events: []wire.Event{{Name: "e"}}})
	}
	dict := wire.NewDictionary(senders)
	at := func(n int) time.Time { return time.Unix(1e9+int64(n), 5) }
	ls := losses{last: make(map[string]time.Time), untold: make(map[string]*loss)}
	for _, n := range []int{3, 17} {
		ls.reported(fmt.Sprint("s", n), at(n), 256)
	}
	teller := new(client)
	ls.untold["s3"] = &loss{sender: "s3", first: at(1), last: at(20), cause: "malformed"}
	ls.untold["s17"] = &loss{sender: "s17", first: at(2), last: at(30), cause: "malformed"}
	ls.untold["s5"] = &loss{sender: "s5", first: at(0), last: at(40), telling: teller}
	own := ls.pack(dict, teller)
	if len(own) > 60 {
		t.Errorf("%d bytes", len(own))
	}
	next := func(lost bool, hash uint32) *losses {
		r := losses{last: make(map[string]time.Time), untold: make(map[string]*loss),
			recalled: &link.Recollection{Own: own, Dictionary: 7, Taken: at(9), Lost: lost}}
		if lost {
			r.restarted = at(50)
		}
		r.gather(dict, hash)
		return &r
	}
	r := next(false, 7)
	if len(r.last) != 2 || r.last["s3"] != at(9) || r.last["s17"] != at(9) || len(r.untold) != 2 {
		t.Errorf("%+v", r)
	}
	for _, sender := range []string{"s3", "s17"} {
		if l := r.untold[sender]; l == nil || l.sender != sender || !l.first.Equal(at(1)) || !l.last.Equal(at(30)) || l.cause != "malformed" {
			t.Errorf("what %s has lost is %+v", sender, l)
		}
	}
	if r := next(true, 7); len(r.last) != 0 || len(r.untold) != 2 || !r.untold["s17"].first.Equal(at(1)) || !r.untold["s17"].last.Equal(at(50)) {
		t.Errorf("after a loss of memory %+v", r)
	}
	if r := next(true, 8); len(r.untold) != len(senders) || !r.untold["s1"].first.Equal(at(9)) {
		t.Errorf("with another dictionary %+v", r)
	}
	for n := range own { // what is damaged takes nothing along
		r := losses{last: make(map[string]time.Time), untold: make(map[string]*loss), recalled: &link.Recollection{Own: own[:n], Dictionary: 7, Taken: at(9)}}
		r.gather(dict, 7)
	}
}
