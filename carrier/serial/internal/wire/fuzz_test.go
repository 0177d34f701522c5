package wire

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"sighub/carrier"
)

func FuzzHello(f *testing.F) {
	for _, v := range readVectors(f).Hellos {
		f.Add(unhex(f, v.Payload))
	}
	welcome := Welcome{Session: 5, MaxFrame: 254, Window: 8, Known: true, Expects: 3, Echo: 12}
	f.Add(welcome.Pack())
	f.Add([]byte("\x01\x41u\x63K\xfc\n\x62\xff\xfe")) // what is not plain text is escaped
	f.Fuzz(func(t *testing.T, data []byte) {
		if h, err := ParseHello(data); err == nil {
			h.OddName = false
			if again, err := ParseHello(h.Pack()); len(h.Name) <= MinFrame && len(h.Firmware) <= MinFrame && // and not escaped to more
				(err != nil || !reflect.DeepEqual(again, h)) {
				t.Fatalf("%+v is read again as %+v, %v", h, again, err)
			}
			if h.MaxFrame < MinFrame || h.MaxFrame > MaxFrame || h.Window < 1 || h.Window > MaxWindow || h.Expects >= FrameNumbers {
				t.Fatalf("%+v", h)
			}
		}
		if w, err := ParseWelcome(data); err == nil {
			if again, err := ParseWelcome(w.Pack()); err != nil || again != w {
				t.Fatalf("%+v is read again as %+v, %v", w, again, err)
			}
		}
	})
}

// FuzzSignal: a name that is found in a message in pieces is one that is read of it as a whole.
func FuzzSignal(f *testing.F) {
	for _, text := range []string{
		"\xa2\x66method\x66signal\x66params\xa2\x64info\xa2\x66sender\x61s\x65event\x61e\x64data\x81\x01",
		"\xbf\x66params\xbf\x64data\x19\x01\x00\x64info\xbf\x65event\x61e\x66sender\x61s\xff\xff\x66method\x66signal\xff",
		"\xa2\x66method\x66signal\x66params\xa2\x64info\xa2\x66sender\x61s\x65event\x61e\x64data\x1c",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, ok := FindSignal(payload)
		if ok && (len(s.Sender) == 0 || len(s.Event) == 0) {
			t.Fatalf("%+v", s)
		}
		m, err := UnpackMessage(payload)
		if err != nil || !ok || bytes.Count(payload, []byte("params")) != 1 { // twice, it is the last one
			return
		}
		var senders []string
		each := func(v carrier.Value, want string, f func(v carrier.Value)) {
			_ = v.Fields(func(key string, v carrier.Value) error {
				if key == want {
					f(v)
				}
				return nil
			})
		}
		each(m.Params, "info", func(v carrier.Value) {
			each(v, "sender", func(v carrier.Value) {
				var sender string
				if v.Decode(&sender) == nil {
					senders = append(senders, sender)
				}
			})
		})
		if len(senders) > 0 && utf8.Valid(s.Sender) && !slices.Contains(senders, string(s.Sender)) {
			t.Fatalf("found %q in a message of %q", s.Sender, senders)
		}
	})
}

func FuzzDictionary(f *testing.F) {
	for _, v := range readVectors(f).Dictionaries {
		f.Add(unhex(f, v.Text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDictionary(data)
		if err != nil {
			return
		}
		if got := bytes.Count(data, []byte{entryEvent}); got != len(d.Events) {
			t.Fatalf("%d events have numbers, of %d", len(d.Events), got)
		}
		if d.Problem != nil {
			return
		}
		packed := d.Pack()
		if again, err := ParseDictionary(packed); err != nil || !reflect.DeepEqual(again, d) {
			t.Fatalf("%+v is read again as %+v, %v", d, again, err)
		}
		names := make(map[string]int)
		for _, s := range d.Senders {
			names[s.Name]++
		}
		if err := CheckSenders(d.Senders); (err == nil) != (len(names) == len(d.Senders)) {
			t.Fatalf("%+v: %v", d, err)
		}
	})
}

// FuzzScale: what a device makes of a number means that number again, to half a unit of its exponent.
func FuzzScale(f *testing.F) {
	f.Add(21.565, int8(-2))
	f.Add(-0.5, int8(0))
	f.Add(1e300, int8(-18))
	f.Add(-1e22, int8(5))
	f.Fuzz(func(t *testing.T, x float64, exponent int8) {
		e := int(exponent % (MaxExponent + 1))
		packed, err := carrier.CBORText.Append(nil, x)
		must(t, err)
		wire, err := Unscale(packed, e)
		must(t, err)
		var got float64
		must(t, Scale(wire, e).Decode(&got))
		unit := math.Pow10(e)
		if off := math.Abs(got - x); off > unit/2*(1+1e-9)+math.Abs(x)*1e-15 && !math.IsNaN(x) {
			t.Fatalf("%v with exponent %d travels as %x and means %v", x, e, wire, got)
		}
		again, err := Unscale(wire, 0)
		if err != nil || !bytes.Equal(again, wire) {
			t.Fatalf("%x, %v", again, err)
		}
	})
}
