package tcp

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
)

const loopback = "tcp://127.0.0.1:0"

func TestJSONBytes(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.greeted(Options{})
	for _, c := range []struct{ say, hear string }{
		{`{"id":1,"method":"echo","params":"é"}`, `{"id":1,"status":0,"response":"é"}` + "\n"},
		{" {\n\"params\": [1,\n 2], \"method\":\"echo\", \"id\":{\"a\":null}}\n", `{"id":{"a":null},"status":0,"response":[1,2]}` + "\n"},
		{`{"method":"echo"}{"method":"null","id":2}`, `{"id":null,"status":0,"response":null}` + "\n" + `{"id":2,"status":0,"response":null}` + "\n"},
		{`{"id":3,"method":"nosuch"}`, `{"id":3,"status":-1,"exception":"nosuch"}` + "\n"},
	} {
		s.say(c.say)
		s.hear(c.hear)
	}
	client, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if client.Name != "tester" || !client.Hello || client.Window != 1024 || client.Codec != carrier.JSON || !strings.HasPrefix(client.Addr, "tcp://127.0.0.1:") {
		t.Errorf("the client is %+v", client)
	}
	s.push(h, client.ID, `{"id":1,"method":"signal","params":{"a":1}}`+"\n", `{"id":1,"status":0,"response":"ok"}`)
}

