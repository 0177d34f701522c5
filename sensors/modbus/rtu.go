package modbus

import (
	"bytes"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port"
	"sighub/sensors/modbus/frame"
)

// The reasons for which a request has no answer.
var (
	errSilent  = fmt.Errorf("%w: the unit does not answer", carrier.ErrTimeout)
	errDamaged = carrier.NewRefusal("what arrived is not a whole answer, or its checksum is wrong", "damaged")
	errNoise   = carrier.NewRefusal("the line is never quiet", "noise")
)

// What is counted that is no answer.
var (
	errStray   = carrier.NewRefusal("an answer that nobody has asked for", "stray")
	errLate    = carrier.NewRefusal("an answer came too late", "late")
	errGarbage = carrier.NewRefusal("bytes that are no frame", "noise")
)

// An answer is what a unit has said.
type answer struct {
	data  []byte
	asked time.Time // when the request was on the line
	at    time.Time // when the answer began
}

// A link moves one request and its answer at a time.
type link interface {
	// exchange sends a request and waits for its answer. The error is an [*frame.ExceptionError], wraps errSilent, errDamaged or errNoise, or
	// says that the port is lost. asked is valid beside each error but the last.
	exchange(unit byte, r *frame.Request) (answer, error)
}

// An rtu is the link to a serial line.
type rtu struct {
	timing
	port   port.Port
	in     *inbox
	count  func(kind error)          // counts what is no answer
	doubts func(unit byte) time.Time // until when a late answer of a unit may come; zero: none does

	free   time.Time // when the line was free after the latest frame
	echoes bool      // the port hears what it sends
}

const (
	// stalled is how long a port may take a frame.
	stalled = 5 * time.Second
	// settled is the silence after which nothing more of an answer comes: adapters on USB hold bytes back for up to 16 ms, some bridges
	// for longer.
	settled = 60 * time.Millisecond
	// restless is how long a line may go on and on until nobody waits any more.
	restless = time.Second
)

// exchange implements [link].
func (l *rtu) exchange(unit byte, r *frame.Request) (answer, error) {
	if err := l.quiet(); err != nil {
		return answer{}, err
	}
	l.unasked(l.in.take())
	request := frame.AppendRTU(nil, unit, r.Append(nil))
	sent, err := l.send(request)
	if err != nil {
		return answer{}, err
	}
	whole := r.AnswerSize() + 3
	deadline := sent.Add(l.timeout + time.Duration(whole)*l.character)
	for {
		b, first, last, lost := l.in.look()
		f, ok := frame.FindAnswer(b, unit, r, l.echoes)
		if f.Echo {
			l.echoes, whole = true, whole+len(request)
		}
		if ok {
			l.in.drop(len(b) - f.After)
			if f.Before > 0 {
				l.unasked(b[:f.Before])
			}
			return answer{f.Data, sent, first}, f.Err
		}
		if lost != nil {
			return answer{}, lost
		}
		next := deadline
		if quiet := last.Add(settled + l.gap); len(b) >= whole && quiet.Before(next) && garbage(b, request) {
			next = quiet // an answer has come, and it is damaged
		}
		if !time.Now().Before(next) {
			return answer{asked: sent}, l.missing(bytes.Replace(l.in.take(), request, nil, 1))
		}
		l.in.wait(next)
	}
}

// garbage reports whether there is anything among what has arrived that is neither the request nor somebody else's answer.
func garbage(b, request []byte) bool {
	_, noise := frame.Strays(bytes.Replace(b, request, nil, 1))
	return noise > 0
}

// quiet waits until the line was silent for as long as it must be before a frame.
func (l *rtu) quiet() error {
	begun := time.Now()
	for {
		_, _, last, lost := l.in.look()
		if lost != nil {
			return lost
		}
		if last.Before(l.free) {
			last = l.free
		}
		now := time.Now()
		switch silent := last.Add(l.gap); {
		case !now.Before(silent):
			return nil
		case now.Sub(begun) > restless:
			l.in.take()
			return errNoise
		default:
			l.in.wait(silent)
		}
	}
}

// send writes a frame and returns when it was on the line.
func (l *rtu) send(b []byte) (time.Time, error) {
	guard := time.AfterFunc(stalled, func() { _ = l.port.Close() })
	defer guard.Stop()
	begun := time.Now()
	_, err := l.port.Write(b)
	if d, ok := l.port.(port.Drainer); ok && err == nil {
		err = d.Drain()
	}
	if err != nil {
		return begun, err
	}
	l.free = time.Now()
	if sent := begun.Add(time.Duration(len(b)) * l.character); sent.After(l.free) {
		l.free = sent // a driver may say too early that all is sent
	}
	return l.free, nil
}

// unasked counts what came that is no answer.
func (l *rtu) unasked(b []byte) {
	list, noise := frame.Strays(b)
	for _, s := range list {
		if !l.doubts(s.Unit).IsZero() {
			l.count(errLate)
		} else {
			l.count(errStray)
		}
	}
	if noise > 0 {
		l.count(errGarbage)
	}
}

// missing returns why there is no answer, given all that came instead.
func (l *rtu) missing(b []byte) error {
	l.unasked(b)
	if _, noise := frame.Strays(b); noise > 0 {
		return fmt.Errorf("%w: % x", errDamaged, b[:min(len(b), 32)])
	}
	return errSilent
}
