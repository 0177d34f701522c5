package modbus

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// A heard is an event that a listener has got.
type heard struct {
	sender, event string
	data          string
	at            time.Time
	uncertainty   time.Duration
}

func (h heard) String() string { return h.sender + " " + h.event + " " + h.data }

// A listener writes down all that a router tells.
type listener struct {
	mu   sync.Mutex
	list []heard
}

func listen(t *testing.T, r *hub.Router) *listener {
	t.Helper()
	l := new(listener)
	if _, err := r.AddListener("", "", func(ev hub.Event) {
		h := heard{ev.Sender, ev.Name, ev.Data.String(), ev.Time, ev.Uncertainty}
		switch ev.Name {
		case hub.Connect, hub.Disconnect:
			var c hub.Connection
			if err := ev.Data.Decode(&c); err != nil {
				t.Error(err)
			}
			h.data = c.Reason
		case hub.Gap:
			var g hub.Loss
			if err := ev.Data.Decode(&g); err != nil {
				t.Error(err)
			}
			h.data = fmt.Sprintf("%d %s %s", g.Count, g.Event, g.Cause)
		}
		l.mu.Lock()
		l.list = append(l.list, h)
		l.mu.Unlock()
	}); err != nil {
		t.Fatal(err)
	}
	return l
}

// texts returns what was heard of these events; none: all.
func (l *listener) texts(events ...string) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.list {
		if len(events) == 0 || slices.Contains(events, h.event) {
			list = append(list, strings.TrimSpace(h.String()))
		}
	}
	return list
}

func (l *listener) all(event string) (list []heard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.list {
		if h.event == event {
			list = append(list, h)
		}
	}
	return list
}

// word is a register of 16 bits without a sign.
func word(event string, address uint16, interval time.Duration) profile.Register {
	return profile.Register{Event: event, Function: frame.ReadHolding, Address: address, Type: profile.U16, Order: profile.ABCD, Scale: 1, Interval: interval}
}

// thing is a device with these registers.
func thing(id int, sender string, registers ...profile.Register) Device {
	return Device{ID: id, Sender: sender, Profile: profile.Profile{Registers: registers}}
}

// A part is what a scripted unit says, after a while.
type part struct {
	after time.Duration
	bytes []byte
}

// A wire is a line at whose other end a function answers requests.
type wire struct {
	port.Port
	mu       sync.Mutex
	requests [][]byte
	asked    []time.Time
	said     []time.Time
}

// newWire returns the hub's end. answer is called with each request, as it is on the line, and the number of it.
func newWire(t *testing.T, answer func(request []byte, n int) []part) *wire {
	t.Helper()
	near, far := net.Pipe()
	w := &wire{Port: near}
	var saying sync.WaitGroup
	var turn sync.Mutex
	go func() {
		defer saying.Wait()
		buffer := make([]byte, 512)
		for n := 0; ; n++ {
			size, err := far.Read(buffer)
			if err != nil {
				_ = far.Close()
				return
			}
			request := slices.Clone(buffer[:size])
			w.mu.Lock()
			w.requests, w.asked = append(w.requests, request), append(w.asked, time.Now())
			w.mu.Unlock()
			parts := answer(request, n)
			saying.Go(func() {
				for _, p := range parts {
					time.Sleep(p.after)
					turn.Lock()
					_, err := far.Write(p.bytes)
					w.mu.Lock()
					w.said = append(w.said, time.Now())
					w.mu.Unlock()
					turn.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
	}()
	return w
}

// answerOf returns the frame in which registers are their addresses, or what value makes of them.
func answerOf(request []byte, value func(address uint16) uint16) []byte {
	r, err := frame.ParseRequest(request[1 : len(request)-2])
	if err != nil {
		panic(err)
	}
	pdu := []byte{byte(r.Function), byte(2 * r.Count)}
	for i := range r.Count {
		v := r.Address + i
		if value != nil {
			v = value(v)
		}
		pdu = append(pdu, byte(v>>8), byte(v))
	}
	return frame.AppendRTU(nil, request[0], pdu)
}

// A bench is a Speaker that speaks on a wire, within a bubble of virtual time.
type bench struct {
	*Speaker
	router *hub.Router
	heard  *listener
	log    *strings.Builder
	stop   func()
}

// start has a Speaker speak until stop is called.
func start(t *testing.T, o Options, w port.Port) *bench {
	t.Helper()
	b := &bench{router: hub.NewRouter(hub.Options{Times: hub.TimeRange{Any: true}}), log: new(strings.Builder)}
	b.heard = listen(t, b.router)
	var err error
	b.Speaker, err = New(o, Place{Path: "/dev/bus", Router: func() *hub.Router { return b.router },
		Logger: slog.New(slog.NewTextHandler(b.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextOf(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Speak(ctx, w)
	}()
	b.stop = func() {
		stop()
		<-done
		time.Sleep(time.Minute) // for what the other end still says
		synctest.Wait()
	}
	return b
}

// otherSender is what somebody else's sender is.
var otherSender = hub.SenderOptions{Events: []string{"x"}}