// push lets the hub transmit a message, checks its bytes, and replies.
func (s *speaker) push(h *hub, id carrier.ClientID, want, reply string) {
	s.t.Helper()
	replied := make(chan string, 1)
	m := &carrier.Message{Method: "signal", Params: carrier.ValueOf(map[string]int{"a": 1})}
	err := h.Transmit(h.ctx, id, m, func(r carrier.Reply, err error) {
		if err != nil {
			s.t.Error(err)
		}
		replied <- r.Response.String()
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.hear(want)
	s.say(reply)
	if got := <-replied; got != `"ok"` {
		s.t.Errorf("the reply's response is %s", got)
	}
}

// bstr is a byte string of what is written in hexadecimal.
func bstr(t testing.TB, text string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(carrier.AppendCBORHead(nil, carrier.CBORBytes, uint64(len(b)))) + string(b)
}

const cborHello = "a3 00 01 01 65 68656c6c6f 02 a1 14 01"

func TestCBORBytes(t *testing.T) {
	for _, c := range []struct {
		name                        string
		codec                       carrier.Codec
		hello, welcome, push, reply string
	}{
		{
			"integer keys", carrier.CBOR, cborHello,
			"a3 00 01 03 00 04 a5 14 01 15 66 736967687562 18 18 65 646576656c 16 19 0400 17 1a 00100000",
			"a3 00 01 01 66 7369676e616c 02 a1 61 61 01",
			"a3 00 01 03 00 04 62 6f6b",
		},
		{
			"text keys", carrier.CBORText,
			"a3 62 6964 01 66 6d6574686f64 65 68656c6c6f 66 706172616d73 a1 68 70726f746f636f6c 01",
			"a3 62 6964 01 66 737461747573 00 68 726573706f6e7365 a5 68 70726f746f636f6c 01 64 6e616d65 66 736967687562" +
				"67 76657273696f6e 65 646576656c 66 77696e646f77 19 0400 6b 6d61785f6d657373616765 1a 00100000",
			"a3 62 6964 01 66 6d6574686f64 66 7369676e616c 66 706172616d73 a1 61 61 01",
			"a3 62 6964 01 66 737461747573 00 68 726573706f6e7365 62 6f6b",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serveHub(t, loopback, Options{}, nil)
			s := h.speaker()
			s.say(cborMark + bstr(t, c.hello))
			s.hear(bstr(t, c.welcome))
			client, err := h.Client(h.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if client.Codec != c.codec || !client.Hello {
				t.Errorf("the client is %+v", client)
			}
			s.push(h, client.ID, bstr(t, c.push), bstr(t, c.reply))
		})
	}
}

// What is wrong is answered, and the connection stays open where its bytes can still be followed.
func TestErrors(t *testing.T) {
	o := Options{Limits: Limits{MaxMessage: 5000}}
	h := serveHub(t, loopback, o, nil)
	for _, c := range []struct {
		name, say string
		hear      []string
		end       bool
	}{
		{"array", `[1,2]`, []string{`"id":null`, `"status":-4`, "object"}, false},
		{"number", "12 ", []string{`"id":null`, `"status":-4`}, false},
		{"method is a number", `{"id":7,"method":1}`, []string{`"id":7`, `"status":-4`}, false},
		{"too deep", `{"id":7,"method":"echo","params":` + deep + `}`, []string{`"id":7`, `"status":-4`, "32"}, false},
		{"too large", `{"id":7,"method":"echo","params":"` + strings.Repeat("x", 9000) + `"}`, []string{`"id":7`, `"status":-5`, "5000"}, false},
		{"too large, id last", `{"method":"echo","params":"` + strings.Repeat("x", 9000) + `","id":7}`, []string{`"id":null`, `"status":-5`}, false},
		{"second hello", jsonHello, []string{`"id":0`, `"status":-2`, "first"}, false},
		{"not UTF-8", "{\"id\":7,\"method\":\"echo\",\"params\":\"\xff\"}", []string{`"status":-4`, "UTF-8"}, false},
		{"not valid", `{"id":7,"method":"echo" "params":1}`, []string{`"id":7`, `"status":-4`}, false},
		{"brackets crossed", `{"id":7,"method":"echo","params":[}}`, []string{`"status":-4`}, true},
		{"bare word", `{"id":7,"method":echo}`, []string{`"id":7`, `"status":-4`}, false},
		{"bad value, id last", `{"params":{"data":NaN},"method":"echo","id":7}`, []string{`"id":7`, `"status":-4`}, false},
		{"number", `{"id":7,"method":"echo","params":01}`, []string{`"id":7`, `"status":-4`}, false},
		{"escape", `{"id":7,"method":"echo","params":"\x"}`, []string{`"id":7`, `"status":-4`}, false},
		{"single quotes", `{"id":7,"method":"echo","params":'x'}`, []string{`"id":7`, `"status":-4`}, false},
		{"tab in a text", "{\"id\":7,\"method\":\"echo\",\"params\":\"\t\"}", []string{`"id":7`, `"status":-4`}, false},
		{"comma", `{"id":7,"method":"echo","params":[1,],}`, []string{`"id":7`, `"status":-4`}, false},
		{"a text over two lines", "{\"id\":7,\"method\":\"echo\",\"params\":\"a\n", []string{`"id":7`, `"status":-4`}, true},
		{"array with bad words", `[x]`, []string{`"id":null`, `"status":-4`}, false},
		{"begins with nothing", `}`, []string{`"id":null`, `"status":-4`}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := h.greeted(o)
			s.t = t
			s.say(c.say)
			s.hearPart(c.hear...)
			if c.end {
				s.hearEnd()
				return
			}
			s.echoes()
		})
	}
}

func TestCBORErrors(t *testing.T) {
	h := serveHub(t, loopback, Options{Limits: Limits{MaxMessage: 5000}}, nil)
	echo, echoed := bstr(t, "a3 00 07 01 64 6563686f 02 18 2a"), bstr(t, "a3 00 07 03 00 04 18 2a")
	for _, c := range []struct {
		name, say, hear string
		end             bool
	}{
		{"no map", "\x41\x00", "malformed message", false},
		{"not CBOR", "\x43\xff\xff\xff", "malformed message", false},
		{"empty", "\x40", "malformed message", false},
		{"too large", "\x59\x23\x28" + strings.Repeat("\x00", 9000), "too large", false},
		{"too deep", "\x58\x30\xa1\x02" + strings.Repeat("\x81", 45) + "\x00", "malformed message", false},
		{"not UTF-8", bstr(t, "a3 00 07 01 64 6563686f 02 61 ff"), bstr(t, "a3 00 07 03 23 05")[2:7], false},
		{"not UTF-8, id last", bstr(t, "a3 02 61 ff 01 64 6563686f 00 07"), "\x00\x07\x03\x23", false},
		{"no byte string", "\xa1\x00\x01", "byte string", true},
		{"indefinite", "\x5f\x41a\xff", "byte string", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := h.speaker()
			s.t = t
			s.say(cborMark + bstr(t, cborHello) + c.say)
			if c.end {
				s.hearEnd(c.hear)
				return
			}
			s.say(echo + "\x5f") // so that it ends
			s.hearEnd(c.hear, echoed)
		})
	}
}

