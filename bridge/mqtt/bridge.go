package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sighub/bridge"
	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/packet"
)

// A Bridge is a connection between a hub and a broker. Make one with [New].
type Bridge struct {
	o         Options
	log       *slog.Logger
	template  *template
	state     *bridge.State
	newest    *homeassistant.States    // nil: every event is passed on
	announcer *homeassistant.Announcer // of the newest states
	clears    *homeassistant.Announcer // what was announced and is not to be any more; nil: nothing

	local *local.Hub
	hub   *hub.ClientRouter // for commands and newest states

	feed   *bridge.Feed                 // nil while only the newest states are passed on
	trail  *trail                       // of the feed
	marked atomic.Pointer[hub.Position] // the latest mark that the broker has acknowledged in this run; nil: none
	// These are for the goroutine of connect.
	unmarked bool // the broker has refused a mark in this run
	hangUps  int  // how often in a row an older broker has closed the connection when a mark was published
	spoken   byte // the version that was spoken last with the broker; 0: none yet
}

// New returns a Bridge. It is a carrier, which the hub serves after [Bridge.Attach].
func New(o Options) (*Bridge, error) {
	o.HubName, o.Prefix = cmp.Or(o.HubName, "sighub"), cmp.Or(o.Prefix, "sighub/")
	o.Topic, o.Payload = cmp.Or(o.Topic, o.Prefix+"{sender}/{event}"), cmp.Or(o.Payload, Data)
	o.ClientID = cmp.Or(o.ClientID, "sighub-"+o.HubName+"-"+o.Name)
	o.Alive, o.Retry = cmp.Or(max(o.Alive, 0), 10*time.Second), cmp.Or(max(o.Retry, 0), 30*time.Second)
	o.Identity = cmp.Or(o.Identity, carrier.OwnIdentity)
	o.Every, o.Window = cmp.Or(max(o.Every, 0), time.Second), cmp.Or(max(o.Window, 0), 1000)
	b := &Bridge{o: o, log: lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))}
	scheme := "mqtt://"
	if o.TLS != nil {
		scheme = "mqtts://"
	}
	b.state = bridge.NewState(o.Name, "mqtt", scheme+o.Addr)
	var err error
	if b.template, err = parseTemplate(o.Topic, o.HubName); err != nil {
		return nil, fmt.Errorf("mqtt: the topic %s: %w", o.Topic, err)
	}
	if !strings.HasSuffix(o.Prefix, "/") || strings.ContainsAny(o.Prefix, "+#\x00") || strings.HasPrefix(o.Prefix, "$") {
		return nil, fmt.Errorf("mqtt: the prefix %s: it must end with / and must not have + or #, nor begin with $", o.Prefix)
	}
	if !o.Newest && o.Journal == nil {
		return nil, fmt.Errorf("mqtt: every event is passed on from the journal: %w", hub.ErrNoJournal)
	}
	if err := b.prepareNewest(); err != nil {
		return nil, err
	}
	b.local = local.NewHub(local.Options{Identity: b.o.Identity, Logger: b.log})
	b.hub = hub.NewClientRouter(hub.ClientOptions{})
	return b, nil
}

func (b *Bridge) topics() homeassistant.Topics {
	return homeassistant.Topics{Prefix: b.o.Prefix, Here: b.hubTopic()}
}

// hubTopic is where the broker has whether the hub is there.
func (b *Bridge) hubTopic() string { return b.ownTopic() + "/_state" }

// ownTopic begins the topics that are for this bridge of this hub alone: other hubs at the broker may have the same prefix, and bridges of
// the same name.
func (b *Bridge) ownTopic() string {
	return b.o.Prefix + "_bridge/" + homeassistant.Level(b.o.HubName) + "/" + homeassistant.Level(b.o.Name)
}

// prepareNewest prepares what newest states need; or, without them, what is left of former announcements.
func (b *Bridge) prepareNewest() error {
	o := homeassistant.AnnouncerOptions{}
	if b.o.HomeAssistant != nil {
		o = *b.o.HomeAssistant
	}
	o.Plan.Topics, o.Takes, o.Silent = b.topics(), b.o.Takes, b.o.Silent || b.o.HomeAssistant == nil
	o.Logger = b.log
	a, err := homeassistant.NewAnnouncer(o)
	if err != nil {
		return err
	}
	switch {
	case b.o.Newest:
		b.announcer, b.newest = a, homeassistant.NewStates(a, b.o.Takes)
	case a.Announces():
		b.clears = a
	}
	return nil
}

// Own tells which senders of its own the hub is configured to have, so that others are announced no more.
func (b *Bridge) Own(senders []string) {
	if b.newest != nil {
		b.announcer.Own(senders)
	}
}

