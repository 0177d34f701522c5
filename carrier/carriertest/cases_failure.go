package carriertest

import (
	"context"
	"errors"
	"runtime"
	"time"

	"sighub/carrier"
)

// flood: what a client sends costs the hub a bounded amount of memory, and harms nobody else.
func flood(s *session) {
	if s.pair.Flood == nil {
		s.Log("not applicable: Pair.Flood is nil")
		return
	}
	const size, most = 64 << 20, 24 << 20
	s.serve()
	s.works()
	before := heap()
	ended := make(chan struct{})
	go func() { defer close(ended); s.pair.Flood(size) }()
	peak := before
	for flooding := true; flooding; {
		select {
		case <-ended:
			flooding = false
		case <-time.After(20 * time.Millisecond):
		}
		peak = max(peak, heap())
	}
	if peak > before+most {
		s.Errorf("%d MiB from one client take %d MiB of memory", size>>20, (peak-before)>>20)
	}
	s.restore()
	s.works()
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// idle: clients that have nothing to say for longer than they may be silent stay connected.
func idle(s *session) {
	if s.pair.Timeout == 0 {
		s.Log("not applicable: clients may be silent for ever")
		return
	}
	s.serve()
	atHub, atPeer := s.connected()
	ctx, cancel := context.WithTimeout(s.ctx, 2*s.pair.Timeout)
	defer cancel()
	if cause, err := s.hub.Gone(ctx, atHub); err == nil {
		s.Errorf("the idle peer was disconnected: %v", cause)
	}
	if cause, err := s.peer.Gone(ctx, atPeer); err == nil {
		s.Errorf("the idle hub was disconnected: %v", cause)
	}
	s.works()
}

// silence: an end that receives nothing any more disconnects its client, with ErrTimeout.
func silence(s *session) {
	if s.pair.Silence == nil {
		s.Log("not applicable: Pair.Silence is nil")
		return
	}
	s.serve()
	s.works()
	s.pair.Silence()
	s.both(func(e *end) error {
		id := e.to()
		for gone := false; !gone && s.ctx.Err() == nil; { // more and more, until somebody has to notice
			ctx, cancel := context.WithTimeout(s.ctx, 100*time.Millisecond)
			_, err := e.transmit(ctx, id, "long", make([]byte, s.pair.MaxData/2))
			cancel()
			gone = errors.Is(err, carrier.ErrGone)
		}
		cause, err := e.Gone(s.ctx, id)
		if err == nil && !errors.Is(cause, carrier.ErrTimeout) {
			s.Errorf("%s: its client was silent, and was disconnected with cause %v, not ErrTimeout", e.name, cause)
		}
		return err
	})
}

// backoff: a peer that does not find a hub tries again, and waits longer each time.
func backoff(s *session) {
	if s.pair.Tries == nil {
		s.Log("not applicable: Pair.Tries is nil")
		return
	}
	const most = 50 // in half a second
	s.serve()
	s.hub.close()
	before := s.pair.Tries()
	time.Sleep(min(500*time.Millisecond, s.limit/2)) // for as long as it likes to try
	switch n := s.pair.Tries() - before; {
	case n == 0:
		s.Error("the peer does not try to connect again")
	case n > most:
		s.Errorf("the peer tried %d times within half a second, and without waiting in between", n)
	}
}

// broken: when the medium fails for good, Serve disconnects every client and returns an error.
func broken(s *session) {
	if s.pair.Break == nil {
		s.Log("not applicable: Pair.Break is nil")
		return
	}
	s.hub.mayFail = true
	s.serve()
	s.works()
	id := s.hub.to()
	s.pair.Break()
	select {
	case <-s.hub.ended:
	case <-s.ctx.Done():
		s.Fatal("hub: the medium has failed, and Serve does not return")
	}
	if s.hub.err == nil {
		s.Error("hub: the medium has failed, and Serve returns nil")
	}
	cause, err := s.hub.Gone(s.ctx, id)
	s.must(err)
	if carrier.Reason(cause) == "shutdown" {
		s.Errorf("hub: the medium has failed, and its clients were disconnected with %v", cause)
	}
}
