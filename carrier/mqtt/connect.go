package mqtt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
	"sighub/internal/safetext"
	"sighub/listen"
)

// tokenSign begins every token that a hub has given: a password that begins with it is one.
const tokenSign = "sgh_"

var errTakenOver = fmt.Errorf("%w: another connection has the same client identifier", carrier.ErrClosed)

// greet reads the CONNECT, finds out who the client is, and answers.
func (l *link) greet(ctx context.Context) error {
	body, err := l.readConnect()
	if err != nil {
		return err
	}
	p, err := packet.ParseConnect(body)
	l.problems = !p.Properties.Has(packet.PropRequestProblem) || p.Properties.RequestProblem == 1
	if err != nil {
		if l.version = packet.V311; p.Version >= packet.V5 {
			l.version = packet.V5
		}
		return err
	}
	l.version = p.Version
	if err := l.agree(p); err != nil {
		return err
	}
	key := sessionKey{client: string(p.ClientID)}
	assigned := key.client == ""
	switch {
	case assigned && l.version == packet.V311 && !p.CleanStart:
		return &packet.Error{Reason: packet.BadClientID, Text: "a session that is to be kept needs a client identifier"}
	case assigned:
		key.client = "sighub-" + strings.ToLower(rand.Text()[:16])
	default:
		if err := safetext.CheckName(key.client); err != nil {
			return &packet.Error{Reason: packet.BadClientID, Text: "the client identifier cannot be a name: " + err.Error()}
		}
	}
	if key.identity, err = l.login(ctx, p); err != nil {
		return err
	}
	if err := l.nc.Admit(); err != nil {
		return err
	}
	l.deadline = time.Now() // that of a stranger is to be replaced
	settled := make(chan struct{})
	present, err := l.enter(key, p.CleanStart, func() { close(settled) })
	if err == nil {
		err = l.await(settled)
	}
	if err != nil {
		return err
	}
	c := l.session
	c.mu.Lock()
	l.welcome = true
	c.reply(func(b []byte) []byte {
		return packet.AppendConnack(b, l.version, present, packet.Success, l.properties(p, key.client, assigned))
	})
	if present && c.queue != nil {
		c.resend()
	}
	c.mu.Unlock()
	c.flush()
	if present {
		c.resume()
	}
	return nil
}

// await waits until something is on disk, unless the connection is to end.
func (l *link) await(settled <-chan struct{}) error {
	look := time.NewTicker(lingerTime)
	defer look.Stop()
	for late := time.Now().Add(l.server.options.Limits.HelloTimeout); ; {
		select {
		case <-settled:
			return nil
		case now := <-look.C:
			switch {
			case l.closing.Load():
				return l.cause()
			case now.After(late):
				return &packet.Error{Reason: packet.Unavailable, Text: "the end of the session before this one is not on disk yet"}
			}
		}
	}
}