// Attach gives the bridge its hub, before that serves it.
func (b *Bridge) Attach(router *hub.ServerRouter) (err error) {
	if b.newest != nil {
		return nil
	}
	b.feed, err = bridge.Open(bridge.Options{
		Hub: router, Journal: b.o.Journal, Cursor: b.o.Name, Start: b.o.Start, Takes: b.o.Takes, Rate: b.o.Rate,
	})
	if err == nil {
		b.trail, err = openTrail(router, b.o.Name, b.o.Start)
	}
	return err
}

// Status implements [bridge.Bridge].
func (b *Bridge) Status() bridge.Status { return b.state.Status(b.feed) }

// Serve implements [carrier.Carrier]: the bridge is a client of the hub, and passes on meanwhile.
func (b *Bridge) Serve(ctx context.Context, h carrier.Handler) error {
	var running sync.WaitGroup
	running.Go(func() { b.run(ctx) })
	err := b.local.Serve(ctx, h)
	running.Wait()
	return err
}

// Transmit implements [carrier.Carrier].
func (b *Bridge) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	return b.local.Transmit(ctx, id, m, done)
}

// run passes on until ctx is done.
func (b *Bridge) run(ctx context.Context) {
	if b.feed != nil {
		defer b.feed.Close() //nolint:errcheck // nothing was written
		defer b.trail.cursor.Release()
	}
	var running sync.WaitGroup
	defer running.Wait()
	if b.newest != nil || b.o.Commands {
		running.Go(func() { _ = b.hub.Serve(ctx, b.local.NewPeer(b.o.Name)) }) // it ends with ctx
	}
	pause := carrier.Backoff{Min: min(time.Second, b.o.Retry), Max: b.o.Retry}
	for b.newest != nil && ctx.Err() == nil {
		err := b.listen(ctx)
		if err == nil {
			break
		}
		if ctx.Err() == nil && b.state.Failed(err, "allow the identity "+b.o.Identity+" to listen and to list, in the rules of access") {
			b.log.Error("a bridge cannot hear the hub, and tries again", "bridge", b.o.Name, "identity", b.o.Identity, "error", err)
		}
		_ = pause.Wait(ctx) // the loop looks at ctx
	}
	pause.Reset()
	for ctx.Err() == nil {
		begun := time.Now()
		err := b.connect(ctx)
		b.state.Disconnected()
		if ctx.Err() != nil {
			break
		}
		if b.state.Failed(err, remedy(err)) {
			b.log.Warn("a bridge has no connection, and tries again", "bridge", b.o.Name, "to", b.o.Addr, "error", err, "remedy", remedy(err))
		}
		if time.Since(begun) > b.o.Retry {
			pause.Reset()
		}
		_ = pause.Wait(ctx) // the loop looks at ctx
	}
}

// listen hears the hub, for the newest states.
func (b *Bridge) listen(ctx context.Context) error {
	n := b.newest
	b.announcer.Listing()
	o := hub.ListenerOptions{Policy: hub.Latest, Last: b.o.Journal != nil}
	l, err := b.hub.AddRemoteListenerWith(ctx, "", "", o, n.Heard)
	if err != nil {
		return fmt.Errorf("mqtt: the hub cannot be heard: %w", err)
	}
	list, err := b.hub.RemoteSenders(ctx)
	if err != nil {
		l.Remove()
		return fmt.Errorf("mqtt: the hub does not say what it has: %w", err)
	}
	b.announcer.Listed(list)
	return nil
}

// present is what is said of the hub while it is there, and absent what the broker says when it has gone.
var absent = []byte(`{"connected":false}`)

// presentSince also tells one connection from another.
func presentSince(at time.Time) []byte {
	data, err := json.Marshal(map[string]any{"connected": true, "since": at.UTC().Format(time.RFC3339Nano)})
	if err != nil {
		panic(err) // a text and a boolean
	}
	return data
}

// connect connects to the broker and passes on until the connection ends.
func (b *Bridge) connect(ctx context.Context) error {
	o := client.Options{
		Addr: b.o.Addr, ClientID: b.o.ClientID, Alive: b.o.Alive, Window: b.o.Window, Dial: b.o.Dial,
		Will: &client.Message{Topic: b.hubTopic(), Payload: absent, Retain: true}, Modern: b.spoken == packet.V5,
	}
	switch b.o.Version {
	case MQTT5:
		o.Version = packet.V5
	case MQTT311:
		o.Version = packet.V311
	}
	var err error
	if b.o.TLS != nil {
		if o.TLS, err = b.o.TLS(); err != nil {
			return err
		}
	}
	if b.o.Login != nil {
		if o.User, o.Password, err = b.o.Login(); err != nil {
			return err
		}
	}
	in := newInbox(b)
	o.Handle = in.handle
	c, err := client.Connect(ctx, o)
	if err != nil {
		return err
	}
	b.speaks(c.Version())
	serving, cancel := context.WithCancelCause(ctx)
	in.tasks.Go(func() { // when the client ends, so does everything that waits for it
		<-c.Done()
		cancel(c.Err())
	})
	err = b.serve(serving, c, in)
	if ctx.Err() != nil {
		b.goodbye(c, in.marks)
	}
	cancel(err)
	c.Close(false)
	in.tasks.Wait()
	return err
}

