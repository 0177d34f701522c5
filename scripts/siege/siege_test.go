//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCBOR: what attackers write is what they mean, so that a hub refuses it for the right reason.
func TestCBOR(t *testing.T) {
	for _, n := range []int{0, 23, 24, 255, 256, 65_535, 65_536} {
		name := strings.Repeat("n", n)
		message := cborMessage(n, "add_sender", cborObject("sender", name, "events", append(cborHead(cborList, 1), cborString("e")...)))
		var packed []byte
		if err := cbor.Unmarshal(message, &packed); err != nil {
			t.Fatal(err)
		}
		var m struct {
			ID     int    `cbor:"id"`
			Method string `cbor:"method"`
			Params struct {
				Sender string   `cbor:"sender"`
				Events []string `cbor:"events"`
			} `cbor:"params"`
		}
		if err := cbor.Unmarshal(packed, &m); err != nil || m.ID != n || m.Method != "add_sender" || m.Params.Sender != name ||
			len(m.Params.Events) != 1 {
			t.Errorf("%d: %+v, %v", n, m, err)
		}
	}
}

// TestWatch: lost, doubled, refused and late events are counted as such.
func TestWatch(t *testing.T) {
	w := &watch{planned: make(map[int]time.Time), heard: -1}
	w.start()
	at := time.Now().Add(-time.Second)
	for n := range 10 {
		w.planned[n] = at
		w.report.Sent++
	}
	w.answered(9, at, io.EOF) // refused
	w.answered(0, at, nil)
	for _, n := range []int{0, 1, 1, 2, 5, 4, 6, 7, 8} { // 3 and 4 are missing after 2, 4 comes late, which counts as doubled
		w.hear(hub.Event{Name: tick, Data: carrier.ValueOf(n)})
	}
	w.hear(hub.Event{Name: "#gap", Data: carrier.ValueOf(3)})
	r := w.end()
	if r.Sent != 10 || r.Lost != 2 || r.Doubled != 2 || r.Refused != 1 || r.Late < time.Second || r.Worst < r.Late {
		t.Errorf("%+v", r)
	}
}