// readConnect reads the first packet, which must be a CONNECT, and leaves what follows it in the buffer.
func (l *link) readConnect() ([]byte, error) {
	for {
		if len(l.buf) == cap(l.buf) {
			l.buf = append(make([]byte, 0, 2*cap(l.buf)), l.buf...)
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
		p, rest, size, ok, err := packet.Next(l.buf, maxConnect)
		switch {
		case err != nil:
			return nil, err
		case p.Type != packet.Connect && len(l.buf) > 1:
			return nil, &packet.Error{Reason: packet.ProtocolError, Text: "the first packet must be a CONNECT"}
		case ok:
			body := p.Body
			l.buf = append(make([]byte, 0, max(smallRead, len(rest))), rest...)
			return body, nil
		case size > cap(l.buf):
			if err := l.account.Take(size); err != nil {
				return nil, err
			}
			l.charged += size
			l.buf = append(make([]byte, 0, size), l.buf...)
		}
	}
}

// agree takes what the client asks for.
func (l *link) agree(p *packet.ConnectPacket) error {
	limits := &l.server.options.Limits
	if p.Properties.Has(packet.PropAuthMethod) {
		return &packet.Error{Reason: packet.BadAuthMethod, Text: "only a user name and a password are taken"}
	}
	l.keepAlive = time.Duration(p.KeepAlive) * time.Second * 3 / 2 // MQTT 5, 3.1.2.10
	l.receiveMax, l.maxPacket = limits.Window, limits.MaxMessage
	if n := int(p.Properties.ReceiveMax); n > 0 {
		l.receiveMax = min(l.receiveMax, n)
	}
	if n := p.Properties.MaxPacket; n > 0 {
		l.maxPacket = int(min(uint64(l.maxPacket), uint64(n)))
	}
	switch {
	case l.version == packet.V5:
		l.expiry = l.server.expiry(p.Properties.SessionExpiry)
	case !p.CleanStart:
		l.expiry = limits.SessionTime
	}
	if !p.Will {
		return nil
	}
	if p.WillQoS > 1 && l.version == packet.V5 {
		return &packet.Error{Reason: packet.NoQoS, Text: "the Maximum QoS is 1"}
	}
	kept := l.server.options.Shelf != nil && topic.IsKept(string(p.WillTopic)) && string(p.WillTopic) != topic.Status
	name, err := topic.Parse(string(p.WillTopic))
	if kept {
		err = errors.New("an announcement cannot be a will")
	}
	if err == nil && name.Kind != topic.Event {
		err = errors.New("only an event can be a will")
	}
	if err == nil {
		err = checkNames(name.Sender, name.Name)
	}
	if err != nil {
		return &packet.Error{Reason: packet.BadTopic, Text: "the topic of the will: " + err.Error()}
	}
	if err := l.account.Take(len(p.WillTopic) + len(p.WillPayload)); err != nil { // until the account is closed
		return err
	}
	l.will = &will{
		topic: string(p.WillTopic), payload: append([]byte(nil), p.WillPayload...),
		delay: time.Duration(p.WillProperties.WillDelay) * time.Second,
	}
	return nil
}

// login asks who the client is. The goroutine is the connection's alone, so nobody else waits.
func (l *link) login(ctx context.Context, p *packet.ConnectPacket) (identity string, err error) {
	login := l.server.options.Login
	if login == nil {
		return "", nil
	}
	secret := listen.Secret{Name: string(p.User), Password: string(p.Password)}
	if strings.HasPrefix(secret.Password, tokenSign) {
		secret = listen.Secret{Token: secret.Password} // whatever the user name is: many programs want one
	}
	if !p.HasPassword {
		secret = listen.Secret{} // a name alone proves nothing
	}
	ctx, cancel := context.WithTimeout(ctx, l.server.options.Limits.HelloTimeout)
	defer cancel()
	asked := time.Now()
	identity, err = login(ctx, l.nc.Peer(), secret)
	if err == nil {
		l.proven, l.named = asked, secret.Session()
		return identity, nil
	}
	told, why := "the hub could not find out who this is: its owner finds the reason in its log", "other"
	if e, ok := errors.AsType[*listen.LoginError](err); ok {
		told, why, err = e.Public, e.Cause, e.Err
	}
	l.server.options.Logger.Warn("a login is refused", "client", l.addr, "cause", why, "told", told, "error", err)
	reason := packet.NotAuthorized
	if p.HasPassword {
		reason = packet.BadLogin
	}
	return "", &packet.Error{Reason: reason, Text: told}
}

// properties returns those of the CONNACK.
func (l *link) properties(p *packet.ConnectPacket, client string, assigned bool) (b []byte) {
	limits := &l.server.options.Limits
	b = append(b, packet.PropMaxQoS, 1, packet.PropSharedAvailable, 0)
	b = packet.AppendUint16(b, packet.PropReceiveMax, uint16(limits.Window))
	b = packet.AppendUint32(b, packet.PropMaxPacket, uint32(min(limits.MaxMessage, 1<<28)))
	if asked := p.Properties.SessionExpiry; time.Duration(asked)*time.Second != l.expiry {
		b = packet.AppendUint32(b, packet.PropSessionExpiry, uint32(l.expiry/time.Second))
	}
	if assigned {
		b = packet.AppendText(append(b, packet.PropAssignedID), client)
	}
	if p.Properties.RequestResponse == 1 {
		b = packet.AppendText(append(b, packet.PropResponseInfo), topic.OwnAnswers(client))
	}
	return b
}

// enter makes the client one of the hub's. It takes the place of a connection that has the same identifier. settled: see keptSessions.begin.
func (l *link) enter(key sessionKey, clean bool, settled func()) (present bool, err error) {
	s := l.server
	for {
		c := s.open(l, key)
		c.attach(l)
		s.mu.Lock()
		before := s.sessions[key]
		if before == nil {
			s.sessions[key], l.session = c, c
			s.mu.Unlock()
			if present = s.kept.begin(c, l, clean, settled); present {
				s.wills.taken(key)
			} else {
				s.wills.ended(key, time.Now())
			}
			c.connect(l)
			return present, nil
		}
		s.mu.Unlock()
		c.account.Close() // it was of no use
		if before.takeOver(l, clean) {
			l.session = before
			s.wills.taken(key)
			settled()
			return true, nil
		}
		if l.closing.Load() {
			return false, l.cause()
		}
	}
}

// takeOver ends the connection that a session has. It reports whether the session goes on with this one; else it has ended.
func (c *session) takeOver(l *link, clean bool) bool {
	c.mu.Lock()
	old := c.link
	c.mu.Unlock()
	if old != nil {
		if clean {
			old.discard.Store(true)
		}
		old.fail(errTakenOver)
		select {
		case <-old.gone:
		case <-c.left:
			return false
		}
	}
	if c.queue == nil || clean || c.over() {
		c.end(errTakenOver)
		return false
	}
	return c.reattach(l)
}
