package nats

import (
	"fmt"
	"reflect"
	"testing"

	"sighub/bridge"
	"sighub/hub"
	"sighub/internal/safetext"
)

func at(n int) hub.Position { return hub.Position{Epoch: 1, Sequence: uint64(n)} }

// tell returns an event that is heard with what a message says of the hub's journal.
func tell(sender string, position int, sent bridge.Sent, own int) *told {
	t := &told{journal: "j", at: at(position), sent: sent}
	if t.sender = sender; own > 0 {
		t.own = at(own)
	}
	return t
}

// TestRecord: what was heard is known again, in front of what waits and behind it, of all senders and of those that go first, also when the
// record is read again; and nothing of another journal is.
func TestRecord(t *testing.T) {
	var r record
	r.add(tell("first", 50, bridge.Sent{UpTo: at(10)}, 50))
	r.add(tell("- +", 60, bridge.Sent{UpTo: at(10)}, 60))
	r.add(tell("lamp", 11, bridge.Sent{UpTo: at(11)}, 0))
	r.add(tell("lamp", 80, bridge.Sent{UpTo: at(11), Ahead: []bridge.Span{{After: at(70), UpTo: at(80)}}}, 0))
	r.add(tell("lamp", 3, bridge.Sent{UpTo: at(3)}, 0)) // the stream has less again
	check := func(r record) {
		t.Helper()
		for _, test := range []struct {
			sender string
			at     int
			want   bool
		}{
			{"lamp", 1, true}, {"lamp", 11, true}, {"lamp", 12, false}, {"lamp", 70, false}, {"lamp", 71, true}, {"lamp", 81, false},
			{"first", 50, true}, {"first", 51, false}, {"- +", 60, true}, {"- +", 61, false}, {"", 50, false},
		} {
			if got := r.has(tell(test.sender, test.at, bridge.Sent{}, 0)); got != test.want {
				t.Errorf("%s %d: %t", test.sender, test.at, got)
			}
		}
	}
	check(r)
	r = parseRecord(string(r.append(nil))[1:])
	check(r)
	other := tell("lamp", 1, bridge.Sent{UpTo: at(1)}, 0)
	if other.journal = "other"; r.has(other) {
		t.Error("another journal is taken for it")
	}
	r.add(other)
	if want := (record{journal: "other", Sent: bridge.Sent{UpTo: at(1)}}); !reflect.DeepEqual(r, want) {
		t.Errorf("%+v, want %+v", r, want)
	}
}

// TestRecordBounds: a hub that says of many senders that they are ahead, or of names of any length, takes neither more memory nor a longer mark.
func TestRecordBounds(t *testing.T) {
	var r record
	for i := range 10 * maxSenders {
		r.add(tell(fmt.Sprintf("s%0*d", safetext.MaxName-1+i%2, i), i+2, bridge.Sent{UpTo: at(1)}, i+2))
	}
	if n := len(parseRecord(string(r.append(nil))[1:]).own); n != maxOwn {
		t.Errorf("%d senders are known", n)
	}
	for _, text := range []string{"", "j", "j x", "%", "j 1/2 +", "j 1/2 a+", "j 1/2 %+1/2"} {
		if r := parseRecord(text); !reflect.DeepEqual(r, record{}) {
			t.Errorf("%q is %+v", text, r)
		}
	}
}
