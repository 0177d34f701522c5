package hub_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestValuesAtTheDoor: what is outside the data model is refused with the reason, as a message and in a stream, and nothing else
// is: the next value is heard in either codec, and is the same.
func TestValuesAtTheDoor(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	var heard [2]chan string
	for i, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		r, _ := n.client(codec)
		heard[i] = make(chan string, 10)
		if _, err := r.AddRemoteListener(n.ctx, "lab", "v", func(ev hub.Event) {
			if ev.Name == "v" { // not the gaps of what is refused
				heard[i] <- "v " + plainText(ev.Data)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	p := n.raw()
	p.say(`{"id":2,"method":"add_sender","params":{"sender":"lab","events":["v"]}}`)
	p.hear(`"status":0`)
	p.say(`[[0,"lab","v"],1]`)
	p.hear(`[1]`)
	for i := range heard {
		if got := <-heard[i]; got != "v int64 1" {
			t.Error(got)
		}
	}
	for i, c := range []struct{ value, want, refused string }{
		{`{"a":1,"a":2}`, "", `data: key \"a\" is there twice`}, {`1e999`, "", "data: the number 1e999 is out of range"},
		{strings.Repeat("9", 400), "", "an integer of 400 digits"}, {`NaN`, "", "JSON"}, {`["\ud800"]`, "", "half of a character"},
		{`{"h":[0,1,2,{"x":{"x":1,"x":1}}]}`, "", `data.h[3].x: key \"x\" is there twice`}, {"\"\xff\"", "", "UTF-8"}, {`[1,]`, "", "unexpected"},
		{strings.Repeat("[", 33) + strings.Repeat("]", 33), "", "nested deeper than 32"}, {strings.Repeat("[", 50) + strings.Repeat("]", 50), "", "nested deeper than 32"},
		{`"` + strings.Repeat("x", 2<<20) + `"`, "", "too large"}, {`"\x"`, "", "escape"}, {`01`, "", "carrier: "},
		{`18446744073709551616`, "*big.Int 18446744073709551616", ""}, {`-0.0`, "float64 -0", ""}, {`{"b":[1.5,null],"a":"\u0061"}`, "map map[a:a b:[1.5 <nil>]]", ""},
		{`1e2`, "float64 100", ""}, {`"\ud83d\ude00"`, "string 😀", ""},
	} {
		p.say(`{"id":%d,"method":"signal","params":{"info":{"sender":"lab","event":"v"},"data":%s}}`, 10+i, c.value)
		reply, answer := fmt.Sprintf(`"id":%d,"status":0`, 10+i), "[1]"
		if c.refused != "" {
			reply, answer = c.refused, c.refused
		}
		p.hear(reply)
		p.say(`[0,%s]`, c.value)
		p.hear(answer)
		if c.refused == "" {
			for range 2 {
				for _, ch := range heard {
					if got := <-ch; got != "v "+c.want {
						t.Errorf("%s is heard as %s, not %s", c.value, got, c.want)
					}
				}
			}
		}
	}
}

// plainText returns a value with its type.
func plainText(v carrier.Value) string {
	a, err := v.Any()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(fmt.Sprintf("%T", a), "[string]interface {}") + " " + fmt.Sprint(a)
}

// TestRequestsAtTheDoor: params and responses are held against the data model as well.
func TestRequestsAtTheDoor(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	from, _ := n.client(carrier.JSON)
	bad := carrier.RawValue(carrier.JSON, []byte(`{"a":1,"a":2}`))
	if _, err := from.AddRemoteSender(t.Context(), "pump", hub.SenderOptions{
		Default: func(_ context.Context, method string, _ carrier.Value) (any, error) {
			if method == "bad" {
				return bad, nil
			}
			return "good", nil
		},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.AddSender("own", hub.SenderOptions{
		Default: func(context.Context, string, carrier.Value) (any, error) { return bad, nil },
	}); err != nil {
		t.Fatal(err)
	}
	asking := n.raw()
	for _, c := range []struct{ params, want string }{
		{`{"sender":"pump","method":"x","params":{"a":[{"b":1,"b":2}]}}`, `params.a[0]: key \"b\" is there twice`},
		{`{"sender":"pump","method":"bad","params":1}`, `response: key \"a\" is there twice`},
		{`{"sender":"own","method":"x"}`, `response: key \"a\" is there twice`},
		{`{"sender":"pump","method":"x","params":1}`, `"response":"good"`},
	} {
		asking.say(`{"id":2,"method":"request","params":%s}`, c.params)
		asking.hear(c.want)
	}
	answering := n.raw()
	answering.say(`{"id":2,"method":"add_sender","params":{"sender":"valve","events":[],"requests":["get"]}}`)
	answering.hear(`"status":0`)
	asking.say(`{"id":3,"method":"request","params":{"sender":"valve","method":"get"}}`)
	answering.hear(`"id":1,"method":"request"`)
	answering.say(`{"id":1,"status":0,"response":{"a":1,"a":2}}`)
	asking.hear(`"id":3,"status":-2,"exception":"carrier: value cannot be carried: response: key \"a\" is there twice`)
	to, _ := n.client(carrier.CBOR)
	if _, err := to.RemoteRequest(t.Context(), "pump", "bad", nil); !errors.Is(err, carrier.ErrValue) {
		t.Error(err)
	}
	if _, err := n.Request(t.Context(), "pump", "x", bad); !errors.Is(err, carrier.ErrValue) {
		t.Error(err)
	}
}

// TestGoValuesAtTheDoor: a program is told, whether its sender is in the hub or elsewhere, and whether it waits or not.
func TestGoValuesAtTheDoor(t *testing.T) {
	everyCarrier(t, hub.ServerOptions{}, func(t *testing.T, connect func() *hub.ClientRouter) {
		s, err := connect().AddRemoteSender(t.Context(), "lab", hub.SenderOptions{Events: []string{"v"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("v")
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []any{
			carrier.RawValue(carrier.JSON, []byte(`{"a":1,"a":2}`)), carrier.RawValue(carrier.CBOR, []byte{0xa1, 0xf5, 0x01}),
			carrier.RawValue(carrier.CBOR, []byte{0x01, 0x02}), twice{}, []any{twice{}},
		} {
			if err := g.Trigger(t.Context(), bad); carrier.Cause(err) != "value" && carrier.Cause(err) != "malformed" {
				t.Errorf("%v: %v", bad, err)
			}
			ended := make(chan error, 1)
			if err := g.TriggerAsync(t.Context(), bad, func(err error) { ended <- err }); err == nil {
				if err = <-ended; carrier.Cause(err) != "value" {
					t.Errorf("%v: %v", bad, err)
				}
			}
		}
		ended := make(chan error, 1)
		if err := g.TriggerAsyncAt(t.Context(), 1, time.Now().Add(48*time.Hour), 0, func(err error) { ended <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, carrier.ErrTime) {
			t.Errorf("in two days: %v", err)
		}
		if err := g.Trigger(t.Context(), 1); err != nil {
			t.Error(err)
		}
	})
	g, err := addSender(t, hub.NewRouter(hub.Options{}), "own", "n").Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Trigger(t.Context(), carrier.RawValue(carrier.CBOR, []byte{0xa1, 0xf5, 0x01})); !errors.Is(err, carrier.ErrValue) {
		t.Error(err)
	}
}

// A twice says of itself what cannot be.
type twice struct{}

func (twice) MarshalJSON() ([]byte, error) { return []byte(`{"x":1,"x":2}`), nil }

// TestTimesAtTheDoor: units are told apart and a time far from now is refused, in messages of both codecs, in streams, and of
// senders in the hub.
func TestTimesAtTheDoor(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	clock := hub.Options{Now: func() time.Time { return now }}
	n := serveNetwork(t, hub.ServerOptions{Options: clock})
	heard := make(chan time.Time, 10)
	r, _ := n.client(carrier.CBOR)
	if _, err := r.AddRemoteListener(n.ctx, "lab", "v", func(ev hub.Event) {
		if ev.Name == "v" {
			heard <- ev.Time
		}
	}); err != nil {
		t.Fatal(err)
	}
	p := n.raw()
	p.say(`{"id":2,"method":"add_sender","params":{"sender":"lab","events":["v"]}}`)
	p.hear(`"status":0`)
	p.say(`[[0,"lab","v"],1]`)
	p.hear(`[1]`)
	<-heard
	seconds := fmt.Sprint(now.Unix())
	for _, c := range []struct {
		time string
		want time.Time // zero: refused
	}{
		{seconds, now}, {seconds + "000", now}, {seconds + "000000", now}, {seconds + "000000000", now}, {seconds + ".5", now.Add(time.Second / 2)},
		{`"2026-11-26T11:00:00+01:00"`, now}, {"0", now}, {"null", now}, {`"2026-11-27T09:59:59Z"`, now.Add(24*time.Hour - time.Second)},
		{`"2026-11-27T10:00:01Z"`, time.Time{}}, {`"2016-11-27T10:00:00Z"`, time.Time{}}, {`"2016-12-01T10:00:00Z"`, time.Date(2016, 12, 1, 10, 0, 0, 0, time.UTC)},
		{"5", time.Time{}}, {"-5", time.Time{}}, {`"2026-11-26T10:00:00"`, time.Time{}}, {`{}`, time.Time{}}, {`""`, time.Time{}}, {"true", time.Time{}},
		{`"1970-01-01T00:00:01Z"`, time.Time{}}, {"9223372036854775807", time.Time{}}, {`"` + seconds + `"`, time.Time{}},
	} {
		status := map[bool]string{true: `"status":-2`, false: `"status":0`}[c.want.IsZero()]
		p.say(`{"id":5,"method":"signal","params":{"info":{"sender":"lab","event":"v","time":%s},"data":1}}`, c.time)
		p.hear(status)
		p.say(`[0,1,%s]`, c.time)
		p.hear(map[bool]string{true: `[-2,"carrier: time is not plausible: `, false: `[1]`}[c.want.IsZero()])
		for range 2 {
			if c.want.IsZero() {
				break
			}
			if got := <-heard; !got.Equal(c.want) {
				t.Errorf("%s is heard as %v", c.time, got)
			}
		}
	}
	own, err := addSender(t, n.Router, "own", "n").Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	for at, good := range map[time.Time]bool{
		now: true, now.Add(25 * time.Hour): false, now.Add(-11 * 365 * 24 * time.Hour): false, now.Add(-9 * 365 * 24 * time.Hour): true, time.Unix(0, now.Unix()): false,
	} {
		if err := own.TriggerAt(t.Context(), 1, at, 0); good != (err == nil) || !good && !errors.Is(err, carrier.ErrTime) {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

// TestTimesAllowed: a router may take other times; and it takes any while its own clock was never set.
func TestTimesAllowed(t *testing.T) {
	year := func(y int) time.Time { return time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		times    hub.TimeRange
		now      int
		at       int
		accepted bool
	}{
		{hub.TimeRange{}, 2026, 2015, false}, {hub.TimeRange{Past: 20 * 365 * 24 * time.Hour}, 2026, 2015, true}, {hub.TimeRange{Past: time.Hour}, 2026, 2025, false},
		{hub.TimeRange{}, 2026, 2027, false}, {hub.TimeRange{Future: 400 * 24 * time.Hour}, 2026, 2027, true}, {hub.TimeRange{Any: true}, 2026, 1970, true},
		{hub.TimeRange{}, 1970, 2026, true}, {hub.TimeRange{}, 2024, 1970, false},
	} {
		r := hub.NewRouter(hub.Options{Times: c.times, Now: func() time.Time { return year(c.now) }})
		g, err := addSender(t, r, "own", "n").Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		if err := g.TriggerAt(t.Context(), 1, year(c.at), 0); c.accepted != (err == nil) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestCBORCollision: a map with the keys 1 and "1" is refused, and not one of the two by chance; integer keys alone are the same
// for all.
func TestCBORCollision(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	var all [2]chan string
	for i, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		r, _ := n.client(codec)
		all[i] = make(chan string, 100)
		if _, err := r.AddRemoteListener(n.ctx, "lab", "n", func(ev hub.Event) {
			if ev.Name == "n" { // not the gaps of what is refused
				all[i] <- plainText(ev.Data)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	from, _ := n.client(carrier.CBOR)
	g := n.signal(from, "lab")
	for range 20 {
		if err := g.Trigger(n.ctx, cborOf(t, "a20119 0bb8 6131 1907d0")); !errors.Is(err, carrier.ErrValue) {
			t.Fatal(err)
		}
		if err := g.Trigger(n.ctx, cborOf(t, "a20119 0bb8 20 c48221 19086d")); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if got := <-all[i]; got != "map map[-1:21.57 1:3000]" {
				t.Error(got)
			}
		}
	}
}

func cborOf(t *testing.T, text string) carrier.Value {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return carrier.RawValue(carrier.CBOR, raw)
}

// TestObjectsAsData: an Object has its keys' names wherever a program puts it, in either codec, and each of them once.
func TestObjectsAsData(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	o := carrier.Object{{Key: "id", Value: 1}, {Key: "time", Value: carrier.Object{{Key: "data", Value: "x"}}}}
	const want = "map map[id:1 time:map[data:x]]"
	echo := func(_ context.Context, _ string, params carrier.Value) (any, error) {
		if got := plainText(params); got != want {
			t.Errorf("asked with %s", got)
		}
		return o, nil
	}
	own, err := n.AddSender("own", hub.SenderOptions{Events: []string{"n"}, Default: echo})
	if err != nil {
		t.Fatal(err)
	}
	for _, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR, carrier.CBORText} {
		r, _ := n.client(codec)
		heard := make(chan string, 20)
		if _, err := r.AddRemoteListener(n.ctx, "", "", func(ev hub.Event) {
			if ev.Name == "n" {
				heard <- plainText(ev.Data)
			}
		}); err != nil {
			t.Fatal(err)
		}
		trigger(t, own, "n", o)
		far := n.signal(r, "far of "+codec.Name()+fmt.Sprint(codec == carrier.CBOR))
		if err := far.Trigger(n.ctx, o); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := <-heard; got != want {
				t.Errorf("heard %s", got)
			}
		}
		if v, err := r.RemoteRequest(n.ctx, "own", "m", o); err != nil || plainText(v) != want {
			t.Errorf("answered %v, %v", v, err)
		}
		if err := far.Trigger(n.ctx, carrier.Object{{Key: "x", Value: 1}, {Key: "x", Value: 2}}); !errors.Is(err, carrier.ErrValue) {
			t.Errorf("the same key twice: %v", err)
		}
	}
	if v, err := n.Request(n.ctx, "own", "m", o); err != nil || plainText(v) != want {
		t.Errorf("answered %v, %v", v, err)
	}
}

// TestLegacyLists: an old program may give one text for a list of one.
func TestLegacyLists(t *testing.T) {
	w := serve(t, hub.ServerOptions{})
	c := w.raw(t, "old")
	if r := c.call("add_sender", `{"sender":"clock","events":"tic","requests":"set"}`); r.Err() != nil {
		t.Fatal(r.Err())
	}
	list := w.Senders()
	if len(list) != 1 || list[0].Events[0] != "tic" || len(list[0].Requests) != 1 || *list[0].Requests[0] != "set" {
		t.Errorf("%+v", list)
	}
	for _, bad := range []string{`5`, `{}`, `true`, `null`, `""`, `[["tic"]]`} {
		if r := c.call("add_sender", `{"sender":"other","events":`+bad+`}`); r.Err() == nil {
			t.Errorf("the events %s are taken", bad)
		}
	}
}

// TestLegacyAnySender: a legacy client may listen to an event of any sender, also of those that come later, and hears nothing
// else. Another client may not.
func TestLegacyAnySender(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	old := n.rawSaying(`{"id":1,"method":"add_listener","params":{"sender":null,"event":"tic"}}`)
	old.hear(`"status":0`)
	for _, name := range []string{"a", "b"} {
		s := addSender(t, n.Router, name, "tic", "toc")
		trigger(t, s, "toc", 1)
		trigger(t, s, "tic", name)
		old.hear(fmt.Sprintf(`"info":{"sender":%q,"event":"tic"},"data":%q`, name, name))
		old.say(`{"id":%d,"status":0,"response":null}`, slices.Index([]string{"", "a", "b"}, name))
	}
	n.raw().refusedListener(`{"sender":null,"event":"tic"}`)
}

func (p *rawPeer) refusedListener(params string) {
	p.t.Helper()
	p.say(`{"id":9,"method":"add_listener","params":%s}`, params)
	p.hear(`"status":-2`)
}

// TestTooLargeForOldPrograms: an event that a legacy client cannot read is logged, and the next one is heard.
func TestTooLargeForOldPrograms(t *testing.T) {
	log := &lineCounter{first: make(chan struct{})}
	n := serveNetwork(t, hub.ServerOptions{Options: hub.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}})
	old := n.rawSaying(`{"id":1,"method":"add_listener","params":{"sender":"s","event":"e"}}`)
	old.hear(`"status":0`)
	s := addSender(t, n.Router, "s", "e")
	for range 3 {
		trigger(t, s, "e", strings.Repeat("x", 4096))
	}
	trigger(t, s, "e", 5)
	old.hear(`"data":5`)
	n.stop()
	if lines := log.Load(); lines < 1 || lines > 2 { // why, and that events are dropped
		t.Errorf("%d lines in the log", lines)
	}
}

// TestNaNOfOldPrograms: what Python writes is taken from a client without hello, and is heard as it came by such, as null in JSON
// and as NaN in CBOR.
func TestNaNOfOldPrograms(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	old := n.rawSaying(`{"id":1,"method":"add_listener","params":{"sender":"s","event":"e"}}`)
	old.hear(`"status":0`)
	var heard [2]chan string
	for i, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		r, _ := n.client(codec)
		heard[i] = make(chan string, 10)
		if _, err := r.AddRemoteListener(n.ctx, "s", "e", func(ev hub.Event) { heard[i] <- plainText(ev.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	from := n.rawSaying(`{"id":1,"method":"add_sender","params":{"sender":"s","events":["e"]}}`)
	from.hear(`"status":0`)
	from.say(`{"params":{"info":{"sender":"s","event":"e"},"data":[NaN,-Infinity]},"id":2,"method":"signal"}`)
	buf := make([]byte, 4096)
	k, err := old.nc.Read(buf)
	if err != nil || !strings.Contains(string(buf[:k]), `"data":[NaN,-Infinity]}`) {
		t.Errorf("an old program hears %s, %v", buf[:k], err)
	}
	from.hear(`"status":0`)
	if got := <-heard[0]; got != "[]interface {} [<nil> <nil>]" {
		t.Error(got)
	}
	if got := <-heard[1]; got != "[]interface {} [NaN -Inf]" {
		t.Error(got)
	}
	old.say(`{"id":1,"status":0,"response":null}`)
	floats := addSender(t, n.Router, "floats", "e")
	old.say(`{"id":2,"method":"add_listener","params":{"sender":"floats","event":"e"}}`)
	old.hear(`"id":2,"status":0`)
	trigger(t, floats, "e", math.Inf(1))
	if k, err = old.nc.Read(buf); err != nil || !strings.Contains(string(buf[:k]), `"data":Infinity}`) {
		t.Errorf("an old program hears %s, %v", buf[:k], err)
	}
	from.say(`{"params":{"info":{"sender":"s","event":"e"},"data":nan},"id":3,"method":"signal"}`)
	from.hear(`"id":3,"status":-4`)
	from.say(`{"id":4,"method":"get_version"}`)
	from.hear(`"id":4,"status":0`)
}
