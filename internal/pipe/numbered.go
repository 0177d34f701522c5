package pipe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// ErrOtherInput is the error of an input that is not the one whose lines the hub has on record.
var ErrOtherInput = errors.New("this is another input")

// SendNumbered sends one event for each line of an input that is given again from its beginning, each exactly once. The hub has on
// record how far it came. Lines up to there are skipped. When the connection is lost, what was not acknowledged is sent again, for
// as long as ctx is not done. The sender of the signal has a producer, whose name stands for the input.
func SendNumbered(ctx context.Context, o Options, s *hub.Sender, name string) error {
	n := &numbered{lines: lines{o: o}, sender: s, name: name}
	return n.send(ctx)
}

// numbered sends the lines of one input.
type numbered struct {
	lines
	sender *hub.Sender
	name   string

	place  place // of the last line that was read
	record place // of the last line that was on record at first
	at     *hub.Production
	flight *flight
	again  []*line // that were not acknowledged, oldest first
}

// A line is one that was read and is not known to be on record.
type line struct {
	place
	data carrier.Value
}

// A place is that of a line in an input: its number from 1, a digest of the first line, and one of all lines up to this one. As
// a producer's number, it tells whether an input that is given again is the same.
type place struct {
	number int64
	first  uint32
	all    uint32
}

// The digests have so many bits each, which leaves 40 for the number.
const digestBits = 12

func (p place) pack() uint64 {
	const mask = 1<<digestBits - 1
	return uint64(p.number)<<(2*digestBits) | uint64(p.first&mask)<<digestBits | uint64(p.all&mask)
}

