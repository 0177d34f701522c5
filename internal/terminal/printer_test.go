package terminal

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/arguments"
)

func TestPrint(t *testing.T) {
	at := time.Date(2026, 6, 21, 12, 30, 5, 120_000_000, time.FixedZone("east", 2*3600))
	read := "read"
	client := &hub.ClientInfo{ID: 1, Name: "greenhouse", Addr: "serial:///dev/ttyUSB0"}
	for _, test := range []struct {
		name       string
		event      hub.Event
		text, json string
	}{
		{"number", hub.Event{Sender: "light", Name: "lux", Data: carrier.ValueOf(512)},
			"light       lux         512",
			`{"time":"2026-06-21T10:30:05.12Z","sender":"light","event":"lux","data":512}`},
		{"null", hub.Event{Sender: "door", Name: "opened"},
			"door        opened",
			`{"time":"2026-06-21T10:30:05.12Z","sender":"door","event":"opened","data":null}`},
		{"bytes that would steer the terminal", hub.Event{Sender: "x", Name: "y", Data: carrier.ValueOf("a\x1b[2J\u009b<b>&")},
			`x           y           "a\u001b[2J\u009b<b>&"`,
			`{"time":"2026-06-21T10:30:05.12Z","sender":"x","event":"y","data":"a\u001b[2J\u009b<b>&"}`},
		{"connect", hub.Event{Sender: "light", Name: hub.Connect, Data: carrier.ValueOf(hub.Connection{
			Events: []string{"lux", hub.Disconnect, hub.Connect}, Requests: []*string{&read, nil}, Client: client, Time: at})},
			"light       #connect    sends lux; answers read, *; on greenhouse (serial:///dev/ttyUSB0)", ""},
		{"disconnect", hub.Event{Sender: "light", Name: hub.Disconnect, Data: carrier.ValueOf(hub.Connection{
			Events: []string{"lux", hub.Disconnect, hub.Connect}, Reason: "unplugged", Client: client, Time: at})},
			"light       #disconnect unplugged; on greenhouse (serial:///dev/ttyUSB0)", ""},
		{"connect, to somebody who may not know where the client is", hub.Event{Sender: "light", Name: hub.Connect, Data: carrier.ValueOf(hub.Connection{
			Events: []string{"lux"}, Client: &hub.ClientInfo{ID: 1, Name: "greenhouse"}, Time: at})},
			"light       #connect    sends lux; on greenhouse", ""},
		{"gap", hub.Event{Sender: "light", Name: hub.Gap, Data: carrier.ValueOf(hub.Loss{Count: 3, First: at, Last: at.Add(time.Second)})},
			"light       #gap        3 lost, taken from " + new(Printer).Clock(at) + " to " + new(Printer).Clock(at.Add(time.Second)), ""},
		{"a gap of one event", hub.Event{Sender: "light", Name: hub.Gap, Data: carrier.ValueOf(hub.Loss{Count: 3, First: at, Last: at.Add(time.Second), Event: "lux"})},
			"light       #gap        3 of lux lost, taken from " + new(Printer).Clock(at) + " to " + new(Printer).Clock(at.Add(time.Second)), ""},
		{"a gap of unknown size", hub.Event{Sender: "light", Name: hub.Gap, Data: carrier.ValueOf(carrier.Object{
			{Key: "count"}, {Key: "first", Value: at}, {Key: "last", Value: at.Add(time.Second)}})},
			"light       #gap        an unknown number lost, taken from " + new(Printer).Clock(at) + " to " + new(Printer).Clock(at.Add(time.Second)),
			`{"time":"2026-06-21T10:30:05.12Z","sender":"light","event":"#gap",` +
				`"data":{"count":null,"first":"2026-06-21T12:30:05.12+02:00","last":"2026-06-21T12:30:06.12+02:00"}}`},
		{"a gap of another form", hub.Event{Sender: "light", Name: hub.Gap, Data: carrier.ValueOf("much")},
			`light       #gap        "much"`, ""},
		{"a long name", hub.Event{Sender: strings.Repeat("n", 30), Name: "e", Data: carrier.ValueOf(true)},
			strings.Repeat("n", 30) + " e           true", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.event.Time = at
			var out strings.Builder
			if err := NewPrinter(&out, "text").Print(test.event); err != nil {
				t.Fatal(err)
			}
			if got, want := out.String(), new(Printer).Clock(at)+"  "+test.text+"\n"; got != want {
				t.Errorf("text\n%q, want\n%q", got, want)
			}
			if test.json == "" {
				return
			}
			out.Reset()
			if err := NewPrinter(&out, "json").Print(test.event); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != test.json+"\n" {
				t.Errorf("JSON\n%s, want\n%s", got, test.json)
			}
		})
	}
}

