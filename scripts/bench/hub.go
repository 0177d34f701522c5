package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/listen/keys"
)

// hubPeer is sighub, the real binary. Its clients are hub.ClientRouter over carrier/tcp. Events are acknowledged end to end: the
// sender gets the answer once the event is in the outbox of each listener, and no outbox drops events.
type hubPeer struct {
	process
	json        bool          // its clients speak JSON, with hello
	tls         bool          // its clients speak TLS
	journal     bool          // it keeps a journal
	journalSize string        // empty: journalSize
	slower      time.Duration // each sync of its files takes so much longer
	policy      hub.Policy    // of slow listeners
	serial      []string      // ports
	profiled    bool          // cmd/hub instead of the real binary: see profile.go
	state       string        // its folder
}

// hubWindow is how many messages each end may have unanswered.
const hubWindow = 1024

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

func (p *hubPeer) at(addr, tmp string) {
	p.process.at(addr, tmp)
	p.state = filepath.Join(tmp, "state")
}

func (*hubPeer) acknowledged() bool { return true }
func (*hubPeer) ahead() int         { return 0 }

func (p *hubPeer) command(e *env, addr netip.AddrPort) ([]string, error) {
	limits := hubLossless
	if p.policy != hub.DefaultPolicy {
		limits = fmt.Sprintf(hubPolicy, p.policy)
	}
	journal := "off"
	if p.journal {
		journal = fmt.Sprintf("{folder: %q, size: %s}", filepath.Join(e.disk, "journal"), cmp.Or(p.journalSize, journalSize))
	}
	config := fmt.Appendf(nil, hubConfig, "tcp://"+addr.String(), filepath.Join(e.tmp, "state"), journal, hubWindow, hubWindow*max(1, e.senders), limits)
	file := filepath.Join(e.tmp, "sighub.yaml")
	command := []string{filepath.Join(e.bin, "sighub"), "run", "--config", file}
	for _, path := range p.serial {
		command = append(command, "--serial", path)
	}
	if p.profiled {
		command = []string{filepath.Join(e.bin, "hub"), file, e.profileSocket()}
	}
	if p.slower > 0 {
		command = append(slowDisk(p.slower), command...)
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

// A hubClient is one connection.
type hubClient struct {
	*hub.ClientRouter
	codec   carrier.Codec
	stop    context.CancelFunc
	serving sync.WaitGroup
}

// connect returns a client that is connected and prepared.
func (p *hubPeer) connect(ctx context.Context, prepare func(*hubClient) error) (*hubClient, error) {
	c := &hubClient{ClientRouter: hub.NewClientRouter(hub.ClientOptions{RequestTimeout: patience}), codec: carrier.CBOR}
	if p.json {
		c.codec = carrier.JSON
	}
	o := tcp.ClientOptions{Codec: c.codec, Limits: tcp.Limits{Window: hubWindow}}
	if p.tls {
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
	connecting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.WaitConnected(connecting)
	if err == nil {
		err = prepare(c)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *hubClient) close() {
	c.stop()
	c.serving.Wait()
}

// jsonHead is the head of a payload that is a text in JSON; in CBOR it is a byte string.
const jsonHead = `"`

// encode returns a payload as a value for the library. It may write to scratch.
func (c *hubClient) encode(payload, scratch []byte) carrier.Value {
	if c.codec == carrier.JSON {
		return carrier.RawValue(c.codec, append(append(append(scratch[:0], jsonHead...), payload...), '"'))
	}
	return carrier.RawValue(c.codec, append(append(scratch[:0], cborHeadOf64...), payload...))
}

// decode is the inverse of encode. It may write to scratch.
func (c *hubClient) decode(v carrier.Value, scratch []byte) []byte {
	b, err := v.AppendTo(scratch[:0], c.codec)
	switch {
	case err != nil:
		return nil // a tally counts it as garbled
	case len(b) < len(cborHeadOf64):
		return nil
	case c.codec == carrier.JSON:
		return b[len(jsonHead) : len(b)-len(jsonHead)]
	default:
		return b[len(cborHeadOf64):]
	}
}

const (
	hubEvent     = "e"
	hubRequest   = "echo"
	hubResponder = "responder"
)

func hubSender(sender int) string { return fmt.Sprintf("s%d", sender) }

func (p *hubPeer) publisher(ctx context.Context, sender int) (publisher, error) {
	pub := &hubPublisher{scratch: make([]byte, 0, 2*payloadSize)}
	pub.done = func(err error) {
		if err != nil {
			pub.failure.CompareAndSwap(nil, &err)
		}
		pub.inFlight.Done()
	}
	var err error
	pub.hubClient, err = p.connect(ctx, func(c *hubClient) error {
		s, err := c.AddRemoteSender(ctx, hubSender(sender), hub.SenderOptions{Events: []string{hubEvent}})
		if err == nil {
			pub.signal, err = s.Signal(hubEvent)
		}
		return err
	})
	return pub, err
}

type hubPublisher struct {
	*hubClient
	signal   *hub.Signal
	inFlight sync.WaitGroup
	failure  atomic.Pointer[error]
	done     func(error)
	scratch  []byte // for value: the library keeps neither
	value    carrier.Value
}

func (p *hubPublisher) publish(payload []byte) error {
	p.inFlight.Add(1)
	p.value = p.encode(payload, p.scratch)
	err := p.signal.TriggerAsync(context.Background(), &p.value, p.done)
	if err != nil {
		p.inFlight.Done()
	}
	return err
}

func (p *hubPublisher) flush() error { return nil } // the library does, at once

func (p *hubPublisher) drain() error {
	p.inFlight.Wait()
	if err := p.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *hubPeer) subscribe(ctx context.Context, sender int, fn func([]byte)) (closer, error) {
	return p.listen(ctx, sender, hub.ListenerOptions{}, fn)
}

func (p *hubPeer) listen(ctx context.Context, sender int, o hub.ListenerOptions, fn func([]byte)) (closer, error) {
	name, event := "", ""
	if sender != everyone {
		name, event = hubSender(sender), hubEvent
	}
	scratch := make([]byte, 0, 2*payloadSize)
	return p.connect(ctx, func(c *hubClient) error {
		_, err := c.AddRemoteListenerWith(ctx, name, event, o, func(ev hub.Event) {
			switch ev.Name {
			case hubEvent:
				fn(c.decode(ev.Data, scratch))
			case hub.Gap:
				fn(nil) // garbled: the case fails
			}
		})
		return err
	})
}

func (p *hubPeer) respond(ctx context.Context) (closer, error) {
	echo := func(_ context.Context, _ string, params carrier.Value) (any, error) { return params, nil }
	return p.connect(ctx, func(c *hubClient) error {
		_, err := c.AddRemoteSender(ctx, hubResponder, hub.SenderOptions{Requests: map[string]hub.RequestHandler{hubRequest: echo}})
		return err
	})
}

func (p *hubPeer) requester(ctx context.Context) (requester, error) {
	return p.connect(ctx, func(*hubClient) error { return nil })
}

func (c *hubClient) request(ctx context.Context, _ int, payload []byte) ([]byte, error) {
	v, err := c.RemoteRequest(ctx, hubResponder, hubRequest, c.encode(payload, nil))
	if err != nil {
		return nil, err
	}
	if b := c.decode(v, nil); b != nil {
		return b, nil
	}
	return nil, errors.New("cannot read the response")
}