// speaks notes which version is spoken, and logs what the older one lacks.
func (b *Bridge) speaks(version byte) {
	changed := version != b.spoken
	b.spoken = version
	switch {
	case !changed || version == packet.V5:
	case b.newest != nil:
		b.log.Info("a broker is spoken to in MQTT 3.1.1, so it does not say of what time its states are", "bridge", b.o.Name, "to", b.o.Addr)
	case b.o.Payload == Data:
		b.log.Warn("a broker is spoken to in MQTT 3.1.1, which has no place for the ids and times of events: to have them, choose the payload envelope",
			"bridge", b.o.Name, "to", b.o.Addr)
	default:
		b.log.Info("a broker is spoken to in MQTT 3.1.1", "bridge", b.o.Name, "to", b.o.Addr)
	}
}

// goodbye says that the hub goes, in place of the will, and ends the connection in order. marks: the mark is moved.
func (b *Bridge) goodbye(c *client.Client, marks bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.Say(ctx, &client.Message{Topic: b.hubTopic(), Payload: absent, Retain: true}) // else the will says so
	if marks {
		if m, err := b.markAt(b.feed.At()); err == nil { // the broker has acknowledged everything up to there
			_ = c.Say(ctx, m) // else some events are sent again
		}
	}
	c.Close(true)
}

// serve does everything on a connection.
func (b *Bridge) serve(ctx context.Context, c *client.Client, in *inbox) (err error) {
	if err := in.look(ctx, c); err != nil {
		return err
	}
	if b.clears != nil {
		if err := b.clears.Clear(ctx, retainer{c}); err != nil {
			return err
		}
		b.clears = nil
	}
	if b.newest == nil {
		if in.marks, err = b.begin(ctx, c, in); err != nil {
			return err
		}
	}
	if err := in.commands(ctx, c); err != nil {
		return err
	}
	b.state.Connected()
	b.log.Info("a bridge is connected", "bridge", b.o.Name, "to", b.o.Addr)
	if b.newest != nil {
		return b.sayNewest(ctx, c)
	}
	s := &stream{b: b, c: c, feed: b.feed, sent: b.feed.At(), marks: in.marks}
	return s.run(ctx)
}

// remedy returns what can be done about an error.
func remedy(err error) string {
	if r, is := errors.AsType[*client.RefusedError](err); is {
		if r.What == client.Hello && (r.Code == packet.NotAuthorized || r.Code == packet.BadLogin) {
			return "correct user and password, or allow this user to come in at the broker"
		}
		switch r.Code {
		case packet.UnsupportedVersion:
			return "use a broker that speaks MQTT 5 or 3.1.1, and leave out version"
		case packet.NotAuthorized:
			return "allow this user to publish and subscribe there, in the broker's access list"
		case packet.TakenOver:
			return "give each hub, or bridge, a name of its own: another client has the same identifier"
		case packet.QuotaExceeded:
			return "make room at the broker, or raise its limits"
		}
		return "look into the broker's log"
	}
	var certificate *tls.CertificateVerificationError
	var host *net.DNSError
	switch {
	case errors.As(err, new(x509.HostnameError)):
		return "write the name into url that is in the broker's certificate"
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, &certificate):
		return "name the authority of the broker's certificate with ca"
	case errors.As(err, &host):
		return "correct the broker's address, or see whether names are resolved here"
	case errors.Is(err, homeassistant.ErrMemory):
		return "make room on the hub's disk, or let the hub write to its state folder: it goes on by itself"
	case errors.Is(err, client.ErrTooLarge):
		return "raise the broker's limit for the size of a packet"
	case errors.Is(err, client.ErrStuck):
		return "look into the broker's log: it may be overloaded, or its disk full"
	case errors.Is(err, client.ErrSilent):
		return "see whether the network between the hub and the broker is up"
	case errors.Is(err, client.ErrProtocol), errors.Is(err, client.ErrNoAnswer):
		return "see whether it is an MQTT broker, and whether the port is that for TLS or not"
	case errors.Is(err, client.ErrClosed):
		return "see whether the broker runs; if it ends each connection, its log says why, such as a message that is too large for it"
	default:
		return "see whether the broker runs, and listens at this address"
	}
}
