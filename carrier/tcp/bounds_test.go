package tcp

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"sighub/carrier"
)

// A peer asks a thousand times and reads nothing, and the answers come all at once, later: what waits for it stays
// within bounds, and once it reads, it finds a reply to each message.
func TestPendingRepliesAreBounded(t *testing.T) {
	const messages, maxPending, perError = 1000, 256 << 10, 256
	o := Options{Limits: Limits{MaxMessage: 64 << 10, MaxPending: maxPending}}
	later := make(chan func(carrier.Reply), messages)
	h := serveHub(t, loopback, o, func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method == "echo" {
			respond(carrier.Done(m.Params))
			return
		}
		later <- respond
	})
	s := h.greeted(o)
	s.say(strings.Repeat(`{"id":1,"method":"request"}`, messages))
	var responds []func(carrier.Reply)
	for range messages {
		select {
		case respond := <-later:
			responds = append(responds, respond)
		case <-h.ctx.Done():
			t.Fatalf("only %d messages arrived", len(responds))
		}
	}
	client, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	large := carrier.Done(strings.Repeat("x", 60<<10))
	for _, respond := range responds {
		respond(large)
		if size := h.pending(client.ID); size > 2*maxPending+messages*perError {
			t.Fatalf("%d KiB wait to be written to a peer that reads nothing", size>>10)
		}
	}
	count := map[carrier.Status]int{}
	replies := json.NewDecoder(s.nc)
	for range messages {
		var r struct{ Status carrier.Status }
		if err := replies.Decode(&r); err != nil {
			t.Fatalf("after %v replies: %v", count, err)
		}
		count[r.Status]++
	}
	if count[carrier.StatusDone] == 0 || count[carrier.StatusLimit] == 0 || len(count) != 2 {
		t.Errorf("the replies, by status: %v", count)
	}
	s.say(`{"id":"last","method":"echo","params":[1]}`)
	var last struct{ ID string }
	if err := replies.Decode(&last); err != nil || last.ID != "last" {
		t.Errorf("the reply to the last message is %+v, %v", last, err)
	}
}

// pending returns how many bytes wait to be written to a client.
func (h *hub) pending(id carrier.ClientID) int {
	h.t.Helper()
	c, err := h.peers.clients.Find(id)
	if err != nil {
		h.t.Fatal(err)
	}
	c.writer.mu.Lock()
	defer c.writer.mu.Unlock()
	return c.writer.size()
}

// A CBOR client that has not said hello reads 4,096 bytes at a time as well, the head of the byte string included:
// a message that fills them is sent, and one of a byte more is refused, as are the replies.
func TestLegacyCBORFits(t *testing.T) {
	h := serveHub(t, loopback, Options{}, func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		var n int
		if err := m.Params.Decode(&n); err != nil {
			respond(carrier.Failed(err))
			return
		}
		respond(carrier.Done(make([]byte, n)))
	})
	s := h.speaker()
	buf := make([]byte, 2*legacyMax)
	read := func() []byte {
		t.Helper()
		n, err := s.nc.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n > legacyMax {
			t.Fatalf("%d bytes come in one write", n)
		}
		return buf[:n]
	}
	pack := func(packet carrier.Appender) string {
		t.Helper()
		b, err := packet.AppendTo(nil, carrier.CBOR)
		if err != nil {
			t.Fatal(err)
		}
		return string(carrier.AppendCBORHead(nil, carrier.CBORBytes, uint64(len(b)))) + string(b)
	}
	ask := func(size int) string {
		return pack(&carrier.Message{ID: carrier.ValueOf(0), Method: "bytes", Params: carrier.ValueOf(size)})
	}

	s.say(cborMark + ask(0))
	overhead := len(read()) // head, and all that a reply of no bytes holds
	client, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Bytes of a length that needs two bytes more to say have as many more; so has the packet.
	fits := legacyMax - overhead - 2 - 2
	for n := fits - 2; n <= fits+2; n++ {
		s.say(ask(n))
		if got := len(read()); (n <= fits) != (got > legacyMax/2) {
			t.Errorf("the reply with %d bytes is written as %d; %d fit", n, got, fits)
		}
	}
	refused, largest := 0, 0
	for n := fits - 32; n < legacyMax; n++ {
		m := &carrier.Message{Method: "signal", Params: carrier.ValueOf(make([]byte, n))}
		err := h.Transmit(h.ctx, client.ID, m, ignore)
		switch {
		case errors.Is(err, carrier.ErrTooLarge):
			refused++
			continue
		case err != nil || refused > 0:
			t.Fatalf("Transmit of %d bytes, after %d that were refused: %v", n, refused, err)
		}
		packet := read()
		largest = max(largest, len(packet))
		p, err := carrier.Unpack(carrier.CBOR, packet[legacyHead:])
		if err != nil {
			t.Fatal(err)
		}
		s.say(pack(&carrier.Reply{ID: p.Message.ID}))
	}
	if largest != legacyMax || refused == 0 {
		t.Errorf("the largest message was written as %d bytes, and %d were refused", largest, refused)
	}
}

// A peer that has said its last word still gets its answers, though they come later.
func TestAnswersAfterTheLastWord(t *testing.T) {
	later := make(chan func(carrier.Reply), 1)
	h := serveHub(t, loopback, Options{}, func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		later <- respond
	})
	nc, err := net.Dial("tcp", strings.TrimPrefix(h.Addr(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if _, err := nc.Write([]byte(`{"id":7,"method":"m"}`)); err != nil {
		t.Fatal(err)
	}
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	(<-later)(carrier.Done("late"))
	got, err := io.ReadAll(nc)
	if err != nil || string(got) != `{"id":7,"status":0,"response":"late"}` {
		t.Errorf("heard %q, %v", got, err)
	}
}
