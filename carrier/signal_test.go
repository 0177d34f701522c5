package carrier

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestSignalsTravel: what is packed is what is unpacked, on routes that are told once, in both codecs.
func TestSignalsTravel(t *testing.T) {
	for _, c := range []Codec{CBOR, JSON} {
		t.Run(c.Name(), func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { signalsTravel(t, c) }) })
	}
}

func signalsTravel(t *rapid.T, c Codec) {
	var routes []*OutRoute
	for i := range rapid.IntRange(1, 3).Draw(t, "routes") {
		routes = append(routes, &OutRoute{Route: Route{
			Listener: rapid.Uint64Range(0, 1<<53).Draw(t, "listener"),
			Sender:   rapid.String().Draw(t, "sender"), Event: fmt.Sprint("the event of route ", i),
			Connection: rapid.SampledFrom([]uint64{0, 1, math.MaxUint64 - 1}).Draw(t, "connection"),
			Epoch:      rapid.SampledFrom([]uint32{0, 7, math.MaxUint32}).Draw(t, "epoch"),
		}})
	}
	var out Routes
	var in InRoutes
	told := make(map[*OutRoute]bool)
	for range rapid.IntRange(1, 20).Draw(t, "signals") {
		r := rapid.SampledFrom(routes).Draw(t, "route")
		ns := rapid.SampledFrom([]int64{0, 1, 1e18, 9e18}).Draw(t, "time")
		if c == CBOR {
			ns = rapid.Int64Range(0, maxTime).Draw(t, "ns")
		}
		s := Signal{
			Time: ns, Uncertainty: rapid.Int64Min(0).Draw(t, "uncertainty"), Seq: rapid.Uint64Max(1<<63).Draw(t, "seq"),
			Sequence: rapid.SampledFrom([]uint64{0, 5, math.MaxUint64 - 1}).Draw(t, "sequence"), Last: rapid.Bool().Draw(t, "last"),
			Data: ValueOf(rapid.SampledFrom([]any{nil, 5, "ü", []any{1, "x", nil}, map[string]any{"a": 1.5}}).Draw(t, "data")),
		}
		var p PackedSignal
		if err := p.Pack(c, &s); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "undo") { // as if it were too large
			known := r.Known()
			p.AppendTo(nil, &out, r)
			if !known {
				out.Undo(r)
				if r = rapid.SampledFrom(routes).Draw(t, "the route after it"); told[r] != r.Known() && len(routes) < MaxRoutes {
					t.Fatal("another route is forgotten")
				}
			}
		}
		if rapid.Bool().Draw(t, "renew") {
			connection, epoch := r.Connection, r.Epoch
			r.Renew(rapid.Uint64Max(math.MaxUint64-1).Draw(t, "the next connection"), rapid.Uint32().Draw(t, "the next epoch"))
			if connection != r.Connection || epoch != r.Epoch {
				told[r] = false
			}
		}
		packet := p.AppendTo(nil, &out, r)
		if told[r] && bytes.Contains(packet, []byte(r.Event)) {
			t.Fatal("a route is told twice")
		}
		told[r] = true
		if !IsSignals(c, packet[0]) {
			t.Fatalf("%x", packet)
		}
		got := SignalPacket{Done: 7, Failed: new(Reply), Signal: Signal{Time: 1, Uncertainty: 1, Seq: 1, Sequence: 1, Last: true}}
		if err := in.Unpack(c, packet, &got); err != nil {
			t.Fatal(err)
		}
		g := got.Signal
		if g.Route == nil || g.Route.Sender != strings.ToValidUTF8(r.Sender, "\ufffd") || g.Route.Event != r.Event || g.Route.Listener != r.Listener ||
			g.Route.Connection != r.Connection || g.Route.Epoch != r.Epoch {
			t.Fatalf("%+v, not %+v", g.Route, r.Route)
		}
		if g.Time != s.Time || g.Uncertainty != s.Uncertainty || g.Seq != s.Seq || g.Sequence != s.Sequence || g.Last != s.Last ||
			g.Data.String() != s.Data.String() {
			t.Fatalf("%+v, not %+v, in %x", g, s, packet)
		}
	}
}