// placeOf returns the number of the line that packed stands for; 0: none.
func placeOf(packed uint64) int64 { return int64(packed >> (2 * digestBits)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// next returns the place of the line that follows.
func (p place) next(text string) place {
	p.number++
	p.all = crc32.Update(p.all, castagnoli, []byte(text+"\n"))
	if p.number == 1 {
		p.first = p.all
	}
	return p
}

func (n *numbered) send(ctx context.Context) error {
	if err := n.begin(ctx); err != nil {
		return err
	}
	in := readLines(ctx, n.o.In)
	for {
		ended, err := n.stream(ctx, in)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		n.again = n.flight.land(n.again)
		for _, r := range n.flight.refused {
			n.refuse(r.number, r.err)
		}
		if ended && len(n.again) == 0 {
			return n.finish(in.err)
		}
		if n.at, err = n.sender.Produce(ctx); err != nil {
			return err
		}
	}
}

// begin asks the hub how far the input is on record.
func (n *numbered) begin(ctx context.Context) (err error) {
	if n.at, err = n.sender.Produce(ctx); err != nil {
		return err
	}
	last := n.at.Next() - 1
	if last == 0 {
		return nil
	}
	n.record.number = placeOf(last)
	n.record.first, n.record.all = uint32(last>>digestBits), uint32(last)
	if n.record.number == 0 {
		return fmt.Errorf("%w: %s is the name of a program that does not number lines: choose another --id", ErrOtherInput, n.name)
	}
	return nil
}

// stream sends what has to be sent again, and then what is read, until the input has ended or the connection is lost.
func (n *numbered) stream(ctx context.Context, in *reader) (ended bool, err error) {
	n.flight = newFlight()
	todo := n.again
	n.again = nil
	for i, l := range todo {
		if !n.flight.start(ctx, n, l) {
			n.again = append(n.again, todo[i:]...)
			return false, nil
		}
	}
	for {
		select {
		case text := <-in.in:
			l, err := n.line(text)
			if err != nil {
				return false, err
			}
			if l != nil && !n.flight.start(ctx, n, l) {
				n.again = append(n.again, l)
				return false, nil
			}
		case in.err = <-in.end:
			in.end <- in.err // for the next stream
			return true, nil
		case <-n.flight.lost:
			return false, nil
		case <-ctx.Done():
			return false, nil
		}
	}
}

// line returns a line that was read, or nil if it is on record.
func (n *numbered) line(text string) (*line, error) {
	if n.place.number == 0 {
		text = strings.TrimPrefix(text, "\ufeff")
	}
	n.place = n.place.next(text)
	if n.place.number > n.record.number {
		data := n.parse(text)
		return &line{n.place, data}, nil
	}
	n.read++
	const mask = 1<<digestBits - 1
	if n.place.number == 1 && (n.place.first^n.record.first)&mask != 0 ||
		n.place.number == n.record.number && (n.place.all^n.record.all)&mask != 0 {
		return nil, n.other(fmt.Sprintf("line %d is not what it was", n.place.number))
	}
	if n.place.number == n.record.number {
		n.o.Note("the hub has the first %d lines of %s on record: they are not sent again", n.record.number, n.name)
	}
	return nil, nil
}

// other is the error of an input that is not the one whose lines are on record.
func (n *numbered) other(why string) error {
	return fmt.Errorf("%w: the hub has %d lines of %s on record, and %s: give that input from its beginning (for a file that grows, "+
		"tail -n +1 -F), or choose another --id", ErrOtherInput, n.record.number, n.name, why)
}

// finish returns what went wrong.
func (n *numbered) finish(reading error) error {
	if reading == nil && n.place.number < n.record.number {
		return n.other(fmt.Sprintf("this one ends with line %d", n.place.number))
	}
	return n.end(reading)
}

// A flight is what was sent on one connection.
type flight struct {
	lost chan struct{} // closed when something of it is

	mu      sync.Mutex
	gone    bool // lost is closed
	air     sync.WaitGroup
	refused []refusedLine
	failed  []*line
}

type refusedLine struct {
	number int64
	err    error
}

func newFlight() *flight { return &flight{lost: make(chan struct{})} }

// start sends a line. It returns false if that cannot be done on this connection any more.
func (f *flight) start(ctx context.Context, n *numbered, l *line) bool {
	f.air.Add(1)
	err := n.at.Trigger(ctx, n.o.Signal, l.pack(), l.data, n.o.Time, 0, func(err error) {
		if err != nil {
			f.note(l, err)
		}
		f.air.Done()
	})
	if err == nil {
		return true
	}
	f.air.Done()
	if isLost(err) || ctx.Err() != nil {
		return false
	}
	f.note(l, err)
	return true
}

// isLost reports whether an event was not answered, as opposed to refused.
func isLost(err error) bool {
	var answered *carrier.StatusError
	return !errors.As(err, &answered) && (errors.Is(err, carrier.ErrGone) || errors.Is(err, hub.ErrNotConnected))
}

// note notes that a line is not on record.
func (f *flight) note(l *line, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !isLost(err) {
		f.refused = append(f.refused, refusedLine{l.number, err})
		return
	}
	f.failed = append(f.failed, l)
	if !f.gone {
		f.gone = true
		close(f.lost)
	}
}

// land waits until everything is answered or lost, and returns what is to be sent again, in front of what was not sent.
func (f *flight) land(unsent []*line) []*line {
	f.air.Wait()
	slices.SortFunc(f.failed, func(a, b *line) int { return cmp.Compare(a.number, b.number) }) // messages may be lost in any order
	return append(f.failed, unsent...)
}

// leaving is how long the hub may take to notice that the former run of a pipe has ended.
const leaving = 10 * time.Second

// Register adds the sender of an input. While the hub has not noticed yet that a former run has ended, it is asked again.
func Register(ctx context.Context, r *hub.ClientRouter, name string, o hub.SenderOptions) (*hub.Sender, error) {
	patience, cancel := context.WithTimeout(ctx, leaving)
	defer cancel()
	pause := carrier.Backoff{Max: time.Second / 4}
	for {
		s, err := r.AddRemoteSender(ctx, name, o)
		if !errors.Is(err, hub.ErrExists) || pause.Wait(patience) != nil {
			return s, err
		}
	}
}
