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
		if got, err := arguments.Data(arguments.MarkNegatives([]string{text})[0]); err != nil || got.String() != want {
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
