package listen

import (
	"context"
	"time"
)

type (
	peerKey     struct{}
	identityKey struct{}
	provenKey   struct{}
	sessionKey  struct{}
)

// WithPeer returns a context that tells who is at the other end of the connection that it is of.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// PeerOf returns who is at the other end of the connection that a context is of, and whether it tells.
func PeerOf(ctx context.Context) (p Peer, ok bool) {
	p, ok = ctx.Value(peerKey{}).(Peer)
	return p, ok
}

// WithIdentity returns a context that tells the identity of whoever has asked for what it is for, as a [Login] has returned it.
func WithIdentity(ctx context.Context, identity string) context.Context {
	return context.WithValue(ctx, identityKey{}, identity)
}

// IdentityOf returns the identity that a context tells; empty: it tells none.
func IdentityOf(ctx context.Context) string {
	identity, _ := ctx.Value(identityKey{}).(string)
	return identity
}

// WithProven returns a context that tells a time before which the identity was not proven: see carrier.Client.
func WithProven(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, provenKey{}, t)
}

// ProvenOf returns the time that [WithProven] was given; zero: the context tells none.
func ProvenOf(ctx context.Context) time.Time {
	t, _ := ctx.Value(provenKey{}).(time.Time)
	return t
}

// WithSession returns a context that tells in which session the identity was proven: see carrier.Client.
func WithSession(ctx context.Context, session string) context.Context {
	return context.WithValue(ctx, sessionKey{}, session)
}

// SessionOf returns the session that a context tells; empty: it tells none.
func SessionOf(ctx context.Context) string {
	session, _ := ctx.Value(sessionKey{}).(string)
	return session
}
