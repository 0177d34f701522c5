package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetStreamPeer is the NATS server with its file store. A message is acknowledged when it is in the stream, and listeners hear what
// is there. Its clients use its own library: publishers do not wait for an acknowledgement before they send the next message, and
// listeners are ordered consumers, which are its fastest ones that lose nothing.
type jetStreamPeer struct {
	natsPeer
	sync string // when the server syncs its files; empty: by its default, each two minutes
}

func (*jetStreamPeer) Acknowledged() bool { return true }

// JetStreamInFlight is how many messages a publisher may have unacknowledged. Fewer are slower, and more gain nothing.
const JetStreamInFlight = 4000

// jetStreamConfig is the configuration of the server.
const jetStreamConfig = `listen: %q
jetstream { store_dir: %q%s }
`

const stream = "E"

func (p *jetStreamPeer) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	interval := ""
	if p.sync != "" {
		interval = ", sync_interval: " + p.sync
	}
	file := filepath.Join(place.Tmp, "nats.conf")
	config := fmt.Appendf(nil, jetStreamConfig, addr, filepath.Join(place.Disk, "jetstream"), interval)
	return []string{filepath.Join(place.Bin, "nats-server"), "-c", file}, os.WriteFile(file, config, 0o644)
}

// open connects, and makes the stream unless it is there.
func (p *jetStreamPeer) open(ctx context.Context, o ...jetstream.JetStreamOpt) (natsConn, jetstream.JetStream, error) {
	c, err := p.connect()
	if err != nil {
		return natsConn{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	js, err := jetstream.New(c, o...)
	if err == nil {
		_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: stream, Subjects: []string{natsSubject(Everyone)}, Storage: jetstream.FileStorage,
		})
	}
	if err != nil {
		c.Close()
		return natsConn{}, nil, fmt.Errorf("nats: %w", err)
	}
	return natsConn{c}, js, nil
}

func (p *jetStreamPeer) Publisher(ctx context.Context, sender int) (Publisher, error) {
	pub := &jetStreamPublisher{subject: natsSubject(sender)}
	failed := func(_ jetstream.JetStream, _ *nats.Msg, err error) { pub.failure.CompareAndSwap(nil, &err) }
	var err error
	pub.natsConn, pub.js, err = p.open(ctx,
		jetstream.WithPublishAsyncMaxPending(JetStreamInFlight), jetstream.WithPublishAsyncErrHandler(failed))
	return pub, err
}

type jetStreamPublisher struct {
	natsConn
	js      jetstream.JetStream
	subject string
	failure atomic.Pointer[error]
}

func (p *jetStreamPublisher) Publish(payload []byte) error {
	_, err := p.js.PublishAsync(p.subject, payload, jetstream.WithStallWait(Patience))
	return err
}

func (p *jetStreamPublisher) Flush() error { return nil } // the library does, at once

func (p *jetStreamPublisher) Drain() error {
	<-p.js.PublishAsyncComplete()
	if err := p.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *jetStreamPeer) Subscribe(ctx context.Context, sender int, fn func([]byte)) (Closer, error) {
	c, js, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	consumer, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{natsSubject(sender)}})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) { fn(m.Data()) }, jetstream.PullMaxMessages(jetStreamPull))
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return jetStreamListener{c, consuming}, nil
}

// jetStreamPull is how many messages a listener asks for at a time.
const jetStreamPull = 4000

type jetStreamListener struct {
	natsConn
	consuming jetstream.ConsumeContext
}

func (l jetStreamListener) Close() {
	l.consuming.Stop()
	l.natsConn.Close()
}

func (*jetStreamPeer) Respond(context.Context) (Closer, error) {
	return nil, errors.New("a stream answers no requests")
}
func (*jetStreamPeer) Requester(context.Context) (Requester, error) {
	return nil, errors.New("a stream answers no requests")
}
