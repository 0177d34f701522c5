package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"sighub/carrier/serial/port"
)

// A comPort is a port over RFC 2217. One goroutine reads the connection, and one writes what the server has to be told without being
// asked. All other writes are made by whoever has something to write.
type comPort struct {
	conn    net.Conn
	bits    int            // of a byte on the line
	running sync.WaitGroup // the two goroutines
	answers chan []byte    // to what the server has said
	asking  sync.Mutex     // one command at a time
	writing sync.Mutex     // one write to the connection at a time
	closed  chan struct{}

	mu      sync.Mutex
	changed *sync.Cond // of what follows
	decoder decoder    // only the reader uses it, and its functions have the lock
	options options
	decided bool   // the server has said what it thinks of the option
	data    []byte // that was read, and not taken yet
	err     error  // why nothing more is read
	shut    bool   // Close was called
	asked   int    // the command whose answer is waited for; -1: none
	answer  []byte // to it; before it has come, what it is about
	got     bool   // it has come
	held    bool   // the server wants nothing more to be written
	baud    int
	sentAt  time.Time // when all that was written will have left the server's port, if it has left at once
	info    Info
	modem   *byte
}

// Bounds.
const (
	maxData     = 64 << 10        // of data that was read, and not taken yet, in bytes
	maxDataWait = 4 * maxData     // while an answer is waited for, which comes behind the data
	maxAnswers  = 64              // that wait to be written
	chunk       = 4096            // bytes of data in one write
	waitMost    = 3 * time.Second // for what was written to leave the server's port
)

// errFlood says that a server asks for more than it reads the answers of.
var errFlood = &Error{"the server asks too much", "is this a server of serial ports?", port.ErrSettings}

func newCOM(conn net.Conn, bits int) *comPort {
	p := &comPort{conn: conn, bits: bits, answers: make(chan []byte, maxAnswers), closed: make(chan struct{}), asked: -1}
	p.changed = sync.NewCond(&p.mu)
	p.decoder = decoder{negotiated: p.negotiated, sub: p.told, text: true}
	return p
}

// openCOM agrees with the server on RFC 2217, and makes the settings.
func openCOM(conn net.Conn, address string, s port.Settings) (port.Port, error) {
	p := newCOM(conn, bitsPerByte(s))
	p.info = Info{Address: conn.RemoteAddr().String()}
	hello := p.options.start()
	p.running.Go(p.read)
	p.running.Go(p.reply)
	err := p.setUp(hello, address, s)
	if err == nil {
		return p, nil
	}
	p.mu.Lock()
	if isLost(err) { // then the reader notices, too, behind what the server has said
		p.await(answerTimeout, func() bool { return false })
	}
	said, lost := p.data, p.err
	p.mu.Unlock()
	_ = p.Close()
	if isLost(lost) {
		return nil, sentAway(said, lost)
	}
	return nil, err
}

func (p *comPort) setUp(hello []byte, address string, s port.Settings) error {
	_ = p.conn.SetWriteDeadline(time.Now().Add(openTimeout)) // a connection has deadlines
	if err := p.write(hello); err != nil {
		return err
	}
	if err := p.agree(address); err != nil {
		return err
	}
	first, last := commands(s)
	for _, c := range first {
		if err := p.set(c); err != nil {
			return err
		}
	}
	if s.Baud > 0 {
		if err := p.SetBaud(s.Baud); err != nil {
			return err
		}
	}
	var ask []byte
	for _, c := range last { // some ports have no such lines, and some servers then answer nothing
		ask = appendSub(ask, c.code, c.value)
	}
	ask = appendSub(ask, comLineMask, lineMask)
	ask = appendSub(ask, comModemMask, 0xff)
	ask = appendSub(ask, comSignature)
	if s.Fresh {
		ask = appendSub(ask, comPurge, purgeReceived)
	}
	if err := p.write(ask); err != nil {
		return err
	}
	if s.Fresh {
		p.drop()
	}
	if s.Break > 0 {
		if err := p.breakLine(s.Break); err != nil {
			return err
		}
	}
	return p.conn.SetWriteDeadline(time.Time{})
}

// breakLine holds the line in a break, or as much of one as the network leaves.
func (p *comPort) breakLine(d time.Duration) error {
	if err := p.set(command{comControl, controlBreakOn, "a break"}); err != nil {
		return err
	}
	p.mu.Lock()
	p.await(d, func() bool { return false })
	p.mu.Unlock()
	return p.set(command{comControl, controlBreakOff, "the end of a break"})
}

