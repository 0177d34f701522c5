//go:build linux || darwin

package serial

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// A streamRecorder is a recorder that takes signals as a stream, and answers one that cannot be taken as a hub does.
type streamRecorder struct {
	*recorder
	signals chan carrier.Signal
}

func newStreamRecorder() *streamRecorder {
	return &streamRecorder{newRecorder(), make(chan carrier.Signal, 1000)}
}

func (r *streamRecorder) HandleSignals(_ carrier.ClientID, list []carrier.Signal, answers carrier.Answers) {
	for _, s := range carrier.CloneSignals(nil, list) {
		r.signals <- s
		if s.Err != nil {
			answers.Fail(carrier.Failed(s.Err))
		} else {
			answers.Done(1)
		}
	}
}

func (r *streamRecorder) SignalsAnswered(carrier.ClientID, int, *carrier.Reply) {}

// take returns the next signals as text.
func (r *streamRecorder) take(t *testing.T, n int) (list []string) {
	t.Helper()
	for range n {
		select {
		case s := <-r.signals:
			text := s.Route.Sender + " " + s.Route.Event + " "
			if s.Err != nil {
				text += carrier.Cause(s.Err)
			} else {
				text += s.Data.String()
			}
			if s.Time == 0 {
				text += " without a time"
			}
			list = append(list, text)
		case <-time.After(watchdog):
			t.Fatalf("%d signals, want %d: %q", len(list), n, list)
		}
	}
	return list
}

var badValues = map[string]string{ // in a frame that can be read
	"Latin-1":                   "\x66" + "21.5\xb0C",
	"text in an array":          "\x81\x61\xff",
	"key":                       "\xa1\x61\xff\x01",
	"piece of a text":           "\x7f\x61\xc3\x61\xa9\xff",
	"simple value":              "\xf8\x01",
	"nested too deeply":         strings.Repeat("\x81", 40) + "\x00",
	"nested far too deeply":     strings.Repeat("\x9f", 80) + strings.Repeat("\xff", 80),
	"tag around it":             "\xc1\x61\xff",
	"text in a text with a key": "\xbf\x61\xff\x01\xff",
}

// TestRefusedValue: a value that the hub refuses takes nothing else with it. It is handed on as refused in its place, counted,
// logged with its bytes, shown, and the device learns which one it was.
func TestRefusedValue(t *testing.T) {
	for name, bad := range badValues {
		t.Run(name, func(t *testing.T) {
			at := newStreamRecorder()
			d, lines, hub, log := newWiredHub(t, at)
			w := d.connect(lines)
			d.giveDictionary(w.Session)
			bits := wire.NumberBits(3)
			payload := wire.AppendInt(nil, -1-1000)
			add := func(number uint64, value string) {
				payload = append(wire.AppendUint(payload, 1<<bits|number), value...)
			}
			for n := range 4 {
				add(0, string(rune(n)))
			}
			add(1, bad)
			for n := range 4 {
				add(0, string(rune(n+4)))
			}
			answer := d.insist(w.Session, wire.Frame{Kind: wire.FrameEvent, Number: 0, Payload: payload})
			reply := wire.UnpackReply(answer)
			places, all := wire.RefusedPlaces(answer)
			if reply.Status != carrier.StatusFailed || all || !slices.Equal(keys(places), []int{4}) {
				t.Errorf("the frame is answered with %+v, refused are %v, %t", reply, places, all)
			}
			got := at.take(t, 9)
			for i := range 9 {
				want := fmt.Sprint("light lux ", i)
				if i == 4 {
					want = "light dark value"
				} else if i > 4 {
					want = fmt.Sprint("light lux ", i-1)
				}
				if got[i] != want {
					t.Errorf("signal %d is %q, want %q", i, got[i], want)
				}
			}
			p := hub.Ports()[0]
			if p.Device.Readings != 8 || p.BadFrames != 0 || p.Device.LatestRefusal == nil || p.Device.LatestRefusal.Cause != "value" {
				t.Errorf("%+v, %+v", p.Device, p.Device.LatestRefusal)
			}
			if s := log.String(); strings.Count(s, "what=reading") != 1 || !strings.Contains(s, fmt.Sprintf("%x", bad[:min(len(bad), mostShown)])) ||
				!strings.Contains(s, "sender=light event=dark") {
				t.Error(s)
			}
			payload = append(wire.AppendUint(nil, 1<<bits), 8)
			if d.insist(w.Session, wire.Frame{Kind: wire.FrameEvent, Number: 1, Payload: payload}) != nil {
				t.Error("the next frame is not acknowledged")
			}
		})
	}
}

