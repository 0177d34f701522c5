package tcp

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"sighub/carrier"
	"sighub/listen/keys"
)

// An Invitation is what a client has that was invited to a hub, which does not know it yet.
type Invitation struct {
	// ID says which invitation it is.
	ID string

	// Proof returns what shows a hub that the client has the invitation: for these keys of both, by the SHA-256 of each
	// SubjectPublicKeyInfo. An error says that it is another hub's key, or that of somebody in between; then nothing is said.
	Proof func(hubKey, clientKey [32]byte) ([32]byte, error)

	// Key is the client's own, as [keys.Client] returns it. The hub will know the client by it.
	Key *tls.Certificate

	// Label says where the key is, for people to read.
	Label string

	// Name is what the client calls itself in hello.
	Name string
}

// A Paired says what came of a pairing.
type Paired struct {
	Identity string   // the client's, from now on
	Pin      keys.Pin // of the hub's key, the whole
}

// Pair lets the hub at addr, "HOST:PORT", know a client that was invited. It connects over TLS, and says nothing before it is sure
// that it has reached the hub of the invitation. If the hub refuses, the error wraps [carrier.ErrDenied].
func Pair(ctx context.Context, addr string, in Invitation) (Paired, error) {
	if in.Key == nil || in.Proof == nil {
		return Paired{}, errors.New("tcp: a pairing needs a key and an invitation")
	}
	addr = "tls://" + strings.TrimPrefix(strings.TrimPrefix(addr, "tls://"), "tcp://")
	p := &pairing{invitation: in}
	c := NewClient(addr, ClientOptions{Name: in.Name, TLS: &TLS{Key: in.Key, check: p.check}})
	c.pairing = p
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.peers.serve(onceConnected{stop})
	if connected, err := c.connect(ctx); !connected {
		return Paired{}, err
	}
	if p.identity == "" { // a hub that knows nothing of pairings has let the client in, as it does with everybody
		return Paired{}, fmt.Errorf("tcp: the hub at %s lets everybody in, so it pairs with nobody", addr)
	}
	return Paired{Identity: p.identity, Pin: keys.PinOf(p.hub)}, nil
}

// A pairing is what a client says once.
type pairing struct {
	invitation Invitation
	hub        [32]byte
	proof      [32]byte
	identity   string // that the hub has given
}

// check looks whether it is the right hub, and prepares what is said to it.
func (p *pairing) check(hubKey [32]byte) (err error) {
	p.hub = hubKey
	p.proof, err = p.invitation.Proof(hubKey, keys.Hash(p.invitation.Key.Leaf))
	return err
}

func (p *pairing) field() carrier.Field {
	return carrier.Field{Key: "pair", Value: carrier.Object{
		{Key: "id", Value: p.invitation.ID},
		{Key: "proof", Value: hex.EncodeToString(p.proof[:])},
		{Key: "label", Value: p.invitation.Label},
	}}
}

// onceConnected ends a connection as soon as there is one.
type onceConnected struct{ end func() }

// ClientConnected implements [carrier.Handler].
func (h onceConnected) ClientConnected(carrier.Client) { h.end() }

// HandleMessage implements [carrier.Handler].
func (h onceConnected) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}

// ClientDisconnected implements [carrier.Handler].
func (h onceConnected) ClientDisconnected(carrier.ClientID, error) {}

// AllClientsDisconnected implements [carrier.Handler].
func (h onceConnected) AllClientsDisconnected(error) {}