// agree waits until the server has said what it thinks of the option.
func (p *comPort) agree(address string) error {
	p.mu.Lock()
	p.await(optionTimeout, func() bool { return p.decided })
	on, decided, err := p.options.us[optCOM] == sideOn, p.decided, p.err
	p.mu.Unlock()
	switch {
	case on:
		return nil
	case err != nil:
		return err
	case decided:
		return notRFC2217("the server speaks Telnet and refuses the option for serial ports", address)
	}
	return notRFC2217("the server does not answer as such a server does", address)
}

// await waits until done returns true, the port is lost, or a time has passed. The lock is held, also while done is called.
func (p *comPort) await(within time.Duration, done func() bool) {
	late := false
	timer := time.AfterFunc(within, func() {
		p.mu.Lock()
		late = true
		p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer timer.Stop()
	for !done() && p.err == nil && !p.shut && !late {
		p.changed.Wait()
	}
}

// set makes one setting, and returns an error unless the server says that it has made it.
func (p *comPort) set(c command) error {
	got, err := p.ask(c.what, c.code, c.value)
	modem := c.code == comControl && c.value >= controlDTROn
	if modem && (errors.Is(err, os.ErrDeadlineExceeded) || err == nil && (len(got) != 1 || got[0] != c.value)) {
		return fmt.Errorf("%w: the server does not set %s", port.ErrNoModem, c.what)
	}
	if err != nil {
		return err
	}
	if len(got) != 1 || got[0] != c.value {
		return settingsError("the server does not take %s", c.what)
	}
	return nil
}

// ask says a command, and returns the server's answer.
func (p *comPort) ask(what string, code byte, value ...byte) ([]byte, error) {
	p.asking.Lock()
	defer p.asking.Unlock()
	p.mu.Lock()
	p.asked, p.got, p.answer = int(code), false, value[:1]
	p.mu.Unlock()
	p.changed.Broadcast() // the reader has more room now
	if err := p.write(appendSub(nil, append([]byte{code}, value...)...)); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.await(answerTimeout, func() bool { return p.got })
	p.asked = -1
	switch {
	case p.got:
		return p.answer, nil
	case p.shut:
		return nil, os.ErrClosed
	case p.err != nil:
		return nil, p.err
	}
	return nil, silent(what, answerTimeout)
}

// SetBaud implements [port.RateSetter]. Nothing says when all that was written has left the server's port, so it waits for as long as
// that takes at the present rate.
func (p *comPort) SetBaud(rate int) error {
	p.mu.Lock()
	wait := min(time.Until(p.sentAt), waitMost)
	p.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-p.closed:
		return os.ErrClosed
	}
	what := fmt.Sprintf("%d baud", rate)
	got, err := p.ask(what, comBaud, binary.BigEndian.AppendUint32(nil, uint32(rate))...)
	if err != nil {
		return err
	}
	if len(got) != 4 {
		return settingsError("the server does not take %s", what)
	}
	// Dividers of clocks do not give every rate exactly. A line works up to some 3 %.
	if set := int64(binary.BigEndian.Uint32(got)); set < int64(rate)*97/100 || set > int64(rate)*103/100 {
		return settingsError("the server does not take %s, and says that it has %d", what, set)
	}
	p.mu.Lock()
	p.baud = rate
	p.mu.Unlock()
	return nil
}

// SetModem implements [port.ModemSetter].
func (p *comPort) SetModem(dtr, rts bool) error {
	first, last := commands(port.Settings{DTROff: !dtr, RTSOff: !rts})
	for _, c := range append(first, last...) {
		if c.code != comControl || c.value < controlDTROn {
			continue
		}
		if err := p.set(c); err != nil {
			return err
		}
	}
	return nil
}

// Read implements [port.Port].
func (p *comPort) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.data) == 0 || p.shut {
		switch {
		case p.shut:
			return 0, os.ErrClosed
		case p.err != nil:
			return 0, p.err
		case len(b) == 0:
			return 0, nil
		}
		p.changed.Wait()
	}
	n := copy(b, p.data)
	p.data = append(p.data[:0], p.data[n:]...)
	p.changed.Broadcast()
	return n, nil
}

// drop drops all that was read.
func (p *comPort) drop() {
	p.mu.Lock()
	p.data = nil
	p.mu.Unlock()
	p.changed.Broadcast()
}

