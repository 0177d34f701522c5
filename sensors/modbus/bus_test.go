package modbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// TestFlood: a line that never stops is counted and given up for the time being, without more memory; and the end comes at once.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, func([]byte, int) []part {
			return slices.Repeat([]part{{5 * time.Millisecond, bytes.Repeat([]byte{1, 3, 2}, 100)}}, 1000)
		})
		b := start(t, Options{Timeout: time.Second, Devices: []Device{thing(1, "x", word("v", 1, time.Second))}}, w)
		time.Sleep(4 * time.Second)
		if r := b.Spoken(time.Now()).Refused; r["damaged"] == 0 || len(b.heard.texts("v")) > 0 {
			t.Errorf("%v %q", r, b.heard.texts())
		}
		b.mu.Lock()
		in := b.session.in
		b.mu.Unlock()
		if held, _, _, _ := in.look(); len(held) > maxInbox {
			t.Errorf("%d bytes are held", len(held))
		}
		begun := time.Now()
		b.stop()
		if d := time.Since(begun); d > time.Minute+time.Second { // of which stop itself waits for a minute
			t.Errorf("the end took %v", d)
		}
	})
}

// TestEcho: on a line that returns what is sent, writing is confirmed by the unit, and not by the echo.
func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := false
		w := newWire(t, func(request []byte, _ int) []part {
			r, _ := frame.ParseRequest(request[1 : len(request)-2])
			switch {
			case r.Function.Reads():
				return []part{{0, request}, {time.Millisecond, answerOf(request, nil)}}
			case deaf:
				return []part{{0, request}}
			}
			return []part{{0, request}, {time.Millisecond, request}}
		})
		r := word("v", 1, time.Hour)
		r.Write = profile.Single
		b := start(t, Options{Devices: []Device{thing(1, "x", r)}}, w)
		time.Sleep(time.Second)
		set := func() error {
			_, err := b.router.Request(t.Context(), "x", "set", map[string]any{"v": 5})
			return err
		}
		if err := set(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		deaf = true
		if err := set(); !errors.Is(err, carrier.ErrTimeout) && (err == nil || !strings.Contains(err.Error(), "does not answer")) {
			t.Errorf("an echo counts: %v", err)
		}
		b.stop()
	})
}

// TestTogether: what is written to addresses that follow each other by functions for several is written at once.
func TestTogether(t *testing.T) {
	for _, test := range []struct {
		list []frame.Request
		want string
	}{
		{[]frame.Request{{Function: 16, Address: 7, Count: 1, Data: []byte{0, 7}}, {Function: 16, Address: 5, Count: 2, Data: []byte{1, 2, 3, 4}}}, "[{16 5 3 [1 2 3 4 0 7]}]"},
		{[]frame.Request{{Function: 15, Address: 9, Count: 1, Data: []byte{1}}, {Function: 15, Address: 8, Count: 1, Data: []byte{0}}, {Function: 15, Address: 11, Count: 1, Data: []byte{1}}},
			"[{15 8 2 [2]} {15 11 1 [1]}]"},
		{[]frame.Request{{Function: 6, Address: 1, Count: 1, Data: []byte{0, 1}}, {Function: 6, Address: 2, Count: 1, Data: []byte{0, 2}}}, "[{6 1 1 [0 1]} {6 2 1 [0 2]}]"},
	} {
		if got := fmt.Sprint(together(test.list)); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
	var many []frame.Request
	for i := range uint16(12) {
		many = append(many, frame.Request{Function: frame.WriteCoils, Address: i, Count: 1, Data: []byte{byte(i % 2)}})
	}
	if got := fmt.Sprint(together(many)); got != "[{15 0 12 [170 10]}]" {
		t.Error(got)
	}
}

// TestBusy: requests wait for the bus in their order, but not too many of them, and a caller that gives up waits no longer.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t, func(request []byte, _ int) []part { return []part{{200 * time.Millisecond, answerOf(request, nil)}} })
		b := start(t, Options{Devices: []Device{thing(1, "x", word("v", 1, time.Hour))}}, w)
		time.Sleep(time.Second)
		results := make(chan error, 100)
		for range maxWaiting + 4 {
			go func() {
				_, err := b.router.Request(context.Background(), "x", "read", "v")
				results <- err
			}()
		}
		synctest.Wait()
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := b.read(ctx, &b.options.Devices[0], carrier.ValueOf("v")); err == nil {
			t.Error("one more may wait")
		}
		stop()
		good, busy := 0, 0
		for range maxWaiting + 4 {
			switch err := <-results; {
			case err == nil:
				good++
			case strings.Contains(err.Error(), "too many requests"):
				busy++
			default:
				t.Error(err)
			}
		}
		if good != maxWaiting || busy != 4 {
			t.Errorf("%d were done, %d refused", good, busy)
		}
		ctx, stop = context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer stop()
		go func() { _, _ = b.router.Request(context.Background(), "x", "read", "v") }()
		synctest.Wait()
		if _, err := b.read(ctx, &b.options.Devices[0], carrier.ValueOf("v")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		b.stop()
	})
}
