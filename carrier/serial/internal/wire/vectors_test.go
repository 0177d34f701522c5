package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// problemsOf returns how many entries of a dictionary cannot be used.
func problemsOf(d *Dictionary) (n int) {
	if d.Problem == nil {
		return 0
	}
	if _, more, ok := strings.Cut(d.Problem.Error(), "; and "); ok {
		_, _ = fmt.Sscan(more, &n)
	}
	return n + 1
}

func TestDictionaryVectors(t *testing.T) {
	for _, v := range readVectors(t).Dictionaries {
		text := unhex(t, v.Text)
		if got := fmt.Sprintf("%08x", HashDictionary(text)); got != v.Hash {
			t.Errorf("%s: hash %s, want %s", v.Name, got, v.Hash)
		}
		d, err := ParseDictionary(text)
		if v.Error {
			if err == nil {
				t.Errorf("%s: read as %+v", v.Name, d.Senders)
			}
			continue
		}
		must(t, err)
		if problems := problemsOf(d); problems != v.Bad {
			t.Errorf("%s: %d problems, want %d: %v", v.Name, problems, v.Bad, d.Problem)
		}
		if n := bytes.Count(text, []byte{entryEvent}); len(d.Events) != n {
			t.Errorf("%s: %d events have numbers, of %d", v.Name, len(d.Events), n)
		}
		var want []Sender
		for _, e := range v.Entries {
			if e.Kind == "sender" {
				want = append(want, Sender{Name: e.Text})
				continue
			}
			s := &want[len(want)-1]
			switch e.Kind {
			case "event":
				s.Events = append(s.Events, Event{Name: e.Text})
			case "request":
				s.Requests = append(s.Requests, e.Text)
			case "unit":
				s.Events[len(s.Events)-1].Unit = e.Text
			case "exponent":
				s.Events[len(s.Events)-1].Exponent, err = strconv.Atoi(e.Text)
				must(t, err)
			default:
				t.Fatalf("%s: an entry of kind %q", v.Name, e.Kind)
			}
		}
		if !reflect.DeepEqual(d.Senders, want) {
			t.Errorf("%s: read as %+v, want %+v", v.Name, d.Senders, want)
		}
		if again, err := ParseDictionary(d.Pack()); v.Bad == 0 && (err != nil || !reflect.DeepEqual(again, d)) {
			t.Errorf("%s: read again as %+v, %v", v.Name, again, err)
		}
	}
}

func TestDictionaryLimits(t *testing.T) {
	most := bytes.Repeat([]byte("\x01a"), maxEntries)
	if _, err := ParseDictionary(most); err != nil {
		t.Error(err)
	}
	if _, err := ParseDictionary(append(most, "\x01a"...)); err == nil {
		t.Error("too many entries were taken")
	}
	if _, err := ParseDictionary(append([]byte{1}, bytes.Repeat([]byte("a"), MaxDictionary)...)); err == nil {
		t.Error("too many bytes were taken")
	}
	if _, err := ParseDictionary(nil); err == nil {
		t.Error("no bytes were taken")
	}
}

func TestReadingVectors(t *testing.T) {
	for _, v := range readVectors(t).Readings {
		d, err := ParseDictionary(unhex(t, v.Dictionary))
		must(t, err)
		var from Timeline
		if v.After != nil {
			from = Timeline{Ticks: *v.After, Begun: true}
		}
		rs, at, err := ParseReadings(unhex(t, v.Payload), d, from)
		if v.Error {
			if err == nil || at != from {
				t.Errorf("%s: read as %+v, %v", v.Name, rs, err)
			}
			continue
		}
		if err != nil || len(rs) != len(v.Readings) {
			t.Errorf("%s: read as %+v, %v", v.Name, rs, err)
			continue
		}
		var packed []byte
		at = from
		for i, want := range v.Readings {
			number := len(d.Events)
			if want.Event != nil {
				number = *want.Event
			} else {
				number += *want.Gap
			}
			if r := rs[i]; r.Number != number || r.Ticks != want.Ticks || hex.EncodeToString(r.Value) != want.Value {
				t.Errorf("%s: reading %d is %+v, want %+v", v.Name, i, r, want)
			}
			packed = at.Append(packed, rs[i], NumberBits(len(d.Events)))
		}
		if again, _, err := ParseReadings(packed, d, from); err != nil || !reflect.DeepEqual(again, rs) {
			t.Errorf("%s: read again as %+v, %v", v.Name, again, err)
		}
	}
}

func TestHelloVectors(t *testing.T) {
	for _, v := range readVectors(t).Hellos {
		payload := unhex(t, v.Payload)
		h, err := ParseHello(payload)
		if v.Error {
			if err == nil {
				t.Errorf("%s: read as %+v", v.Name, h)
			}
			continue
		}
		f := v.Fields
		want := Hello{
			UID: unhex(t, f.UID), Name: f.Name, Firmware: f.Firmware, Dictionary: f.Dictionary, Boot: f.Boot,
			ResetCause: f.Cause, Kept: f.Kept&1 != 0, Mute: f.Kept&2 != 0, Ticks: f.Ticks, Expects: f.Expects, ReceiveWindow: f.ReceiveWindow,
			MaxFrame: f.LargestFrame, Window: f.Window, TicksPerSecond: f.TicksPerSecond, FastestBaud: f.Fastest,
		}
		if len(want.UID) == 0 {
			want.UID = nil
		}
		if err != nil || !reflect.DeepEqual(h, want) {
			t.Errorf("%s: read as %+v, %v, want %+v", v.Name, h, err, want)
		}
		if got := want.Pack(); bytes.Equal(got, payload) == v.Longer {
			t.Errorf("%s: written as %x, not %x", v.Name, got, payload)
		}
	}
}

// TestWelcomePlaces: each number of an answer to HELLO, and the offset of a fetch, has its place whatever the others are.
func TestWelcomePlaces(t *testing.T) {
	for _, w := range []Welcome{
		{Session: 1, MaxFrame: MinFrame, Window: 1},
		{Session: CRCStart - 1, Echo: math.MaxUint32, MaxFrame: MaxFrame, Window: MaxWindow, Known: true, Expects: FrameNumbers - 1},
		{Session: 0x17, Echo: 0x18, MaxFrame: 0xff, Window: 7, Known: true},
	} {
		p := w.Pack()
		expects := w.Expects
		if !w.Known {
			expects = expectsNone
		}
		if len(p) != 15 || p[0] != protocolVersion || binary.BigEndian.Uint16(p[2:]) != w.Session ||
			binary.BigEndian.Uint32(p[5:]) != w.Echo || int(binary.BigEndian.Uint16(p[10:])) != w.MaxFrame ||
			int(p[12]) != w.Window || p[14] != expects {
			t.Errorf("%+v is written as %x", w, p)
		}
		if again, err := ParseWelcome(p); err != nil || again != w {
			t.Errorf("%x is read as %+v, %v", p, again, err)
		}
	}
	for _, offset := range []int{0, 23, 24, 255, 256, MaxDictionary} {
		if p := PackFetch(offset); len(p) != 4 || p[0] != MethodFetch || int(binary.BigEndian.Uint16(p[2:])) != offset {
			t.Errorf("the offset %d is written as %x", offset, p)
		}
	}
}
