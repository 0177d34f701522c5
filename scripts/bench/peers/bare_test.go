package peers

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/scripts/bench/message"
)

// The bare clients are understood by a hub, and understand it: events to one listener and to all, in order, more than are answered at
// a time, and requests.
func TestBare(t *testing.T) {
	s, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx, s) })
	defer serving.Wait()
	defer stop()
	p := new(barePeer)
	p.At(strings.TrimPrefix(s.Addr(), "tcp://"), t.TempDir())

	const events = 3 * bareAnswerMost
	var heard [2]chan uint32
	pub, err := p.Publisher(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pub.Close()
	for i, whom := range []int{0, Everyone} {
		heard[i] = make(chan uint32, 2*events)
		l, err := p.Subscribe(ctx, whom, func(b []byte) {
			_, seq, _, ok := message.Read(b)
			if !ok {
				t.Errorf("%q is heard", b)
			}
			heard[i] <- seq
		})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	b := make([]byte, message.Size)
	for i := range uint32(events) {
		message.Write(b, 0, i, 1)
		if err := pub.Publish(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := pub.Drain(); err != nil {
		t.Fatal(err)
	}
	for i := range heard {
		for want := range uint32(events) {
			select {
			case got := <-heard[i]:
				if got != want {
					t.Fatalf("listener %d hears %d, want %d", i, got, want)
				}
			case <-time.After(Patience):
				t.Fatalf("listener %d does not hear event %d", i, want)
			}
		}
	}

	responder, err := p.Respond(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer responder.Close()
	requester, err := p.Requester(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer requester.Close()
	for slot := range 3 {
		message.Write(b, uint32(slot), 7, 1)
		if answer, err := requester.Request(ctx, slot, b); err != nil || !bytes.Equal(answer, b) {
			t.Errorf("%q is answered with %q, %v", b, answer, err)
		}
	}
}

// What is read of CBOR agrees with the package of the hub, and nothing that arrives makes it panic.
func FuzzCBOR(f *testing.F) {
	f.Add(cborMap(keyID, cborUint(300), keyMethod, cborText("m"), keyParams, cborArray(cborNull, cborBytes([]byte{1}))))
	f.Add([]byte("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for key := range uint64(26) {
			_, _ = cborField(b, key)
		}
		item, rest, ok := cborItem(b)
		if ok && len(item)+len(rest) != len(b) {
			t.Errorf("%x is taken apart as %x and %x", b, item, rest)
		}
		kind, n, _, err := carrier.CBORHead(b)
		if k, m, _, ok := cborHead(b); err == nil && n != carrier.CBORIndefinite && (!ok || k != kind || m != n) {
			t.Errorf("%x begins with %d of %d, want %d of %d", b, k, m, kind, n)
		}
		c := &bareConn{fn: func([]byte) {}, asked: func(*bareConn, []byte) error { return nil }, unanswered: newQuota(1)}
		if len(b) > 0 {
			_ = c.take(b)
		}
	})
}