// TestVerdicts: each limit that is exceeded is a reason of its own, and nothing else is.
func TestVerdicts(t *testing.T) {
	o := &options{memory: 64, late: 10 * time.Millisecond, held: 5 * time.Second, lines: 100}
	good := verdict{report: report{Sent: 10, Late: 9 * time.Millisecond}, deed: deed{Messages: 1}, control: report{Late: time.Millisecond},
		span: time.Second, memory: 63, lines: 100, goroutines: 20}
	for want, spoil := range map[string]func(v *verdict){
		"":                                  func(*verdict) {},
		"memory":                            func(v *verdict) { v.memory = 65 },
		"late":                              func(v *verdict) { v.Late = 11 * time.Millisecond },
		"1 lost":                            func(v *verdict) { v.Lost = 1 },
		"1 doubled":                         func(v *verdict) { v.Doubled = 1 },
		"1 refused":                         func(v *verdict) { v.Refused = 1 },
		"the pair was disconnected 1 times": func(v *verdict) { v.Cut = 1 },
		"the pair sent nothing":             func(v *verdict) { v.Sent = 0 },
		"the prey was held up":              func(v *verdict) { v.Held = 6 * time.Second },
		"no way in":                         func(v *verdict) { v.Shut = 1 },
		"log, of which 40 a":                func(v *verdict) { v.lines, v.messages = 101, counts{"b": 40, "a": 40, "c": 1} },
		"descriptors":                       func(v *verdict) { v.descriptors = 2 },
		"goroutines, of which 9 hub.f":      func(v *verdict) { v.goroutines, v.places = 29, counts{"hub.f": 9} },
		"the attack did nothing":            func(v *verdict) { v.deed = deed{} },
		"the hub ended":                     func(v *verdict) { v.died = true },
		"memory; stopped at 768 MB":         func(v *verdict) { v.memory, v.stopped, v.died = 800, true, true },
	} {
		table := &table{out: io.Discard, o: o, calm: verdict{goroutines: 20}}
		v := good
		spoil(&v)
		if got := strings.Join(table.why(attack{name: "x"}, &v), "; "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	busy := good
	busy.Late, busy.control.Late = 60*time.Millisecond, 35*time.Millisecond
	if why := (&table{o: o}).why(attack{name: "x"}, &busy); len(why) != 0 {
		t.Errorf("what a busy machine does is the hub's fault: %q", why)
	}
	minutes := good
	minutes.span, minutes.lines = 3*time.Minute, 300
	if why := (&table{o: o}).why(attack{name: "x"}, &minutes); len(why) != 0 {
		t.Errorf("a hundred lines a minute are too many: %q", why)
	}
}

// TestTable: a table has one row for each attack, and says what the columns mean.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	table := &table{out: &out, o: &options{memory: 64}}
	for _, err := range []error{table.head(), table.row(attack{name: calm}, &verdict{span: time.Second}),
		table.row(attack{name: "config"}, &verdict{alone: true, memory: 3}), table.foot()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(out.String(), "\n")
	for _, line := range lines[:4] {
		if strings.Count(line, "|") != 14 {
			t.Errorf("%d columns: %s", strings.Count(line, "|")-1, line)
		}
	}
	if !strings.Contains(out.String(), "1 of 2 attacks withstood") {
		t.Error(out.String())
	}
}

// TestHang: an attacker that reads nothing notices that the hub has closed the connection.
func TestHang(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := (&target{addr: l.Addr().String(), source: 66}).dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if from := other.RemoteAddr().(*net.TCPAddr).IP.String(); from != "127.0.0.66" {
		t.Errorf("it comes from %s", from)
	}
	if c.gone() {
		t.Error("it is gone before it is")
	}
	if _, err := fmt.Fprint(other, "unread"); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	c.hang(ctx)
	if ctx.Err() != nil {
		t.Error("it did not notice")
	}
}

// TestMistakes: an attack that is not there is an error.
func TestMistakes(t *testing.T) {
	if _, err := run(t.Context(), &options{hub: "/nonexistent", form: formOpen}, []string{"peace"}, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "--list") {
		t.Error(err)
	}
	var out bytes.Buffer
	if ok, err := run(t.Context(), &options{list: true, form: formOpen}, nil, &out); !ok || err != nil || strings.Count(out.String(), "\n") != len(attacks()) {
		t.Errorf("%v, %v: %s", ok, err, &out)
	}
	seen := make(map[string]bool)
	for _, a := range attacks() {
		if seen[a.name] || a.about == "" || (a.run == nil) == (a.judge == nil) {
			t.Errorf("%+v", a.name)
		}
		seen[a.name] = true
	}
}

// TestCount: what a hub logs, and where its goroutines are at the end, is counted by message and place.
func TestCount(t *testing.T) {
	h := &hubProcess{heard: make(chan struct{})}
	for _, line := range []string{
		"time=1 level=INFO msg=listening addr=tcp://127.0.0.1:4711\n", "time=1 level=WARN msg=\"a client is gone\" client=x\n",
		"time=1 level=WARN msg=\"a client is gone\" client=y\n", strings.Repeat("x", 2500) + "\n", "goroutine 7 [select]:\n", "runtime.gopark(0x1)\n",
		"sighub/hub.(*client).call(0x1, {0x2, 0x3})\n", "\t/hub/client.go:7 +0x1\n", "sighub/hub.(*client).handle(0x1)\n",
		"goroutine 8 gp=0x1 [chan receive]:\n", "sighub/hub.(*client).call(...)\n", "goroutine 9 [idle]:\n",
	} {
		h.count([]byte(line))
	}
	if h.addr != "127.0.0.1:4711" || h.lines != 14 || h.goroutines != 3 || h.messages.most() != `2 "a client is gone"` ||
		h.places.most() != "2 hub.(*client).call" {
		t.Errorf("%s, %d lines, %d goroutines, %s, %s", h.addr, h.lines, h.goroutines, h.messages.most(), h.places.most())
	}
}

// TestWhatStillWaitsCounts: an event that is held up until the end counts as held up, and a visitor who waits at the end is waited
// for: a hub that stands still must not look as if nothing had happened.
func TestWhatStillWaitsCounts(t *testing.T) {
	w := &watch{planned: make(map[int]time.Time), prey: time.Now().Add(-time.Minute), knocks: true}
	go func() {
		time.Sleep(20 * time.Millisecond)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.report.Shut++
		w.knocks = false
	}()
	if r := w.end(); r.Held < time.Minute-preyQuick || r.Shut != 1 {
		t.Errorf("the report is %+v", r)
	}
}
