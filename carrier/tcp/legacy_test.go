package tcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/internal/buffers"
	"sighub/listen"
)

// A strictPeer reads as the first implementation of the protocol does: one recv of 4,096 bytes is one JSON value,
// and anything else is a failure. It replies to each message, and makes calls of its own.
type strictPeer struct {
	nc      net.Conn
	pushed  func(n int)
	writing sync.Mutex
	replies chan int
}

type strictPacket struct {
	ID     *int
	Method string
	Params int
	Status *int
}

func (p *strictPeer) read() error {
	buf := make([]byte, legacyMax)
	n, end := p.nc.Read(buf)
	for ; end == nil; n, end = p.nc.Read(buf) { // until the test ends
		var v strictPacket
		if err := json.Unmarshal(buf[:n], &v); err != nil || v.ID == nil {
			return fmt.Errorf("one read is not one message: %q: %v", buf[:n], err)
		}
		if buf[n-1] == '\n' {
			return fmt.Errorf("a line's end follows %q", buf[:n])
		}
		if v.Status != nil {
			p.replies <- *v.ID
			continue
		}
		p.pushed(v.Params)
		if err := p.write(fmt.Sprintf(`{"id":%d,"status":0,"response":null}`, *v.ID)); err != nil {
			return err
		}
	}
	return nil
}

func (p *strictPeer) write(text string) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	_, err := p.nc.Write([]byte(text))
	return err
}

