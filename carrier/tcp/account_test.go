package tcp

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"sighub/carrier"
)

// settles checks that so much is charged for all clients together once nothing moves any more.
func (h *hub) settles(want int64) {
	h.t.Helper()
	used := func() (n int64) {
		for _, c := range h.all() {
			n += c.account.Used()
		}
		return n
	}
	if err := poll(h.ctx, func() bool { return used() == want }); err != nil {
		h.t.Errorf("%d bytes are charged, not %d", used(), want)
	}
}

// TestNothingStaysCharged: whatever a client says, in each dialect, nothing of it is charged once it is answered and read; and
// what is not complete is charged until it is.
func TestNothingStaysCharged(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	for _, hello := range []string{
		`{"id":0,"method":"echo"}`,
		`{"id":0,"method":"hello","params":{"protocol":1}}`,
		`{"id":0,"method":"hello","params":{"protocol":1,"signals":100}}`,
	} {
		h := serveHub(t, loopback, Options{Limits: Limits{MaxMessage: 50_000, LegacyGap: 1}}, nil)
		s := h.speaker()
		decoder := json.NewDecoder(s.nc)
		for _, say := range []string{
			hello,
			`{"id":1,"method":"echo","params":"` + long + `"}`,
			`{"id":2,"method":"nosuch","params":"` + long + `"}`,
			`{"id":3,"method":5,"params":"` + long + `"}`,
			`{"id":4,"method":"echo","params":"` + long + long + long + `"}`,
			`{"id":5,"method":"hello","params":"` + long + `"}`,
			`{"id":6,"method":"echo","params":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
			`"` + long + `" `,
			`{"id":7,"status":0,"response":"` + long + `"}{"id":7,"method":"null"}`,
			`{"id":8,"status":"x","response":"` + long + `"}{"id":8,"method":"null"}`,
			`{"id":"` + long + `","method":"echo"}`,
		} {
			half := len(say) / 2
			s.say(say[:half])
			s.say(say[half:])
			var reply json.RawMessage
			if err := decoder.Decode(&reply); err != nil {
				t.Fatalf("%.50s: %v", say, err)
			}
		}
		h.settles(0)
		begun := `{"id":9,"method":"echo","params":"` + long
		s.say(begun)
		if err := poll(h.ctx, func() bool { return h.all()[0].account.Used() >= int64(len(begun)) }); err != nil {
			t.Errorf("what is begun is not charged: %v", err)
		}
		s.say(`"}`)
		h.settles(0)
		_ = s.nc.Close()
		if err := poll(h.ctx, func() bool { return h.options.Budget.Used() == 0 }); err != nil {
			t.Errorf("%d bytes are reserved for nobody", h.options.Budget.Used())
		}
	}
}

// TestUnfinishedAreBounded: however many clients begin messages, what is held for them is bounded. Those beyond are told, with
// the id of their message, and go on; others are served.
func TestUnfinishedAreBounded(t *testing.T) {
	const size, clients = 8 << 20, 20
	budget := carrier.NewBudget(size)
	h := serveHub(t, loopback, Options{Budget: budget}, nil)
	begun := `{"id":"big","method":"echo","params":"` + strings.Repeat("x", 1<<20-200)
	var speakers []*speaker
	for range clients {
		s := h.greeted(Options{})
		s.say(begun)
		speakers = append(speakers, s)
	}
	h.greeted(Options{}).echoes()
	var refused, done int
	for _, s := range speakers {
		s.say(`"}`)
		var r carrier.Status
		if err := json.NewDecoder(s.nc).Decode(&struct {
			ID     *string
			Status *carrier.Status
		}{new(string), &r}); err != nil {
			t.Fatal(err)
		}
		switch r {
		case carrier.StatusLimit:
			refused++
		case carrier.StatusDone:
			done++
		}
		if used := budget.Used(); used > size*3/4 {
			t.Fatalf("%d bytes are held of %d", used, size)
		}
	}
	if refused == 0 || done == 0 || refused+done != clients {
		t.Errorf("%d are refused, %d done", refused, done)
	}
	for _, s := range speakers {
		s.echoes()
	}
	h.settles(0)
	if n := h.Stats().Refused["limit"]; n != uint64(refused) {
		t.Errorf("%d are counted, and %d were refused", n, refused)
	}
}

// TestUnreadAreBounded: replies that nobody reads are bounded for all clients together, and others are served meanwhile.
func TestUnreadAreBounded(t *testing.T) {
	const size, clients = 2 << 20, 20
	budget := carrier.NewBudget(size)
	o := Options{Budget: budget, Limits: Limits{MaxMessage: 128 << 10}}
	h := serveHub(t, loopback, o, nil)
	ask := fmt.Sprintf(`{"id":"%s","method":"echo"}`, strings.Repeat("i", 100<<10))
	for range clients {
		s := h.greeted(o)
		if err := s.nc.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		go func() {
			for range 100 {
				if _, err := s.nc.Write([]byte(ask)); err != nil {
					return // the test is over
				}
			}
		}()
	}
	good := h.greeted(o)
	if err := poll(h.ctx, func() bool { return budget.Used() > size/4 }); err != nil {
		t.Errorf("only %d bytes are held", budget.Used())
	}
	for range 100 {
		good.echoes()
	}
	if used := budget.Used(); used > size*3/4 || h.Stats().Refused["limit"] == 0 {
		t.Errorf("%d bytes are held of %d, refused: %v", used, size, h.Stats().Refused)
	}
}

// TestRoutesAreCharged: the routes that a client defines are charged for as long as they are known. Who defines more than there is
// room for is disconnected.
func TestRoutesAreCharged(t *testing.T) {
	name := strings.Repeat("n", 250)
	for _, size := range []int64{1 << 20, 16 << 10} {
		budget := carrier.NewBudget(size)
		ctx, p, _, c := speakStreams(t, Options{Budget: budget, Logger: slog.New(slog.DiscardHandler)}, 10)
		define := func(n int) { p.say(fmt.Sprintf(`[[%d,"%s","%[2]s"],1]`, n, name)) }
		if size < 1<<20 {
			for n := range 10 {
				define(n)
			}
			_, _ = io.Copy(io.Discard, p.nc) // until it is closed, which may lose what was answered
			if err := poll(ctx, func() bool { return budget.Used() == 0 }); err != nil {
				t.Errorf("%d bytes are reserved for nobody", budget.Used())
			}
			continue
		}
		for n := range 10 {
			define(n)
			p.hear("[1]\n")
		}
		if used := c.Account.Used(); used < 10*500 {
			t.Errorf("%d bytes are charged for 10 routes", used)
		}
		for n := range 10 {
			p.say(fmt.Sprintf(`[[%d,"s","e"],1]`, n))
			p.hear("[1]\n")
		}
		if used := c.Account.Used(); used > 10*100 {
			t.Errorf("%d bytes are charged for 10 short routes", used)
		}
	}
}
