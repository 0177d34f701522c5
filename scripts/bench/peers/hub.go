package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/listen/keys"
	"sighub/scripts/bench/message"
)

// A Sighub is the hub, the real binary. Its clients are hub.ClientRouter over carrier/tcp. Events are acknowledged end to end: the
// sender gets the answer once the event is in the outbox of each listener, and no outbox drops events.
type Sighub struct {
	Process
	JSON        bool          // its clients speak JSON, with hello
	TLS         bool          // its clients speak TLS
	Keeps       bool          // its listeners may keep the data of events
	Journal     bool          // it keeps a journal
	JournalSize string        // empty: 64 MiB
	Slower      time.Duration // each sync of its files takes so much longer
	Policy      hub.Policy    // of slow listeners
	Serial      []string      // ports
	Profiled    bool          // cmd/hub instead of the real binary: see profile.go
	state       string        // its folder
}

// Window is how many messages each end may have unanswered.
const Window = 1024

// hubConfig is its configuration; other keys have their defaults. An outbox has room for everything that all senders may have
// unanswered. With many senders that is more than the default, of which twice as much would be dropped.
const hubConfig = `listen: [%q]
state: %q
journal: %s
limits:
  clients: 20000
  outstanding: %d
  outbox: %d
%slog: {level: error}
`

// journalSize is so small that a journal's files are used again after the warm-up, as those of a larger one are later. A new file is
// zeroed first.
const journalSize = "64MiB"

// Additional limits. If nothing may be lost, the hub waits for listeners however late they are, because it may have to deliver each
// event of one sender a thousand times. Otherwise it treats slow listeners by a policy, after the default time.
const (
	hubLossless = "  block_deadline: 30s\n"
	hubPolicy   = "  slow_listener: %s\n"
)

// At implements Peer.
func (p *Sighub) At(addr, tmp string) {
	p.Process.At(addr, tmp)
	p.state = filepath.Join(tmp, "state")
}

// Acknowledged implements Peer.
func (*Sighub) Acknowledged() bool { return true }

// Ahead implements Peer.
func (*Sighub) Ahead() int { return 0 }

// Command implements Peer.
func (p *Sighub) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	limits := hubLossless
	if p.Policy != hub.DefaultPolicy {
		limits = fmt.Sprintf(hubPolicy, p.Policy)
	}
	journal := "off"
	if p.Journal {
		journal = fmt.Sprintf("{folder: %q, size: %s}", filepath.Join(place.Disk, "journal"), cmp.Or(p.JournalSize, journalSize))
	}
	config := fmt.Appendf(nil, hubConfig, "tcp://"+addr.String(), filepath.Join(place.Tmp, "state"), journal, Window, Window*max(1, place.Senders), limits)
	file := filepath.Join(place.Tmp, "sighub.yaml")
	command := []string{filepath.Join(place.Bin, "sighub"), "run", "--config", file}
	for _, path := range p.Serial {
		command = append(command, "--serial", path)
	}
	if p.Profiled {
		command = []string{filepath.Join(place.Bin, "hub"), file, place.Profile}
	}
	if p.Slower > 0 {
		command = append(slowDisk(p.Slower), command...)
	}
	return command, os.WriteFile(file, config, 0o644)
}

// slowDisk returns the command that starts another one and makes each sync of its files take longer by so much. The process stays
// the direct child of whoever starts it, and is stopped for nothing but these calls.
func slowDisk(by time.Duration) []string {
	return []string{
		"strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync,fsync",
		"-e", fmt.Sprintf("inject=fdatasync,fsync:delay_exit=%d", by.Microseconds()),
	}
}

// A Client is one connection.
type Client struct {
	*hub.ClientRouter
	codec   carrier.Codec
	head    string // of a payload: in CBOR it is a byte string, in JSON a text
	stop    context.CancelFunc
	serving sync.WaitGroup
}