// 10,000 messages go to a strict peer while it makes 100 calls of its own: none is lost, and none arrives glued to
// another. Over TCP the gap is one that a loaded machine keeps to; a Unix socket tells when its bytes were read.
func TestLegacy(t *testing.T) {
	const messages, calls = 10_000, 100
	for _, c := range []struct {
		name, addr string
		gap        time.Duration
	}{
		{"TCP", loopback, 100 * time.Millisecond},
		{"Unix", "unix://" + filepath.Join(t.TempDir(), "hub"), time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := serveHub(t, c.addr, Options{Limits: Limits{LegacyGap: c.gap}}, nil)
			next := 0
			turn := make(chan int, calls)
			nc := dialRaw(t, h.Addr())
			p := &strictPeer{nc: nc, replies: make(chan int, calls), pushed: func(n int) {
				if n != next {
					t.Errorf("message %d came in place of %d", n, next)
				}
				if next++; next%(messages/calls) == 0 {
					turn <- next
				}
			}}
			var peer sync.WaitGroup
			peer.Go(func() {
				if err := p.read(); err != nil {
					t.Error(err)
					_ = nc.Close()
				}
			})
			peer.Go(func() { // its calls come from another thread, whatever is under way
				for id := range turn {
					if err := p.write(fmt.Sprintf(`{"id":%d,"method":"null"}`, id)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			if err := p.write(`{"id":0,"method":"null"}`); err != nil {
				t.Fatal(err)
			}
			client, err := h.Client(h.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if client.Hello || client.Window != 1 || client.Codec != carrier.JSON {
				t.Errorf("the client is %+v", client)
			}
			var done sync.WaitGroup
			for n := range messages {
				done.Add(1)
				m := &carrier.Message{Method: "signal", Params: carrier.ValueOf(n)}
				err := h.Transmit(h.ctx, client.ID, m, func(r carrier.Reply, err error) {
					defer done.Done()
					if err != nil || r.Err() != nil {
						t.Errorf("message %d: %v, %v", n, err, r.Err())
					}
				})
				if err != nil {
					t.Fatalf("message %d: %v", n, err)
				}
			}
			done.Wait()
			for range calls + 1 {
				select {
				case <-p.replies:
				case <-h.ctx.Done():
					t.Fatal("a call was not replied to")
				}
			}
			close(turn)
			_ = nc.Close()
			peer.Wait()
			if next != messages {
				t.Errorf("%d messages of %d arrived", next, messages)
			}
		})
	}
}

// Calls that come glued together are replied to one by one.
func TestLegacyGluedCalls(t *testing.T) {
	h := serveHub(t, "unix://"+filepath.Join(t.TempDir(), "hub"), Options{Limits: Limits{LegacyGap: time.Millisecond}}, nil)
	s := h.speaker()
	s.say(strings.Repeat(`{"id":1,"method":"null"}`, 5))
	buf := make([]byte, legacyMax)
	for range 5 {
		n, err := s.nc.Read(buf)
		if got := string(buf[:n]); err != nil || got != `{"id":1,"status":0,"response":null}` {
			t.Fatalf("one read is %q, %v", got, err)
		}
	}
}

// What does not fit in one read of a legacy client is refused, in both directions.
func TestLegacyTooLarge(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.speaker()
	s.say(`{"id":1,"method":"long","params":4096}`)
	buf := make([]byte, 2*legacyMax)
	n, err := s.nc.Read(buf)
	if got := string(buf[:n]); err != nil || !strings.Contains(got, `"status":-5`) || !strings.Contains(got, "hello") {
		t.Fatalf("heard %q, %v", got, err)
	}
	s.say(`{"id":2,"method":"long","params":4060}`)
	if n, err = s.nc.Read(buf); err != nil || n > legacyMax || !json.Valid(buf[:n]) || !bytes.Contains(buf[:n], []byte("xxx")) {
		t.Fatalf("heard %d bytes, %v", n, err)
	}
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	m := &carrier.Message{Method: "m", Params: carrier.ValueOf(strings.Repeat("x", legacyMax))}
	if err := h.Transmit(h.ctx, c.ID, m, ignore); !errors.Is(err, carrier.ErrTooLarge) {
		t.Errorf("Transmit: %v", err)
	}
}

// A legacy client that does not reply in time loses the message, not its turn.
func TestLegacyReplyTimeout(t *testing.T) {
	h := serveHub(t, loopback, Options{Limits: Limits{LegacyGap: time.Millisecond, ReplyTimeout: 20 * time.Millisecond}}, nil)
	s := h.speaker()
	s.say(`{"id":1,"method":"null"}`)
	s.hear(`{"id":1,"status":0,"response":null}`)
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	for id := 1; id <= 2; id++ {
		if err := h.Transmit(h.ctx, c.ID, &carrier.Message{Method: "m"}, func(_ carrier.Reply, err error) { ended <- err }); err != nil {
			t.Fatal(err)
		}
		s.hear(fmt.Sprintf(`{"id":%d,"method":"m","params":null}`, id))
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("message %d ended with %v", id, err)
		}
	}
	s.say(`{"id":1,"status":0}`) // too late
	s.say(`{"id":2,"method":"null"}`)
	s.hear(`{"id":2,"status":0,"response":null}`)
}

// A legacyPacer's clock: with no reply the next write waits for the gap; with one it does not.
func TestPace(t *testing.T) {
	near, far := net.Pipe()
	s := newSpeaker(t, far)
	w := &writer{nc: listen.Plain(near), json: true, timeout: watchdog, buffers: new(buffers.Pool), sent: func(uint64) {}, pace: &legacyPacer{gap: time.Hour}}
	defer func() {
		_ = near.Close()
		w.close()
	}()
	_ = w.putMessage([]byte(`"first"`), 1, nil)
	w.putReply([]byte(`"second"`), 0, 0, nil)
	s.hear(`"first"`)
	w.answered(7) // another one
	w.answered(1)
	s.hear(`"second"`)
	w.putReply([]byte(`"third"`), 0, 0, nil)
	if err := far.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := far.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a write follows a reply without a gap")
	}
	if err := far.SetReadDeadline(time.Now().Add(watchdog)); err != nil {
		t.Fatal(err)
	}
	w.stream(ackMost)
	s.hear(`"third"`)
}

// TestPaceOfALatePeer: after a reply, the pause is as long as the peer was late, up to a bound; and shorter again once the peer has
// been in time for a while.
func TestPaceOfALatePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		s := newSpeaker(t, far)
		if err := far.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		w := &writer{
			nc: listen.Plain(near), json: true, timeout: watchdog, buffers: new(buffers.Pool), sent: func(uint64) {}, pace: &legacyPacer{gap: 20 * time.Millisecond},
		}
		defer func() {
			_ = near.Close()
			w.close()
		}()
		id := uint64(0)
		exchange := func(late time.Duration) (pause time.Duration) {
			id++
			_ = w.putMessage([]byte(`"message"`), id, nil)
			s.hear(`"message"`)
			time.Sleep(late)
			w.answered(id)
			w.putReply([]byte(`"reply"`), 0, 0, nil)
			s.hear(`"reply"`)
			start := time.Now()
			w.putReply([]byte(`"next"`), 0, 0, nil)
			s.hear(`"next"`)
			return time.Since(start)
		}
		for _, c := range []struct{ late, least, most time.Duration }{
			{0, 20 * time.Millisecond, 25 * time.Millisecond},
			{150 * time.Millisecond, 170 * time.Millisecond, 180 * time.Millisecond},
			{0, 150 * time.Millisecond, 165 * time.Millisecond},
			{5 * time.Second, 1020 * time.Millisecond, 1025 * time.Millisecond},
		} {
			if pause := exchange(c.late); pause < c.least || pause > c.most {
				t.Errorf("%v late: the next write comes after %v", c.late, pause)
			}
		}
		for range 150 {
			exchange(0)
		}
		if pause := exchange(0); pause > 22*time.Millisecond {
			t.Errorf("in time for long: the next write comes after %v", pause)
		}
	})
}