func TestSignalAnswers(t *testing.T) {
	for _, c := range []Codec{CBOR, JSON} {
		json := c == JSON
		var in InRoutes
		var p SignalPacket
		for _, n := range []int{1, 23, 24, 1000, 1<<31 - 1} {
			if err := in.Unpack(c, AppendDone(nil, json, n), &p); err != nil || p.Done != n || p.Failed != nil || p.Signal.Route != nil {
				t.Errorf("%+v, %v", p, err)
			}
		}
		r := Reply{Status: StatusFailed, Exception: "no \"room\" ü"}
		if err := in.Unpack(c, AppendFailed(nil, json, &r), &p); err != nil || p.Failed == nil || p.Failed.Status != r.Status ||
			p.Failed.Exception != r.Exception || p.Done != 0 || p.Signal.Route != nil {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

// TestRoutesAreUsedAgain: there are so many numbers; the oldest route loses its own, and is told again when it is used.
func TestRoutesAreUsedAgain(t *testing.T) {
	var out Routes
	var in InRoutes
	var p PackedSignal
	if err := p.Pack(CBOR, &Signal{Data: ValueOf(1)}); err != nil {
		t.Fatal(err)
	}
	routes := make([]*OutRoute, 3*MaxRoutes)
	for i := range routes {
		routes[i] = &OutRoute{Route: Route{Sender: fmt.Sprint(i), Event: "e"}}
	}
	send := func(i int) {
		t.Helper()
		var got SignalPacket
		if err := in.Unpack(CBOR, p.AppendTo(nil, &out, routes[i]), &got); err != nil || got.Signal.Route.Sender != fmt.Sprint(i) {
			t.Fatal(got.Signal.Route, err)
		}
	}
	for i := range routes {
		send(i)
		send(i / 2)
	}
	if len(out.slots) != MaxRoutes || len(in.slots) != MaxRoutes {
		t.Errorf("%d and %d routes are kept", len(out.slots), len(in.slots))
	}
}

// TestMalformedSignals: after these it is not known what later packets mean.
func TestMalformedSignals(t *testing.T) {
	var p SignalPacket
	for _, text := range []string{
		"80", "8100", "811b0000000080000001", "8120", "8161", "81", "9f01ff", "8800f6000000000000", "a0", "00",
		"8200f6", // a route that was not told
		"82820061730102", "8283017361657303", "8283f661736165f6",
		"812000", "822000", "82206161ff", "82f60000", "9b", "9b0000000000000001", "82837f6173ff6173616501",
		"8283190400617361650100", // a number beyond
		"8287006173616500000000f6", "828600617361650001f600", "8286006173616500011b000000010000000000", "828500617361650020f6", "82850061736165009f00f6",
	} {
		raw := unhex(t, text)
		var in InRoutes
		if err := in.Unpack(CBOR, raw, &p); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	for _, text := range []string{
		"[]", "[0]", "[-1]", "[1.5]", `["x"]`, "[0,1]", "[[0,\"s\"],1]", `[[0,"s","e",1,2,3,4],1]`, `[[0,"s","e",1,2,4294967296],1]`, `[[0,"s","e",1,-2],1]`, `[[0,"s","e",1,null],1]`, `[[0,"s",1],1]`, `[[1,"s","e"],1]`,
		`[[0,"s",null],1]`, "[[0,\"s\",\"\xff\"],1]", `[-2,5]`, `{"a":1}`, `[1`, `[1 x]`, `[null,1]`, `[1e3]`, `[2147483649]`, `[-2,x]`,
		`[0,x]`, `[x,1]`,
	} {
		var in InRoutes
		if err := in.Unpack(JSON, []byte(text), &p); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
}

// TestRefusedSignals: these are signals of a known route that cannot be taken, and the stream goes on.
func TestRefusedSignals(t *testing.T) {
	for _, c := range []struct {
		packet string // in hexadecimal, if it is CBOR
		want   error
	}{
		{"82830061736165", ErrMalformed}, // no data
		{"82830061736165f600", ErrMalformed}, {"8283006173616562", ErrMalformed}, {"848300617361650100", ErrMalformed},
		{"84830061736165010020", ErrMalformed}, {"8583006173616501000020", ErrMalformed}, {"828300617361650100", ErrMalformed},
		{"828300617361651f", ErrMalformed}, {"82830061736165fc", ErrMalformed}, {"82830061736165f800", ErrMalformed},
		{"83830061736165016161", ErrTime}, {"838300617361650120", ErrTime}, {"83830061736165011b7fffffffffffffff", ErrTime},
		{"8283006173616561ff", ErrValue}, // no UTF-8
		{"82830061736165" + strings.Repeat("81", 33) + "00", ErrValue},

		{`[[0,"s","e"],1,"x"]`, ErrTime}, {`[[0,"s","e"],1,"0001-01-01T00:00:00Z"]`, ErrTime}, {`[[0,"s","e"],1,-5]`, ErrTime},
		{`[[0,"s","e"],1,null,-1]`, ErrMalformed}, {`[[0,"s","e"],1,null,0,-1]`, ErrMalformed}, {`[[0,"s","e"],1,0,0,0,0,0,0]`, ErrMalformed},
		{`[[0,"s","e"],1,0,0,0,-1]`, ErrMalformed}, {`[[0,"s","e"],1,0,0,0,0,2]`, ErrMalformed}, {`[[0,"s","e"],1,0,0,0,0,true]`, ErrMalformed},
		{"868300617361650100000020", ErrMalformed}, {"87830061736165010000000002", ErrMalformed},
		{"8683006173616501000000ff", ErrMalformed},
		{"[[0,\"s\",\"e\"]," + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "]", ErrValue},
		{`[[0,"s","e"],NaN]`, ErrValue}, {`[[0,"s","e"],[1,x]]`, ErrMalformed}, {`[[0,"s","e"],01]`, ErrMalformed}, {`[[0,"s","e"] , ]`, ErrMalformed},
		{"[[0,\"s\",\"e\"],\"\xff\"]", ErrValue}, {`[[0,"s","e"],"\x"]`, ErrMalformed}, {`[[0,"s","e"],1,x]`, ErrMalformed}, {`[[0,"s","e"],1 1]`, ErrMalformed},
	} {
		codec, data := JSON, []byte(c.packet)
		if c.packet[0] != '[' {
			codec, data = CBOR, unhex(t, c.packet)
		}
		var in InRoutes
		p := SignalPacket{Done: 1, Signal: Signal{Data: ValueOf(1), Seq: 5}}
		err := in.Unpack(codec, data, &p)
		s := &p.Signal
		if err != nil || s.Route == nil || s.Route.Sender != "s" || !errors.Is(s.Err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", c.packet, p, err, c.want)
		}
		if !s.Data.IsNull() || s.Time != 0 || s.Seq != 0 {
			t.Errorf("%s: something is left: %+v", c.packet, s)
		}
		if p := in.slots[0]; p.Sender != "s" {
			t.Errorf("%s: the route is lost", c.packet)
		}
	}
}

// TestSignalsAsOthersWriteThem: what is not known may be null, and a text may have escapes that need not be.
func TestSignalsAsOthersWriteThem(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC).UnixNano()
	for text, want := range map[string]Signal{
		` [ [0 , "s","e"] ,1 ] `:                                                    {},
		`[[0,"s","e"],1,null,null,5]`:                                               {Seq: 5},
		`[[0,"s","e"],1,0,0,null]`:                                                  {},
		`[[0,"s","e",1,0,0],1,0,0,null,null]`:                                       {},
		`[[0,"s","e",1,2],1,0,0,0,9,null]`:                                          {Sequence: 9},
		`[[0,"s","e",1,2,3],1,0,0,0,9,1]`:                                           {Sequence: 9, Last: true},
		`[[0,"\u0073","\u0065",7],1,null,3]`:                                        {Uncertainty: 3},
		`[[0,"s","e"],1,"2026-01-02T03:04:05.000006\u005a",0,18446744073709551615]`: {Time: at, Seq: math.MaxUint64},
		`[[0,"s","e"],1,"2026-01-02T05:04:05.000006\u002b02:00"]`:                   {Time: at},
	} {
		var in InRoutes
		var p SignalPacket
		err := in.Unpack(JSON, []byte(text), &p)
		s := p.Signal
		if err != nil || s.Time != want.Time || s.Uncertainty != want.Uncertainty || s.Seq != want.Seq || s.Data.String() != "1" || s.Sequence != want.Sequence || s.Last != want.Last ||
			s.Route.Sender != "s" || s.Route.Event != "e" {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
	}
	var in InRoutes
	var p SignalPacket
	if err := in.Unpack(CBOR, unhex(t, "8583006173616501f6f605"), &p); err != nil || p.Signal.Seq != 5 {
		t.Errorf("%+v, %v", p.Signal, err)
	}
	if err := in.Unpack(JSON, []byte(`[-2,null]`), &p); err != nil || p.Failed == nil || p.Failed.Status != StatusFailed {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestCloneSignals(t *testing.T) {
	raw := []byte{1, 0x61, 'a'}
	list := []Signal{{Data: RawValue(CBOR, raw[:1])}, {Data: ValueOf("x")}, {Data: RawValue(CBOR, raw[1:])}}
	clone := CloneSignals(nil, list)
	copy(raw, "xxx")
	if got := fmt.Sprint(clone[0].Data, clone[1].Data, clone[2].Data); got != `1 "x" "a"` {
		t.Error(got)
	}
	if cap(clone[0].Data.raw) != 1 {
		t.Error("one's bytes can be appended to over the next one's")
	}
}

// FuzzSkipCBOR: items as the library sees them, but for texts that are no UTF-8.
func FuzzSkipCBOR(f *testing.F) {
	for _, text := range []string{
		"fb7ff0", "1900", "5840aa", "58", "43aa", "62c328", // not all there, or not UTF-8
		"00", "7f61ff", "9f0102ff", "bf6161ff", "c26100", "f8ff", "f818", "5f41aa41bbff", "fb7ff0000000000000", "df00", "1f", "ff", "d9d9f700", "bb8000000000000001",
	} {
		f.Add([]byte(text))
		var b []byte
		if _, err := fmt.Sscanf(text, "%x", &b); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rest, err := SkipCBOR(data)
		if err != nil {
			if n := plainSize(data); n > 0 {
				t.Errorf("%x begins with %d bytes that are taken at a glance: %v", data, n, err)
			}
			return
		}
		item := data[:len(data)-len(rest)]
		if n := plainSize(data); n > 0 && n != len(item) {
			t.Errorf("%x has %d bytes, and %d at a glance", item, len(item), n)
		}
		if err := cborDec.Wellformed(item); err != nil {
			t.Errorf("%x is well-formed here, not there: %v", item, err)
		}
		if !cborTextValid(item) {
			t.Errorf("%x has a text that is no UTF-8", item)
		}
	})
}

// TestSkipCBORTakesAll: nothing that the codec writes or takes is refused.
func TestSkipCBORTakesAll(t *testing.T) {
	for _, v := range []any{nil, true, 1, -1, int64(1) << 40, 1.5, math.Inf(1), "ü", []byte{1, 2}, []any{}, map[string]any{"a": []any{1}}, json.Number("5")} {
		raw, err := CBOR.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if rest, err := SkipCBOR(append(raw, 0)); err != nil || len(rest) != 1 {
			t.Errorf("%v: %x, %v", v, rest, err)
		}
	}
	for _, text := range []string{"7f616161ff" + "ff"[:0], "9fff", "bfff", "c000", "d9d9f701", "f97c00", "f7", "f820", "5fff"} {
		raw := unhex(t, text)
		if cborDec.Wellformed(raw) != nil {
			if _, err := SkipCBOR(raw); err == nil {
				t.Errorf("%s", text)
			}
			continue
		}
		if rest, err := SkipCBOR(raw); err != nil || len(rest) > 0 {
			t.Errorf("%s: %v", text, err)
		}
	}
	deep := append(bytes.Repeat([]byte{0x81}, MaxDepth), 0)
	if _, err := SkipCBOR(deep); err != nil {
		t.Error(err)
	}
	if _, err := SkipCBOR(append([]byte{0x81}, deep...)); err == nil {
		t.Error("too deep")
	}
}

// FuzzSignals: whatever arrives, it is an error or something that can be packed again.
func FuzzSignals(f *testing.F) {
	for _, text := range []string{`[[0,"s","e",5],{"a":1},"2026-11-22T17:07:47.692Z",5,6]`, `[[0,"s","e",5,6,7],1,0,0,0,9,1]`, "[5]", `[-2,"x"]`, "[0,1]"} {
		f.Add([]byte(text), true)
	}
	var out Routes
	var p PackedSignal
	_ = p.Pack(CBOR, &Signal{Data: ValueOf([]any{1, "x"}), Time: 5, Uncertainty: 6, Seq: 7})
	f.Add(p.AppendTo(nil, &out, &OutRoute{Route: Route{Sender: "s", Event: "e", Listener: 3}}), false)
	_ = p.Pack(CBOR, &Signal{Data: ValueOf(1), Sequence: 1 << 40, Last: true})
	f.Add(p.AppendTo(nil, &out, &OutRoute{Route: Route{Sender: "s", Event: "e", Listener: 3, Connection: 4, Epoch: 5}}), false)
	f.Add(AppendDone(nil, false, 300), false)
	f.Add(AppendFailed(nil, false, &Reply{Status: -2, Exception: "x"}), false)
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		c := CBOR
		if text {
			c = JSON
		}
		var in InRoutes
		var got, again SignalPacket
		if in.Unpack(c, data, &got) != nil || got.Signal.Route == nil {
			return
		}
		var out Routes
		var p PackedSignal
		if err := p.Pack(c, &got.Signal); err != nil {
			t.Fatal(err)
		}
		var back InRoutes
		packet := p.AppendTo(nil, &out, &OutRoute{Route: *got.Signal.Route})
		if err := back.Unpack(c, packet, &again); err != nil {
			t.Fatalf("%v: %s from %s", err, packet, data)
		}
		if again.Signal.Time != got.Signal.Time || again.Signal.Seq != got.Signal.Seq || again.Signal.Uncertainty != got.Signal.Uncertainty ||
			again.Signal.Sequence != got.Signal.Sequence || again.Signal.Last != got.Signal.Last ||
			*again.Signal.Route != *got.Signal.Route {
			t.Errorf("%+v, not %+v", again, got)
		}
	})
}

// TestTimesByUTC: what counts is when it is in UTC, not where the time is told.
func TestTimesByUTC(t *testing.T) {
	for text, want := range map[string]int64{
		`"1970-01-01T00:30:00+02:00"`: -1, `"1969-12-31T23:30:00-02:00"`: 5400e9,
		`"2262-01-01T00:30:00+02:00"`: 9214641000e9, `"2261-12-31T23:30:00-02:00"`: -1,
	} {
		if got, err := timeJSON([]byte(text)); err == nil != (want >= 0) || err == nil && got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
}

// cborTextValid reports whether every text in well-formed data is UTF-8, which the library does not look at
// before it decodes. Heads follow each other however deeply items are nested, so one pass is enough.
func cborTextValid(data []byte) bool {
	for len(data) > 0 {
		major, n, rest, err := CBORHead(data)
		if err != nil {
			return false
		}
		data = rest
		if (major == CBORBytes || major == CBORString) && n != CBORIndefinite {
			if n > uint64(len(data)) || major == CBORString && !utf8.Valid(data[:n]) {
				return false
			}
			data = data[n:]
		}
	}
	return true
}

// TestOwnData: the data of signals is copied into blocks of a bounded size, so that one which is kept keeps little else.
func TestOwnData(t *testing.T) {
	const n, size = 1000, 100
	read := make([]byte, n*size+3*dataBlock)
	signals := make([]Signal, n+1)
	signals[n/2].Data = RawValue(CBOR, read[n*size:]) // larger than a block
	for i := range n {
		read[i*size] = byte(i)
		signals[(i+n/2+1)%(n+1)].Data = RawValue(CBOR, read[i*size:(i+1)*size])
	}
	OwnData(signals)
	clear(read)
	for i := range n {
		if raw := signals[(i+n/2+1)%(n+1)].Data.raw; len(raw) != size || cap(raw) != size || raw[0] != byte(i) {
			t.Fatalf("the data of signal %d is %x of %d bytes", i, raw, cap(raw))
		}
	}
	blocks := (n*size+dataBlock-1)/dataBlock + 2 // the large one has its own, and what follows it another
	if made := testing.AllocsPerRun(10, func() { OwnData(signals) }); int(made) > blocks+1 || int(made) < blocks-1 {
		t.Errorf("%v blocks, want about %d", made, blocks)
	}
}
