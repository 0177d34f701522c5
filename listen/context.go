package listen

import "context"

type peerKey struct{}

// WithPeer returns a context that tells who is at the other end of the connection that it is of.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// PeerOf returns who is at the other end of the connection that a context is of, and whether it tells.
func PeerOf(ctx context.Context) (p Peer, ok bool) {
	p, ok = ctx.Value(peerKey{}).(Peer)
	return p, ok
}