func keys(set map[int]bool) (list []int) {
	for k := range set {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// TestRefusedMessage: the same for a reading that comes in a message. Another message that cannot be read is refused, too.
func TestRefusedMessage(t *testing.T) {
	at := newStreamRecorder()
	d, lines, hub, log := newWiredHub(t, at)
	w := d.connect(lines)
	d.giveDictionary(w.Session)
	message := func(n uint8, payload string) carrier.Reply {
		t.Helper()
		return wire.UnpackReply(d.insist(w.Session, wire.Frame{Kind: wire.FrameMessage, Number: n, Payload: []byte(payload)}))
	}
	signal := func(sender, data string) string {
		return "\xa2\x66method\x66signal\x66params\xa2\x64info\xa2\x66sender\x65" + sender + "\x65event\x63lux\x64data" + data
	}
	n := uint8(0)
	for name, bad := range badValues {
		if r := message(n, signal("porch", bad)); r.Status != carrier.StatusFailed || !strings.Contains(r.Exception, "cannot be carried") {
			t.Errorf("%s: %+v", name, r)
		}
		if got := at.take(t, 1); got[0] != "porch lux value" {
			t.Errorf("%s: %q", name, got)
		}
		n++
	}
	for _, bad := range []string{"\xff", "\x19\x01", "\x1c", "\x1f", "\x65\x01", "", "\x01\x02"} { // which end nowhere, or too early
		if r := message(n, signal("porch", bad)); r.Status != carrier.StatusMalformed {
			t.Errorf("%x: %+v", bad, r)
		}
		if got := at.take(t, 1); got[0] != "porch lux malformed" {
			t.Errorf("%x: %q", bad, got)
		}
		n++
	}
	if r := message(n, signal("por\xffh", "\x01")); r.Status != carrier.StatusMalformed {
		t.Errorf("a bad name: %+v", r)
	}
	if r := message(n+1, "\x84"); r.Status != carrier.StatusMalformed {
		t.Errorf("no message: %+v", r)
	}
	if r := message(n+2, signal("porch", "\x01")); r.Status != carrier.StatusDone {
		t.Errorf("a good one: %+v", r)
	}
	info := hub.Ports()[0].Device
	if info.Refused["malformed"] != 2 || info.Readings != 1 || len(at.signals) != 0 {
		t.Errorf("%+v, %d signals more", info, len(at.signals))
	}
	if s := log.String(); strings.Count(s, "what=reading") != len(badValues)+7 || strings.Count(s, "what=message") != 2 {
		t.Error(s)
	}
}

// TestRefusedByHub: readings that the hub refuses are not counted as taken, and the device is told which ones they are.
func TestRefusedByHub(t *testing.T) {
	b := newBench(t, nil)
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method == methodSignal && signalOf(t, m).data.(int64)%3 == 0 {
			respond(carrier.Failed(fmt.Errorf("%w: no multiples of three", carrier.ErrValue)))
			return
		}
		respond(carrier.Done(nil))
	}
	ended := make([]chan error, 20)
	for n := range ended {
		ended[n] = make(chan error, 1)
		must(t, b.device.Report(t.Context(), "light", "lux", n, func(err error) { ended[n] <- err }))
	}
	b.start(t)
	for n := range ended {
		err := <-ended[n]
		if refused, ok := errors.AsType[*carrier.StatusError](err); ok != (n%3 == 0) || ok && !strings.Contains(refused.Exception, "multiples of three") {
			t.Errorf("reading %d ends with %v", n, err)
		}
	}
	info := b.hub.Ports()[0].Device
	if s := b.device.Stats(); s.Refused != 7 || s.Acknowledged != 13 || info.Readings != 13 || info.LatestRefusal.Cause != "value" {
		t.Errorf("%+v, %+v", s, info)
	}
}