// What begins like neither dialect is closed, without a word, and without becoming a client.
func TestUnknownDialect(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	for _, b := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\x00", "[1]"} {
		s := h.speaker()
		s.say(b)
		s.hearEnd()
	}
	h.greeted(Options{}).echoes()
	if c, err := h.Client(h.ctx); err != nil || c.ID != 1 {
		t.Errorf("the first client is %+v, %v", c, err)
	}
}

func TestHelloRefused(t *testing.T) {
	h := serveHub(t, loopback, Options{Limits: Limits{LegacyGap: time.Nanosecond}}, nil)
	for _, c := range []struct{ params, hear string }{
		{`{"protocol":2}`, "only protocol 1"},
		{`{}`, "only protocol 1"},
		{`null`, "params are missing"},
		{`[]`, "exception"},
		{`{"protocol":"one"}`, "protocol"},
		{`{"protocol":1,"window":-1}`, "negative"},
		{`{"protocol":1,"name":"` + strings.Repeat("x", 256) + `"}`, "255"},
	} {
		s := h.speaker()
		s.say(`{"id":0,"method":"hello","params":` + c.params + `}`)
		buf := make([]byte, legacyMax)
		n, err := s.nc.Read(buf)
		if got := string(buf[:n]); err != nil || !strings.Contains(got, c.hear) || !strings.Contains(got, `"status":-`) || !strings.HasSuffix(got, "\n") {
			t.Errorf("hello with %s: heard %q, %v", c.params, got, err)
		}
		s.say(jsonHello) // it may try again
		s.hear(jsonWelcome)
	}
	n := uint64(0)
	for _, count := range h.Refused() {
		n += count
	}
	if n != 7 {
		t.Errorf("%v are counted of strangers, want 7 in all", h.Refused())
	}
}

// TestRefusedOfClient: what the carrier refuses of a client is counted under the client, and not among strangers.
func TestRefusedOfClient(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.greeted(Options{})
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.say(`{"id":5,"method":7}`)
	s.hearPart(`"id":5`, `"status":-4`)
	if got := c.Refused.Counts(); len(got) != 1 || got["malformed"] != 1 || h.Refused() != nil {
		t.Errorf("counted %v of the client, and %v of strangers", got, h.Refused())
	}
}

func TestHelloWindow(t *testing.T) {
	h := serveHub(t, loopback, Options{Name: "house", Version: "1.2", Limits: Limits{Window: 8}}, nil)
	s := h.speaker()
	s.say(`{"id":[],"method":"hello","params":{"protocol":1,"window":3,"max_message":6000,"future":true}}`)
	s.hear(`{"id":[],"status":0,"response":{"protocol":1,"name":"house","version":"1.2","window":3,"max_message":1048576}}` + "\n")
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := h.Transmit(h.ctx, c.ID, &carrier.Message{Method: "m"}, ignore); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Millisecond)
	defer cancel()
	if err := h.Transmit(ctx, c.ID, &carrier.Message{Method: "m"}, ignore); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a fourth message: %v", err)
	}
	s.hear(`{"id":1,"method":"m","params":null}` + "\n" + `{"id":2,"method":"m","params":null}` + "\n" + `{"id":3,"method":"m","params":null}` + "\n")
	s.say(`{"id":2,"status":0}`)
	large := &carrier.Message{Method: "m", Params: carrier.ValueOf(strings.Repeat("x", 6000))}
	if err := h.Transmit(h.ctx, c.ID, large, ignore); !errors.Is(err, carrier.ErrTooLarge) {
		t.Errorf("more than the client takes: %v", err)
	}
	s.say(`{"id":9,"method":"long","params":6000}`)
	s.hearPart(`"id":9`, `"status":-5`, "6000")
}

