package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/journal"
)

// A message that was sent on a connection before may still be on its way: in the buffers of a line that comes back, or of a server that
// stood still. If it were stored after the bridge has asked the stream what it has, it would be there twice. Two things prevent that:
//
//   - Before the bridge asks, it has the server end the batch of the connection before. What is on its way of a batch that has ended is
//     refused, but for its very first message, with which it would begin again.
//   - Messages that may be on their way with the first message of a batch have an id, by which the server takes none twice: those at the
//     beginning of a batch, and what is sent first on a connection, among which they come again. See [upward.needsID].
//
// Ids alone would do, too, if every message had one. But they take the server as much time as all the rest, and more than 200 bytes of
// memory each, for minutes.

// batchKey is the key under which the journal keeps the id of the batches of the latest connection.
func (b *Bridge) batchKey() string { return "nats/" + b.o.Name + "/batch" }

// endBatch has the server end the batch of the connection before, and makes a new id for the batches of this one. It reports whether the
// journal keeps that. If it does not, the next run of the hub cannot end them, so that every message must have an id.
func (b *Bridge) endBatch(ctx context.Context, conn *nats.Conn) (kept bool, err error) {
	if b.batch == "" {
		b.batch = string(b.o.Journal.State(b.batchKey()))
	}
	if b.batch != "" {
		if err := b.fence(ctx, conn, b.batch); err != nil {
			return false, err
		}
	}
	b.batch = rand.Text()
	waiting, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	if err := keep(waiting, b.o.Journal, b.batchKey(), b.batch); err != nil {
		b.o.Logger.Warn("the journal cannot be written, so what goes up costs the server more", "bridge", b.o.Name, "error", err)
		return false, ctx.Err()
	}
	return true, nil
}

// keep keeps a text in the journal, and returns when it is on disk.
func keep(ctx context.Context, j *journal.Journal, key, text string) error {
	group := j.NewGroup()
	group.Mark(key, []byte(text))
	group.Append(0)
	if err := j.Sync(ctx); err != nil {
		return fmt.Errorf("nats: the journal cannot be written: %w", err)
	}
	return nil
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