// Write implements [port.Port]. It waits while the server wants nothing more.
func (p *comPort) Write(b []byte) (n int, err error) {
	buf := make([]byte, 0, min(len(b)+len(b)/8+8, 2*chunk))
	for len(b) > 0 {
		part := b[:min(len(b), chunk)]
		p.mu.Lock()
		for p.held && p.err == nil && !p.shut {
			p.changed.Wait()
		}
		text, lost, shut := p.options.us[optBinary] != sideOn, p.err, p.shut
		if p.baud > 0 {
			if now := time.Now(); p.sentAt.Before(now) {
				p.sentAt = now
			}
			p.sentAt = p.sentAt.Add(time.Duration(len(part)*p.bits) * time.Second / time.Duration(p.baud))
		}
		p.mu.Unlock()
		switch {
		case shut:
			return n, os.ErrClosed
		case lost != nil:
			return n, lost
		}
		if err := p.write(appendData(buf[:0], part, text)); err != nil {
			return n, err
		}
		n += len(part)
		b = b[len(part):]
	}
	return n, nil
}

// write writes bytes to the connection as they are.
func (p *comPort) write(b []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	if _, err := p.conn.Write(b); err != nil {
		return lostError(err)
	}
	return nil
}

// Close implements [port.Port].
func (p *comPort) Close() error {
	p.mu.Lock()
	first := !p.shut
	p.shut = true
	p.mu.Unlock()
	if first {
		close(p.closed)
		_ = p.conn.Close() // nothing can be done about an error
		p.changed.Broadcast()
	}
	p.running.Wait()
	return nil
}

// Info implements [Describer].
func (p *comPort) Info() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.info
	if p.modem != nil {
		i.Modem = modemNames(*p.modem)
	}
	if len(p.info.Errors) > 0 {
		i.Errors = maps.Clone(p.info.Errors)
	}
	return i
}

// read reads the connection until it is lost.
func (p *comPort) read() {
	buf := make([]byte, chunk)
	for {
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		for len(p.data) >= p.room() && p.err == nil && !p.shut {
			p.changed.Wait()
		}
		p.data = p.decoder.feed(p.data, buf[:n])
		if err != nil && p.err == nil {
			p.err = lostError(err)
		}
		over := p.err != nil || p.shut
		p.mu.Unlock()
		p.changed.Broadcast()
		if over {
			return
		}
	}
}

// room returns how much data may wait to be taken. The lock is held.
func (p *comPort) room() int {
	if p.asked >= 0 {
		return maxDataWait
	}
	return maxData
}

// reply writes answers until the port is closed.
func (p *comPort) reply() {
	for {
		select {
		case <-p.closed:
			return
		case say := <-p.answers:
			if p.write(say) != nil {
				return // the reader notices, too
			}
		}
	}
}

// say has an answer written. The lock is held.
func (p *comPort) say(answer []byte) {
	if len(answer) == 0 {
		return
	}
	select {
	case p.answers <- answer:
	default:
		if p.err == nil {
			p.err = errFlood
		}
	}
}

// negotiated takes what the server says of an option. The lock is held.
func (p *comPort) negotiated(verb, option byte) {
	p.say(p.options.answer(verb, option))
	switch {
	case option == optCOM && (verb == do || verb == dont):
		p.decided = true
		if verb == dont && p.baud > 0 && p.err == nil {
			p.err = &Error{"the server takes RFC 2217 back", "it will be tried again", ErrNotRFC2217}
		}
	case option == optBinary && (verb == will || verb == wont):
		p.decoder.text = verb == wont
	}
}

// told takes a subnegotiation. The lock is held.
func (p *comPort) told(option byte, body []byte) {
	if option != optCOM || len(body) == 0 {
		return
	}
	code, value := int(body[0])-fromServer, body[1:]
	if code == p.asked && !p.got && (code != comControl || len(value) != 1 || answers(value[0], p.answer[0])) {
		p.answer, p.got = append([]byte(nil), value...), true
	}
	switch code {
	case comSignature:
		if len(value) == 0 { // it asks for ours
			p.say(appendSub(nil, append([]byte{comSignature}, "sighub"...)...))
			return
		}
		p.info.Server = printable(value)
	case comSuspend:
		p.held = true
	case comResume:
		p.held = false
	case comModem:
		if len(value) == 1 {
			p.modem = new(value[0])
		}
	case comLine:
		if len(value) == 1 {
			p.noteErrors(value[0])
		}
	}
}

func (p *comPort) noteErrors(state byte) {
	for _, e := range lineErrors {
		if state&e.bit == 0 {
			continue
		}
		if p.info.Errors == nil {
			p.info.Errors = make(map[string]uint64)
		}
		p.info.Errors[e.name]++
	}
}

// printable returns a stranger's text with nothing but printable ASCII, at most 64 bytes of it.
func printable(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b[:min(len(b), 64)])))
}