// Replies that nobody waits for, and those with wrong types, change nothing.
func TestStrayReplies(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.greeted(Options{})
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan carrier.Reply, 1)
	if err := h.Transmit(h.ctx, c.ID, &carrier.Message{Method: "m"}, func(r carrier.Reply, _ error) { got <- r }); err != nil {
		t.Fatal(err)
	}
	s.hearPart(`"id":1`)
	s.say(`{"id":2,"status":0}{"id":"1","status":0}{"id":null,"status":0}{"status":0}{"id":1.5,"status":0}{"id":1,"status":"x"}`)
	s.echoes()
	s.say(`{"id":1,"status":-2,"exception":"this one"}`)
	if r := <-got; r.Exception != "this one" {
		t.Errorf("the reply is %+v", r)
	}
	if n := h.Stats(); n.UnexpectedReplies != 5 || n.Malformed != 1 || n.Clients != 1 {
		t.Errorf("counted: %+v", n)
	}
}

// A reply that is too large for the hub ends its message with an error, and is not mistaken for a message.
func TestReplyTooLarge(t *testing.T) {
	h := serveHub(t, loopback, Options{Limits: Limits{MaxMessage: 5000}}, nil)
	s := h.greeted(Options{Limits: Limits{MaxMessage: 5000}})
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan carrier.Reply, 1)
	if err := h.Transmit(h.ctx, c.ID, &carrier.Message{Method: "m"}, func(r carrier.Reply, _ error) { got <- r }); err != nil {
		t.Fatal(err)
	}
	s.hearPart(`"id":1`)
	s.say(`{"id":1,"status":0,"response":"` + strings.Repeat("x", 9000) + `"}`)
	if r := <-got; r.Status != carrier.StatusTooLarge {
		t.Errorf("the reply is %+v", r)
	}
	s.echoes()
}

// A response that cannot be packed, and an id that makes any reply too large, are answered all the same.
func TestReplyThatCannotBe(t *testing.T) {
	h := serveHub(t, loopback, Options{}, func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		respond(carrier.Done(make(chan int)))
	})
	s := h.speaker()
	s.say(`{"id":1,"method":"hello","params":{"protocol":1,"max_message":4096}}`)
	s.hearPart(`"id":1`)
	s.say(`{"id":2,"method":"m"}`)
	s.hearPart(`"id":2`, `"status":-2`, "packed")
	s.say(`{"id":"` + strings.Repeat("x", 5000) + `","method":"m"}`)
	s.hearPart(`"id":null`, `"status":-`)
}

// Reading stops when as many replies are owed as may be, and goes on when one is written.
func TestMaxOutstanding(t *testing.T) {
	held := make(chan func(carrier.Reply), 100)
	o := Options{Limits: Limits{MaxOutstanding: 3}}
	h := serveHub(t, loopback, o, func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) { held <- respond })
	s := h.greeted(o)
	s.say(strings.Repeat(`{"id":1,"method":"m"}`, 10))
	for range 3 {
		(<-held)(carrier.Done(nil))
	}
	for range 3 {
		s.hearPart(`"id":1`)
	}
	var last func(carrier.Reply)
	for range 3 {
		last = <-held
	}
	if len(held) > 0 {
		t.Fatal("a fourth message was delivered")
	}
	last(carrier.Done(nil))
	last(carrier.Done(nil)) // does not count
	<-held
	if len(held) > 0 {
		t.Fatal("a fourth message was delivered")
	}
}

// TestMaxClients: one connection too many is closed at once, unless one that has said nothing can make way for it.
func TestMaxClients(t *testing.T) {
	h := serveHub(t, loopback, Options{MaxClients: 2}, nil)
	silent := h.speaker()
	half := h.speaker()
	silent.hearEnd()
	first := h.greeted(Options{})
	half.hearEnd()
	second := h.greeted(Options{})
	h.speaker().hearEnd()
	first.echoes()
	_ = second.nc.Close()
	if err := poll(h.ctx, func() bool { return len(h.all()) == 1 }); err != nil {
		t.Fatal(err)
	}
	h.greeted(Options{}).echoes()
	if n := h.Stats().Refused["limit"]; n != 3 {
		t.Errorf("%d are counted", n)
	}
}

func ignore(carrier.Reply, error) {}

// poll waits for something that a system call decides.
func poll(ctx context.Context, cond func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