// Connect returns a client that is connected and prepared.
func (p *Sighub) Connect(ctx context.Context, prepare func(*Client) error) (*Client, error) {
	c := &Client{ClientRouter: hub.NewClientRouter(hub.ClientOptions{RequestTimeout: Patience}), codec: carrier.CBOR, head: payloadHead()}
	if p.JSON {
		c.codec, c.head = carrier.JSON, quote
	}
	o := tcp.ClientOptions{Codec: c.codec, Limits: tcp.Limits{Window: Window}}
	if p.TLS {
		certificate, err := keys.ReadOwn(filepath.Join(p.state, "tls"))
		if err != nil {
			return nil, err
		}
		o.TLS = &tcp.TLS{Pin: keys.PinOf(keys.Hash(certificate))}
	}
	var serving context.Context
	serving, c.stop = context.WithCancel(context.Background())
	tc := tcp.NewClient("tcp://"+p.addr, o)
	c.serving.Go(func() { _ = c.Serve(serving, tc) }) // a client carrier never fails for good
	connecting, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	err := c.WaitConnected(connecting)
	if err == nil {
		err = prepare(c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close implements Closer.
func (c *Client) Close() {
	c.stop()
	c.serving.Wait()
}

// quote is around a payload that is a text in JSON.
const quote = `"`

// space returns a value for the library, and its bytes, which become those of a payload.
func (c *Client) space() (v carrier.Value, payload []byte) {
	end := ""
	if c.codec == carrier.JSON {
		end = quote
	}
	raw := slices.Concat([]byte(c.head), make([]byte, message.Size), []byte(end))
	return carrier.RawValue(c.codec, raw), raw[len(c.head):][:message.Size]
}

// decode returns the bytes of a value as space returns one. It may write to scratch.
func (c *Client) decode(v carrier.Value, scratch []byte) []byte {
	b, err := v.AppendTo(scratch[:0], c.codec)
	switch {
	case err != nil:
		return nil // a tally counts it as garbled
	case len(b) <= len(c.head):
		return nil
	case c.codec == carrier.JSON:
		return b[len(quote) : len(b)-len(quote)]
	default:
		return b[len(c.head):]
	}
}

// What senders offer.
const (
	Event        = "e"
	hubRequest   = "echo"
	hubResponder = "responder"
)

// SenderName returns the name of a sender.
func SenderName(sender int) string { return fmt.Sprintf("s%d", sender) }

// Publisher implements Peer.
func (p *Sighub) Publisher(ctx context.Context, sender int) (Publisher, error) {
	pub := new(hubPublisher)
	pub.done = func(err error) {
		if err != nil {
			failure := err // so that err itself is not on the heap
			pub.failure.CompareAndSwap(nil, &failure)
		}
		pub.inFlight.Done()
	}
	var err error
	pub.Client, err = p.Connect(ctx, func(c *Client) error {
		s, err := c.AddRemoteSender(ctx, SenderName(sender), hub.SenderOptions{Events: []string{Event}})
		if err == nil {
			pub.signal, err = s.Signal(Event)
		}
		pub.value, pub.payload = c.space()
		return err
	})
	return pub, err
}

type hubPublisher struct {
	*Client
	signal   *hub.Signal
	inFlight sync.WaitGroup
	failure  atomic.Pointer[error]
	done     func(error)
	value    carrier.Value // of every event: the library keeps nothing of it
	payload  []byte        // its bytes
}

func (p *hubPublisher) Publish(payload []byte) error {
	p.inFlight.Add(1)
	copy(p.payload, payload)
	err := p.signal.TriggerAsync(context.Background(), &p.value, p.done)
	if err != nil {
		p.inFlight.Done()
	}
	return err
}

func (p *hubPublisher) Flush() error { return nil } // the library does, at once

func (p *hubPublisher) Drain() error {
	p.inFlight.Wait()
	if err := p.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Subscribe implements Peer.
func (p *Sighub) Subscribe(ctx context.Context, sender int, fn func([]byte)) (Closer, error) {
	return p.Listen(ctx, sender, hub.ListenerOptions{}, fn)
}

// Listen is Subscribe with options.
func (p *Sighub) Listen(ctx context.Context, sender int, o hub.ListenerOptions, fn func([]byte)) (Closer, error) {
	name, event := "", ""
	if sender != Everyone {
		name, event = SenderName(sender), Event
	}
	scratch := make([]byte, 0, 2*message.Size)
	o.KeepsNothing = !p.Keeps // fn must not
	return p.Connect(ctx, func(c *Client) error {
		_, err := c.AddRemoteListenerWith(ctx, name, event, o, func(ev hub.Event) {
			switch ev.Name {
			case Event:
				fn(c.decode(ev.Data, scratch))
			case hub.Gap:
				fn(nil) // garbled: the case fails
			}
		})
		return err
	})
}

// Respond implements Peer.
func (p *Sighub) Respond(ctx context.Context) (Closer, error) {
	echo := func(_ context.Context, _ string, params carrier.Value) (any, error) { return params, nil }
	return p.Connect(ctx, func(c *Client) error {
		_, err := c.AddRemoteSender(ctx, hubResponder, hub.SenderOptions{Requests: map[string]hub.RequestHandler{hubRequest: echo}})
		return err
	})
}

// Requester implements Peer.
func (p *Sighub) Requester(ctx context.Context) (Requester, error) {
	c, err := p.Connect(ctx, func(*Client) error { return nil })
	if err != nil {
		return nil, err
	}
	return &hubRequester{Client: c, slots: make(map[int]*hubSlot)}, nil
}

type hubRequester struct {
	*Client
	mu    sync.Mutex
	slots map[int]*hubSlot
}

// A hubSlot has memory for a slot's request and its answer.
type hubSlot struct {
	value   carrier.Value // of the request
	payload []byte        // its bytes
	answer  []byte
}

func (r *hubRequester) slot(i int) *hubSlot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.slots[i]
	if s == nil {
		s = &hubSlot{answer: make([]byte, 0, 2*message.Size)}
		s.value, s.payload = r.space()
		r.slots[i] = s
	}
	return s
}

func (r *hubRequester) drop(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.slots, i)
}

// Request implements Requester.
func (r *hubRequester) Request(ctx context.Context, slot int, payload []byte) ([]byte, error) {
	s := r.slot(slot)
	copy(s.payload, payload)
	v, err := r.RemoteRequest(ctx, hubResponder, hubRequest, &s.value)
	if err != nil {
		r.drop(slot) // the request may still be read
		return nil, err
	}
	if b := r.decode(v, s.answer); b != nil {
		return b, nil
	}
	return nil, errors.New("cannot read the response")
}
