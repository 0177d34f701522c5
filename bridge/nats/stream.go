package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errStream: the stream that is there cannot be used.
var errStream = errors.New("nats: the stream cannot be used")

// repeats is for how long the server knows the id of a message, so that it takes none twice. It only matters while a server that is slow
// still works on what an earlier connection has left.
const repeats = 2 * time.Minute

// openStream finds the stream, or makes it.
func (o *Options) openStream(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	st, err := js.Stream(ctx, o.Stream.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && !o.Stream.Existing {
		st, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: o.Stream.Name, Description: "events of sighub", Subjects: []string{o.Prefix + ".>"},
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
			MaxBytes: o.Stream.MaxBytes, MaxAge: o.Stream.MaxAge, Replicas: o.Stream.Replicas, Duplicates: repeats,
			AllowDirect: true, AllowBatchPublish: true,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another hub has just made it
			st, err = js.Stream(ctx, o.Stream.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("nats: the stream %s: %w", o.Stream.Name, err)
	}
	c := st.CachedInfo().Config
	if !c.AllowBatchPublish && !o.Stream.Existing {
		c.AllowBatchPublish = true
		if st, err = js.UpdateStream(ctx, c); err != nil {
			return nil, fmt.Errorf("nats: the stream %s must allow batches, as nats-server 2.14 and later do: %w", o.Stream.Name, err)
		}
		c = st.CachedInfo().Config
	}
	return st, o.checkConfig(&c)
}

// checkConfig returns an error if the stream is not one in which each event would be once.
func (o *Options) checkConfig(c *jetstream.StreamConfig) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s %s", errStream, c.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case !c.AllowBatchPublish:
		return bad("does not allow batches (allow_batched), which nats-server 2.14 and later have")
	case !slices.Contains(c.Subjects, o.Prefix+".>") && !slices.Contains(c.Subjects, ">"):
		return bad("does not take the subjects %s.>", o.Prefix)
	case c.Retention != jetstream.LimitsPolicy:
		return bad("drops what is read (retention %s): it must keep to limits alone", c.Retention)
	case c.NoAck:
		return bad("acknowledges nothing (no_ack)")
	case c.Sealed || c.Mirror != nil:
		return bad("takes nothing: it is sealed, or a mirror")
	}
	return nil
}
