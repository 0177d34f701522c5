package local_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/local"
)

// serve serves a carrier until the test ends.
func serve(t *testing.T, c carrier.Carrier, r *carriertest.Recorder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := c.Serve(ctx, r); err != nil {
			t.Error(err)
		}
		r.Served()
	})
	stop = func() {
		cancel()
		served.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// client waits for a client to be connected.
func client(t *testing.T, r *carriertest.Recorder) carrier.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := r.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClients(t *testing.T) {
	hub := local.NewHub(local.Options{Codec: carrier.JSON})
	atHub := carriertest.NewRecorder(t, "hub")
	first := carriertest.NewRecorder(t, "first")
	peer := hub.NewPeer("first")
	peer.Cut() // there is nothing to cut yet
	serve(t, peer, first)
	serve(t, hub, atHub) // the peer was there before, and kept trying

	want := carrier.Client{ID: 1, Name: "first", Addr: "local://1", Codec: carrier.JSON, Hello: true, Window: 64}
	if got := client(t, atHub); got != want {
		t.Errorf("the hub knows its peer as %+v", got)
	}
	want = carrier.Client{ID: 1, Name: "sighub", Addr: "local://hub", Codec: carrier.JSON, Hello: true, Window: 64}
	if got := client(t, first); got != want {
		t.Errorf("the peer knows the hub as %+v", got)
	}
}

// A hub that is served no more takes no peers; its peers keep trying, and stop when they are told.
func TestPeerOfAStoppedHub(t *testing.T) {
	hub := local.NewHub(local.Options{})
	atHub, atPeer := carriertest.NewRecorder(t, "hub"), carriertest.NewRecorder(t, "peer")
	stopHub := serve(t, hub, atHub)
	stopPeer := serve(t, hub.NewPeer(""), atPeer)
	id := client(t, atPeer).ID
	client(t, atHub)
	stopHub()
	cause, err := atPeer.Gone(t.Context(), id)
	if err != nil || !errors.Is(cause, carrier.ErrClosed) {
		t.Errorf("the peer is disconnected with %v, %v", cause, err)
	}
	stopPeer()
}

// What no codec can say is refused, and told in the reply.
func TestWhatCannotBePacked(t *testing.T) {
	hub := local.NewHub(local.Options{})
	atHub, atPeer := carriertest.NewRecorder(t, "hub"), carriertest.NewRecorder(t, "peer")
	atHub.Handle = func(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
		respond(carrier.Done(make(chan int)))
	}
	peer := hub.NewPeer("")
	serve(t, hub, atHub)
	serve(t, peer, atPeer)
	id := client(t, atPeer).ID

	err := peer.Transmit(t.Context(), id, &carrier.Message{Method: "x", Params: carrier.ValueOf(func() {})},
		func(carrier.Reply, error) { t.Error("done was called for a message that was refused") })
	if err == nil {
		t.Error("a function was sent")
	}
	got := make(chan carrier.Reply, 1)
	err = peer.Transmit(t.Context(), id, &carrier.Message{Method: "x"}, func(r carrier.Reply, err error) {
		if err != nil {
			t.Error(err)
		}
		got <- r
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.Status != carrier.StatusFailed || r.Exception == "" {
		t.Errorf("the reply is %+v", r)
	}
}

// TestPeerAs: the hub knows a peer that acts for somebody else as that one.
func TestPeerAs(t *testing.T) {
	hub := local.NewHub(local.Options{Window: 7})
	account := carrier.NewBudget(0).Open("there")
	defer account.Close()
	peer := hub.NewPeerAs(carrier.Client{Name: "n", Addr: "http://192.0.2.7", Identity: "ann", Account: account, Window: 99, ID: 12})
	known := make(chan carrier.Client, 1)
	atHub := carriertest.NewRecorder(t, "hub")
	atHub.Connected = func(c carrier.Client) { known <- c }
	serve(t, hub, atHub)
	serve(t, peer, carriertest.NewRecorder(t, "peer"))
	c := <-known
	if c.Identity != "ann" || c.Addr != "http://192.0.2.7" || c.Name != "n" || c.Account != account || c.Window != 7 || c.ID != 1 || !c.Hello {
		t.Errorf("%+v", c)
	}
}
