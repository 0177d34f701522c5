package modbus

import (
	"fmt"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/modbus/frame"
)

// A tcp is the link to a gateway, or to a device on the network.
type tcp struct {
	timing
	port  port.Port
	in    *inbox
	count func(kind error)

	number uint16 // of the latest request
	silent time.Time
	misses int
}

// A connection on which nothing was answered for deaf, and three times at least, is closed: the other end may be gone.
const (
	deaf      = 30 * time.Second
	deafTries = 3
)

// exchange implements [link].
func (l *tcp) exchange(unit byte, r *frame.Request) (answer, error) {
	if l.gap > 0 {
		select {
		case <-time.After(l.gap):
		case <-l.in.ended:
		}
	}
	l.number++
	guard := time.AfterFunc(stalled, func() { _ = l.port.Close() })
	_, err := l.port.Write(frame.AppendTCP(nil, l.number, unit, r.Append(nil)))
	guard.Stop()
	if err != nil {
		return answer{}, err
	}
	sent := time.Now()
	for deadline := sent.Add(l.timeout); ; l.in.wait(deadline) {
		b, first, _, lost := l.in.look()
		for {
			m, size, err := frame.NextTCP(b)
			if err != nil {
				_ = l.port.Close()
				return answer{}, err
			}
			if size == 0 {
				break
			}
			b = b[size:]
			l.in.drop(size)
			l.silent, l.misses = time.Time{}, 0
			if m.Number != l.number || m.Unit != unit {
				l.count(errLate)
				continue
			}
			data, err := r.Answer(m.PDU)
			return answer{data, sent, first}, damaged(err)
		}
		if lost != nil {
			return answer{}, lost
		}
		if now := time.Now(); !now.Before(deadline) {
			return answer{}, l.missed(now)
		}
	}
}

// damaged returns an error of an answer as [link] has it.
func damaged(err error) error {
	if _, refused := err.(*frame.ExceptionError); err == nil || refused { //nolint:errorlint // it is not wrapped
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// missed notes that an answer is missing, and closes a connection on which there is none at all.
func (l *tcp) missed(now time.Time) error {
	l.misses++
	if l.silent.IsZero() {
		l.silent = now
	}
	if l.misses >= deafTries && now.Sub(l.silent) >= deaf {
		_ = l.port.Close()
		return fmt.Errorf("the gateway has answered nothing for %v", deaf)
	}
	return errSilent
}
