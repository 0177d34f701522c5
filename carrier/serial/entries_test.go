package serial

import (
	"errors"
	"strings"
	"testing"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// TestBadEntries: what is wrong with a part of a dictionary takes nothing else with it, and Ports tells it; and so with a
// device that reports nothing because its dictionary is too large for it.
func TestBadEntries(t *testing.T) {
	for _, c := range []struct {
		name, dict string
		mute       bool
		senders    []string
		heard      string // the events whose readings arrive
		problem    string
	}{
		{"all good", "\x01a\x02e\x01b\x02f\x02g", false, []string{"a", "b"}, "a/e b/f b/g", ""},
		{"an empty unit", "\x01a\x02e\x03\x01b\x02f\x03\x02g\x03V", false, []string{"a", "b"}, "a/e b/f b/g", ""},
		{"a sender's name", "\x01a\x02e\x01\xff\x02f\x05r\x01b\x02g", false, []string{"a", "b"}, "a/e b/g", "a sender's name must be plain text"},
		{"an event's name", "\x01a\x02e\x01b\x02\x02g", false, []string{"a", "b"}, "a/e b/g", "an event's name must not be empty"},
		{"an event's invisible letter", "\x01a\x02e\x01b\x02\u202e\x02g", false, []string{"a", "b"}, "a/e b/g", "U+202E"},
		{"an exponent", "\x01a\x02e\x01b\x02f\x04x\x02g\x04-1", false, []string{"a", "b"}, "a/e b/g", "the exponent of \"f\""},
		{"too many events", "\x01a\x02e\x01b\x02f\x02g", true, []string{"a", "b"}, "a/e b/f b/g", "SIGHUB_EVENTS=3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, lines, at := newWiredDevice(t)
			d.dict = []byte(c.dict)
			d.hello.Dictionary, d.hello.Mute = wire.HashDictionary(d.dict), c.mute
			at.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
				if m.Method == "signal" && !strings.Contains(" "+c.heard+" ", " "+signalOf(t, m).sender+"/"+signalOf(t, m).event+" ") {
					respond(carrier.Failed(errors.New("no such event")))
					return
				}
				respond(carrier.Done(nil))
			}
			w := d.connect(lines)
			d.giveDictionary(w.Session)
			at.wait(t, "connected", 1)
			events := strings.Count(c.dict, "\x02")
			bits := wire.NumberBits(events)
			var line wire.Timeline
			for n := range events {
				d.write(w.Session, wire.Frame{Kind: wire.FrameEvent, Number: uint8(n),
					Payload: line.Append(nil, wire.Reading{Number: n, Ticks: 100, Value: []byte{5}}, bits)})
				f := <-d.frames
				for f.Kind != wire.FrameAck && f.Kind != wire.FrameReply {
					f = <-d.frames
				}
			}
			var senders, heard []string
			for _, m := range at.all("add_sender") {
				must(t, m.message.Params.Fields(func(key string, v carrier.Value) error {
					if key == "sender" {
						var name string
						must(t, v.Decode(&name))
						senders = append(senders, name)
					}
					return nil
				}))
			}
			for _, m := range at.all("signal") {
				if s := signalOf(t, m.message); strings.Contains(" "+c.heard+" ", " "+s.sender+"/"+s.event+" ") {
					heard = append(heard, s.sender+"/"+s.event)
				}
			}
			if strings.Join(senders, " ") != strings.Join(c.senders, " ") || strings.Join(heard, " ") != c.heard {
				t.Errorf("the senders are %q, and %q are heard", senders, heard)
			}
			problem := ""
			for _, p := range d.hub.Ports()[0].Problems {
				if strings.Contains(p.What, "dictionary") {
					problem = p.What
				}
			}
			if (problem == "") != (c.problem == "") || !strings.Contains(problem, c.problem) {
				t.Errorf("Ports tells %q, want %q", problem, c.problem)
			}
		})
	}
}
