package linepast

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPast: each minute has what happened in it, for a day.
func TestPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		minutes := 0
		p := New(func() []serial.PortInfo {
			minutes++
			state := serial.PortConnected
			if minutes > 11 {
				state = serial.PortSilent
			}
			info := serial.PortInfo{Port: "/dev/ttyUSB0", State: state, Frames: uint64(1000 + 100*minutes), BadFrames: uint64(minutes / 10),
				Device: &serial.DeviceInfo{Resent: uint64(minutes), Repeated: uint64(minutes), RoundTrip: new(1.26), Clock: &serial.ClockInfo{Uncertainty: 0.5}}}
			if minutes >= 1500 { // it was opened anew
				info.Frames -= 150_000
			}
			return []serial.PortInfo{info}
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Run(ctx)
		}()
		began := time.Now()
		text := func(i int) string {
			h := p.Of("/dev/ttyUSB0")
			if i < 0 {
				i += len(h.Samples)
			}
			b, err := json.Marshal(h.Samples[i])
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		time.Sleep(Every + time.Second)
		if got, want := text(0), fmt.Sprintf("[%d,100,0,2,1.3,0.5]", began.Add(Every).Unix()); got != want || len(p.Of("/dev/ttyUSB0").Samples) != 1 {
			t.Errorf("the first minute: %s, not %s", got, want)
		}
		time.Sleep(9 * Every)
		if got, want := text(-2), fmt.Sprintf("[%d,100,1,2,1.3,0.5]", began.Add(9*Every).Unix()); got != want {
			t.Errorf("a damaged frame: %s, not %s", got, want)
		}
		time.Sleep(Every)
		if got, want := text(-1), fmt.Sprintf("[%d,100,0,2,null,null]", began.Add(11*Every).Unix()); got != want {
			t.Errorf("a silent device: %s, not %s", got, want)
		}
		time.Sleep(1488 * Every)
		h := p.Of("/dev/ttyUSB0")
		if got, want := text(-1), fmt.Sprintf("[%d,1000,1,2,null,null]", began.Add(1499*Every).Unix()); got != want {
			t.Errorf("counted anew: %s, not %s", got, want)
		}
		if len(h.Samples) != perDay || h.Samples[0][0] != began.Add(60*Every).Unix() {
			t.Errorf("%d samples from %v", len(h.Samples), h.Samples[0])
		}
		for i := 1; i < len(h.Samples); i++ {
			if h.Samples[i][0].(int64)-h.Samples[i-1][0].(int64) != 60 {
				t.Fatalf("after %v comes %v", h.Samples[i-1], h.Samples[i])
			}
		}
		stop()
		<-done
	})
}

// TestBounded: ports come and go, and as many are remembered as there is room for.
func TestBounded(t *testing.T) {
	n := 0
	p := New(func() []serial.PortInfo { return []serial.PortInfo{{Port: fmt.Sprint("port", n)}} })
	for n = range 3 * maxPorts {
		now := time.Unix(int64(n), 0)
		p.look(now)
		p.look(now)
	}
	if len(p.lines) != maxPorts || len(p.Of("port0").Samples) != 0 || len(p.Of(fmt.Sprint("port", 3*maxPorts-1)).Samples) != 1 {
		t.Errorf("%d ports are remembered", len(p.lines))
	}
}

// TestMethod: the answer can be said in the protocol, and nonsense is refused.
func TestMethod(t *testing.T) {
	p := New(func() []serial.PortInfo { return []serial.PortInfo{{Port: "x"}} })
	p.look(time.Now())
	p.look(time.Now())
	call := p.Methods(make(map[string]hub.Method))[Method]
	answer, err := call(t.Context(), carrier.ValueOf(map[string]string{"port": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := carrier.ValueOf(answer).AppendTo(nil, carrier.JSON); err != nil || len(answer.(History).Samples) != 1 {
		t.Errorf("%s, %v", b, err)
	}
	for _, nonsense := range []any{nil, 1, map[string]int{"port": 1}, map[string]string{}} {
		if answer, err := call(t.Context(), carrier.ValueOf(nonsense)); err == nil {
			t.Errorf("%v is answered with %v", nonsense, answer)
		}
	}
}
