package serial

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"testing"
)

func TestDictionaryVectors(t *testing.T) {
	for _, v := range readVectors(t).Dictionaries {
		text := unhex(t, v.Text)
		if got := fmt.Sprintf("%08x", hash(text)); got != v.Hash {
			t.Errorf("%s: hash %s, want %s", v.Name, got, v.Hash)
		}
		d, err := parseDictionary(text)
		if v.Error {
			if err == nil {
				t.Errorf("%s: read as %+v", v.Name, d.senders)
			}
			continue
		}
		must(t, err)
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
		if !reflect.DeepEqual(d.senders, want) {
			t.Errorf("%s: read as %+v, want %+v", v.Name, d.senders, want)
		}
		if again, err := parseDictionary(d.pack()); err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("%s: read again as %+v, %v", v.Name, again, err)
		}
	}
}

func TestDictionaryLimits(t *testing.T) {
	most := bytes.Repeat([]byte("\x01a"), maxEntries)
	if _, err := parseDictionary(most); err != nil {
		t.Error(err)
	}
	if _, err := parseDictionary(append(most, "\x01a"...)); err == nil {
		t.Error("too many entries were taken")
	}
	if _, err := parseDictionary(append([]byte{1}, bytes.Repeat([]byte("a"), maxDictionary)...)); err == nil {
		t.Error("too many bytes were taken")
	}
	if _, err := parseDictionary(nil); err == nil {
		t.Error("no bytes were taken")
	}
}

func TestReadingVectors(t *testing.T) {
	for _, v := range readVectors(t).Readings {
		d, err := parseDictionary(unhex(t, v.Dictionary))
		must(t, err)
		var from timeline
		if v.After != nil {
			from = timeline{ticks: *v.After, begun: true}
		}
		rs, at, err := parseReadings(unhex(t, v.Payload), d, from)
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
			number := len(d.events)
			if want.Event != nil {
				number = *want.Event
			} else {
				number += *want.Gap
			}
			if r := rs[i]; r.number != number || r.ticks != want.Ticks || hex.EncodeToString(r.value) != want.Value {
				t.Errorf("%s: reading %d is %+v, want %+v", v.Name, i, r, want)
			}
			packed = at.append(packed, rs[i], numberBits(len(d.events)))
		}
		if again, _, err := parseReadings(packed, d, from); err != nil || !reflect.DeepEqual(again, rs) {
			t.Errorf("%s: read again as %+v, %v", v.Name, again, err)
		}
	}
}

func TestHelloVectors(t *testing.T) {
	for _, v := range readVectors(t).Hellos {
		payload := unhex(t, v.Payload)
		h, err := parseHello(payload)
		if v.Error {
			if err == nil {
				t.Errorf("%s: read as %+v", v.Name, h)
			}
			continue
		}
		f := v.Fields
		want := hello{
			uid: unhex(t, f.UID), name: f.Name, firmware: f.Firmware, dictionary: f.Dictionary, boot: f.Boot,
			resetCause: f.Cause, kept: f.Kept == 1, ticks: f.Ticks, expects: f.Expects, receiveWindow: f.ReceiveWindow,
			maxFrame: f.LargestFrame, window: f.Window, ticksPerSecond: f.TicksPerSecond, fastest: f.Fastest,
		}
		if len(want.uid) == 0 {
			want.uid = nil
		}
		if err != nil || !reflect.DeepEqual(h, want) {
			t.Errorf("%s: read as %+v, %v, want %+v", v.Name, h, err, want)
		}
		if got := want.pack(); bytes.Equal(got, payload) == v.Longer {
			t.Errorf("%s: written as %x, not %x", v.Name, got, payload)
		}
	}
}

// TestWelcomePlaces: each number of an answer to HELLO, and the offset of a fetch, has its place whatever the others are.
func TestWelcomePlaces(t *testing.T) {
	for _, w := range []welcome{
		{session: 1, maxFrame: helloFrame, window: 1},
		{session: crcStart - 1, echo: math.MaxUint32, maxFrame: limitFrame, window: maxWindow, known: true, expects: numbers - 1},
		{session: 0x17, echo: 0x18, maxFrame: 0xff, window: 7, known: true},
	} {
		p := w.pack()
		expects := w.expects
		if !w.known {
			expects = expectsNone
		}
		if len(p) != 15 || p[0] != protocolVersion || binary.BigEndian.Uint16(p[2:]) != w.session ||
			binary.BigEndian.Uint32(p[5:]) != w.echo || int(binary.BigEndian.Uint16(p[10:])) != w.maxFrame ||
			int(p[12]) != w.window || p[14] != expects {
			t.Errorf("%+v is written as %x", w, p)
		}
		if again, err := parseWelcome(p); err != nil || again != w {
			t.Errorf("%x is read as %+v, %v", p, again, err)
		}
	}
	for _, offset := range []int{0, 23, 24, 255, 256, maxDictionary} {
		if p := fetchFrom(offset); len(p) != 4 || p[0] != fetchMethod || int(binary.BigEndian.Uint16(p[2:])) != offset {
			t.Errorf("the offset %d is written as %x", offset, p)
		}
	}
}
