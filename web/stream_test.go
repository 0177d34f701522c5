package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"sighub/hub"
)

// TestStream: events come as they happen; who comes back with the last id hears what it has missed, and the last events first if it
// likes.
func TestStream(t *testing.T) {
	h := newHouse(t, true, Options{})
	s := h.sender("kitchen", hub.SenderOptions{Events: []string{"temperature", "light"}})
	l := h.listen("?sender=kitchen&event=temperature&policy=block", "")
	h.trigger(s, "light", true)
	h.trigger(s, "temperature", 20)
	first := l.next()
	if e := first.event; e.Event != "temperature" || string(e.Data) != "20" || e.Time == "" || e.Seq == 0 {
		t.Errorf("%+v", first)
	}
	id := ""
	for id == "" { // it comes when the event is on disk
		id = l.next().id
	}
	_ = l.body.Close()
	h.trigger(s, "temperature", 21)
	h.trigger(s, "temperature", 22)
	l = h.listen("?sender=kitchen&event=temperature&policy=block", id)
	for _, want := range []string{"21", "22"} {
		e := l.next()
		for e.event.Seq == first.event.Seq { // the id may be from just before it
			e = l.next()
		}
		if string(e.event.Data) != want {
			t.Errorf("%+v, not %s", e, want)
		}
	}
	h.trigger(s, "temperature", 23)
	for e := l.next(); string(e.event.Data) != "23"; e = l.next() {
		if e.id == "" {
			t.Errorf("%+v, not 23", e)
		}
	}
	_ = l.body.Close()
	l = h.listen("?last=true&event=temperature", "")
	if e := l.next(); string(e.event.Data) != "23" || !e.event.Last {
		t.Errorf("the last one: %+v", e)
	}
}

// TestStreamFromJournal: each event has its place as id, and who goes on behind one hears each once.
func TestStreamFromJournal(t *testing.T) {
	h := newHouse(t, true, Options{})
	s := h.sender("kitchen", hub.SenderOptions{Events: []string{"n"}})
	const events = 2000
	for i := range events {
		h.trigger(s, "n", i)
	}
	id, next := "", 0
	for next < events {
		l := h.listen("?sender=kitchen&event=n&from=start", id)
		for range 700 {
			e := l.next()
			if string(e.event.Data) != fmt.Sprint(next) || e.id == "" {
				t.Fatalf("%+v, not %d", e, next)
			}
			id = e.id
			if next++; next == events {
				break
			}
		}
		_ = l.body.Close()
	}
}

// TestSlowReader: one that does not read loses events, and is told so; neither the sender nor another listener waits.
func TestSlowReader(t *testing.T) {
	h := newHouse(t, false, Options{})
	s := h.sender("camera", hub.SenderOptions{Events: []string{"frame"}})
	nc, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.(*net.TCPConn).SetReadBuffer(128 << 10)
	if _, err := io.WriteString(nc, "GET /api/v1/events?policy=latest HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReaderSize(nc, 16)
	for line := ""; !strings.HasPrefix(line, "retry"); {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	other := h.listen("?event=frame&policy=block", "")
	frame := strings.Repeat("x", 50_000)
	const frames = 200
	heard := make(chan int, 1)
	go func() {
		n := 0
		for n < frames && other.lines.Scan() {
			if strings.HasPrefix(other.lines.Text(), `data: {"sender":"camera","event":"frame",`) {
				n++
			}
		}
		heard <- n
	}()
	began := time.Now()
	for i := range frames {
		h.trigger(s, "frame", fmt.Sprint(i, frame))
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the sender waits: %v", took)
	}
	enough := time.AfterFunc(time.Minute, func() { _ = other.body.Close() })
	if n := <-heard; n != frames {
		t.Errorf("the other listener hears %d of %d events", n, frames)
	}
	enough.Stop()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	_ = nc.SetReadDeadline(time.Now().Add(time.Minute))
	for lines.Scan() {
		if lines.Text() == "event: gap" {
			return
		}
	}
	t.Errorf("no gap is told: %v", lines.Err())
}

// TestComeAndGo: a thousand visitors leave nothing behind: neither goroutines, nor senders, nor clients, nor what they held.
func TestComeAndGo(t *testing.T) {
	h := newHouse(t, true, Options{})
	before := runtime.NumGoroutine()
	for i := range 1000 {
		nc, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		path := "/api/v1/senders"
		if i%2 == 0 {
			path = "/api/v1/events"
		}
		if _, err := io.WriteString(nc, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if i%3 > 0 {
			_, _ = nc.Read(make([]byte, 100))
		}
		_ = nc.Close()
	}
	deadline := time.Now().Add(time.Minute)
	for {
		clients, routines := h.router.CountClients(), runtime.NumGoroutine()
		if clients <= mostIdle && routines < before+20+4*mostIdle {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d clients, %d goroutines, before %d", clients, routines, before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestEnd: a hub that ends tells its streams, and does not wait for those who read nothing.
func TestEnd(t *testing.T) {
	h := newHouse(t, false, Options{})
	l := h.listen("", "")
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.stop()
	}()
	if e := l.next(); e.kind != "end" {
		t.Errorf("%+v", e)
	}
	<-ended
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it takes %v", took)
	}
}

// FuzzParams: whatever the parameters are, the answer is a problem or an answer.
func FuzzParams(f *testing.F) {
	h := newHouse(f, false, Options{})
	for _, query := range []string{"limit=1&after=a", "after=%zz", "from=start&every=1m", "position=3-4", "&&;=", "after=3-18446744073709551616"} {
		f.Add("senders", query)
		f.Add("senders/a/history", query)
		f.Add("clients", query)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		if strings.ContainsAny(path+query, " \r\n\x00#?") || strings.HasPrefix(path, "events") || strings.HasPrefix(path, "socket") {
			return
		}
		nc, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(nc, "GET /api/v1/"+path+"?"+query+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(nc)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 ") || strings.HasPrefix(string(answer), "HTTP/1.1 500") {
			t.Errorf("%q?%q: %v, %.200s", path, query, err, answer)
		}
	})
}
