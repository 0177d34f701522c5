package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
	"sighub/hub"
)

// A message that was sent on a connection before may still be on its way: in the buffers of a line that comes back, or of a server that
// stood still. If it were stored after the bridge has asked the stream what it has, it would be there twice. Two things prevent that, however
// late it comes:
//
//   - The first message of each batch has a guard: the number of the hub's last message in the stream, behind which alone the server stores
//     it. So a batch begins where the bridge believes it does, or not at all.
//   - What is on its way of a batch that the server knows is stored as well. The last message says by [HeaderBatch] to which batch it
//     belongs, and the bridge has the server end that one before it begins another. What is on its way of a batch that has ended is refused.
//
// So no other batch can be stored as well: its first message would be the last one, and would have named it.

// A standing is how far a hub is in the stream.
type standing struct {
	latest uint64                  // the number of the hub's last message; 0 if the stream has no message of the hub
	batch  string                  // to which batch it belongs; empty: not known
	sent   bridge.Sent             // which events of the journal are there
	known  map[string]hub.Position // of senders: all of theirs are there up to a position, which is ahead of what sent says
}

// has reports whether the stream has an event of the journal. It may say that it does not, if that is one of a sender that is ahead.
func (s *standing) has(at hub.Position) bool {
	if s.sent.Has(at) && !at.IsZero() {
		return true
	}
	for _, known := range s.known {
		if known == at {
			return true
		}
	}
	return false
}

// begin asks the stream how far the hub is, and ends the batch that it may still take.
func (b *Bridge) begin(ctx context.Context, conn *nats.Conn, st jetstream.Stream) (*standing, error) {
	s, err := b.stored(ctx, st)
	if err == nil && s.batch != "" {
		err = b.fence(ctx, conn, s.batch)
	}
	return s, err
}

// askAgainAfter is after what time the server is asked again to end a batch.
const askAgainAfter = 200 * time.Millisecond

// noMessage is the number of a message that no batch has reached.
const noMessage = 1 << 62

// fence returns when the server knows no batch with that id any more. A question about a message that it does not have ends the batch; it
// is asked until the server does not know what it is asked about.
func (b *Bridge) fence(ctx context.Context, conn *nats.Conn, id string) error {
	ctx, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	inbox := nats.NewInbox()
	sub, err := conn.SubscribeSync(inbox + ".>")
	if err != nil {
		return err
	}
	defer sub.Unsubscribe() //nolint:errcheck // it may be closed already
	question := nats.Msg{
		Subject: place{hub: b.o.Hub}.subject(b.o.Prefix),
		Reply:   inbox + "." + id + "." + acknowledgeAt + ".fail." + strconv.FormatUint(noMessage, 10) + "." + opPing + ".$FI",
	}
	for answers := false; ; {
		if err := conn.PublishMsg(&question); err != nil {
			return err
		}
		answered, err := b.ended(ctx, sub)
		answers = answers || answered
		var api *jetstream.APIError
		switch {
		case errors.As(err, &api) && api.ErrorCode == codeUnknownBatch:
			return nil
		case ctx.Err() != nil && answers:
			return errStuck
		case ctx.Err() != nil:
			return fmt.Errorf("nats: the server does not say whether it still has messages of the connection before: %w", nats.ErrTimeout)
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
}

// ended hears what the server says about a batch, until it says an error, and reports whether it says anything. It waits for a moment only.
func (b *Bridge) ended(ctx context.Context, sub *nats.Subscription) (answered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askAgainAfter)
	defer cancel()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return answered, err
		}
		if len(m.Data) == 0 {
			return false, errNoStream
		}
		a, err := readAnswer(m.Data)
		if err != nil {
			return false, err
		}
		if answered = true; a.Error != nil {
			return true, a.Error
		}
	}
}