func TestDataOf(t *testing.T) {
	for text, want := range map[string]string{
		"512": "512", "-5": "-5", `{"a":[1,null]}`: `{"a":[1,null]}`, "hello": `"hello"`, `"hello"`: `"hello"`,
		"": `""`, "NaN": `"NaN"`, "1 2": `"1 2"`, "true": "true", "-5 degrees": `"-5 degrees"`,
	} {
		if got, err := arguments.Data(text); err != nil || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestPrintWhatIsNoJSON(t *testing.T) {
	broken := hub.Event{Sender: "s", Name: "e", Data: carrier.RawValue(carrier.CBOR, []byte{0x62, 0xc3, 0xff})}
	var out strings.Builder
	if err := NewPrinter(&out, "json").Print(broken); !errors.Is(err, ErrNoJSON) || out.Len() > 0 {
		t.Errorf("%v, printed %q", err, out.String())
	}
	if err := NewPrinter(&out, "text").Print(broken); err != nil || !strings.Contains(out.String(), "UTF-8") {
		t.Errorf("%v, printed %q", err, out.String())
	}
}

// TestPrintFromJournal: an event from the journal has its position, and a last value its mark.
func TestPrintFromJournal(t *testing.T) {
	at := time.Date(2026, 6, 21, 10, 30, 5, 0, time.UTC)
	ev := hub.Event{Sender: "light", Name: "lux", Time: at, Data: carrier.ValueOf(512), Position: hub.Position{Epoch: 3, Sequence: 4711}, Last: true}
	for format, want := range map[string]string{
		"text": "10:30:05.000Z  light       lux         512  (last)\n",
		"json": `{"time":"2026-06-21T10:30:05Z","sender":"light","event":"lux","data":512,"position":[3,4711],"last":true}` + "\n",
		"csv":  "time,sender,event,data,epoch,sequence\n2026-06-21T10:30:05Z,light,lux,512,3,4711\n",
	} {
		var out strings.Builder
		p := NewPrinter(&out, format)
		p.UTC = true
		if err := p.Print(ev); err != nil || out.String() != want {
			t.Errorf("%s: %v\n%s, want\n%s", format, err, out.String(), want)
		}
	}
}

// TestCSV: a cell is one cell, harmless for a terminal, and nothing that a spreadsheet computes.
func TestCSV(t *testing.T) {
	for _, test := range [][2]string{
		{"a", "a"}, {"a,b", `"a,b"`}, {`"`, `""""`}, {"=1+1", "'=1+1"}, {"@x", "'@x"}, {"+x", "'+x"}, {"-5.5e-3", "-5.5e-3"}, {"-x", "'-x"},
		{"a\nb", `a\nb`}, {"\x1b[2J", `\x1b[2J`}, {"", ""}, {strings.Repeat("x", 9000), strings.Repeat("x", 9000)},
	} {
		var out strings.Builder
		if err := CSV(&out, test[0], "z"); err != nil || out.String() != test[1]+",z\n" {
			t.Errorf("%.20q: %v, %.40q", test[0], err, out.String())
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB", 8 << 20: "8 MiB", 1<<20 - 1: "1 MiB", 1 << 30: "1 GiB", 5 << 40: "5 TiB",
		1<<30 + 100<<20: "1.1 GiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
