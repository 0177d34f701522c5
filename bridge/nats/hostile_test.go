package nats_test

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sighub/bridge/nats"
	"sighub/hub"
)

// A stranger answers at an address where the bridge expects a server.
type stranger struct {
	url   string
	calls atomic.Int64
}

// newStranger has somebody answer each connection.
func newStranger(t *testing.T, answer func(net.Conn)) *stranger {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{url: "nats://" + l.Addr().String()}
	var running sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.calls.Add(1)
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			running.Go(func() {
				defer c.Close()
				answer(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

const hello = `INFO {"server_id":"x","version":"2.14.0","headers":true,"max_payload":1048576,"jetstream":true}` + "\r\n"

// greets says hello, and then something that need not end.
func greets(text, forEver string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, hello)
		if !reads(c, "PING") {
			return
		}
		_, _ = io.WriteString(c, "PONG\r\n"+text)
		pours(c, forEver)
	}
}

// reads reads until a text has come.
func reads(c net.Conn, text string) bool {
	var all []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(all, []byte(text)) {
		n, err := c.Read(buf)
		if err != nil {
			return false
		}
		all = append(all, buf[:n]...)
	}
	return true
}

// pours says something until nobody hears it any more.
func pours(c net.Conn, text string) {
	piece := []byte(strings.Repeat(text, 1+64<<10/max(len(text), 1)))
	for text != "" {
		if _, err := c.Write(piece); err != nil {
			return
		}
	}
}

// TestStrangers: whatever answers in the place of a server, the hub tells what is wrong and what to do, takes little memory, tries again but
// not all the time, and its own listeners hear what they hear.
func TestStrangers(t *testing.T) {
	for name, one := range map[string]struct {
		answer func(net.Conn)
		says   string // in the error
	}{
		"nothing":           {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, "timeout"},
		"an end":            {func(net.Conn) {}, ""},
		"HTTP":              {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, ""},
		"an endless INFO":   {func(c net.Conn) { _, _ = io.WriteString(c, "INFO {"); pours(c, "x") }, "a line has more"},
		"an endless error":  {greets("-ERR '", "x"), "a line has more"},
		"an endless line":   {greets("MSG ", "x"), "a line has more"},
		"a huge message":    {greets("MSG a 1 2147483647\r\n", "x"), "may have 8388608 bytes"},
		"a tab":             {greets("msg\ta\t1\t2147483647\r\n", "x"), "may have 8388608 bytes"},
		"huge headers":      {greets("HMSG a 1 2147483000 2147483647\r\n", "x"), "may have 8388608 bytes"},
		"a negative length": {greets("MSG a 1 -5\r\n", ""), "may have 8388608 bytes"},
		"garbage":           {greets("\x00\xff\xfe{{{\r\n", ""), ""},
		"headers of lies":   {greets("HMSG a 1 99 12\r\nNATS/1.0\r\n\r\n\r\n", ""), ""},
		"an end after PONG": {greets("", ""), ""},
		"endless PONG":      {greets("", "PONG\r\n"), ""},
		"endless INFO":      {greets("", hello), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStranger(t, one.answer)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			h := openHouse(t, t.TempDir(), nats.Options{URL: s.url, Hub: "kitchen", Hear: everybody, Timeout: 300 * time.Millisecond})
			var l heard
			h.listen(&l)
			h.report(h.sender("s0", hub.SenderOptions{Events: []string{"n"}}), "n", 1, 10)
			said := ""
			defer func() {
				if t.Failed() {
					t.Logf("it says: %s", said)
				}
			}()
			until(t, "the bridge says what is wrong", func() bool {
				st := h.bridge.Status()
				said = st.Error
				return strings.Contains(st.Error, one.says) && st.Error != "" && st.Remedy != "" && !st.Connected
			})
			until(t, "it tries again", func() bool { return s.calls.Load() > 3 })
			until(t, "the hub's own listener hears everything", l.has("s0:n 10"))
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("it took %d MB", n>>20)
			}
			h.stop()
			if most := 4 + time.Since(began)/(100*time.Millisecond); s.calls.Load() > int64(most) {
				t.Errorf("it tried %d times in %s", s.calls.Load(), time.Since(began))
			}
		})
	}
}

// TestForgedAnswers: somebody answers in the name of the server what it has not said. The bridge gets on when that is over, and each event
// is in the stream once.
func TestForgedAnswers(t *testing.T) {
	b := newBroker(t, "")
	b.forgetful()
	liar, err := natsgo.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	defer liar.Close()
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Timeout: time.Second})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	number := 1
	for _, lie := range []string{
		"x", "{", "null", `{"type":"ack"}`, `{"type":"ack","seq":18446744073709551615,"msgs":18446744073709551615}`, `{"type":"ack","seq":-1}`,
		`{"type":"gap","last_seq":5,"seq":1}`, `{"type":"err","seq":1,"error":{"code":500,"err_code":1,"description":"\u0000\u001b[31m"}}`,
		`{"stream":"other","seq":1}`, `{"error":{"code":18446744073709551616}}`, `{"type":"` + strings.Repeat("x", 100_000) + `"}`, strings.Repeat("[", 100_000), "",
	} {
		sub, err := liar.Subscribe("sighub.kitchen.>", func(m *natsgo.Msg) {
			if m.Reply != "" {
				_ = liar.Publish(m.Reply, []byte(lie))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := liar.Flush(); err != nil {
			t.Fatal(err)
		}
		h.report(s, "n", number, 200)
		number += 200
		until(t, "something goes up", func() bool { st := h.bridge.Status(); return st.Error != "" || st.Lag == 0 })
		if st := h.bridge.Status(); st.Error != "" && st.Remedy == "" {
			t.Errorf("%s is told as %q", lie, st.Error)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		if err := liar.Flush(); err != nil {
			t.Fatal(err)
		}
		h.drained()
	}
	complete(t, b.read(""), 1, number-1)
}
