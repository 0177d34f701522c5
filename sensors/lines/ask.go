package lines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// An ask is a request to a sender whose line is to be written, and perhaps answered.
type ask struct {
	line    string
	timeout time.Duration // from its turn on
	// match says whether a line is the answer, and what the response is. A line that is also something else is not consumed. Nil: no
	// answer is expected.
	match func(line string) (response any, ok, consumed bool)

	turn chan struct{} // closed when its line is on its way
	done chan outcome  // has room for the one outcome
}

type outcome struct {
	response any
	err      error
}

// asks are the requests to one device, which are done one after another. They do not need the goroutine that tells listeners of events,
// for it may be a listener who asks.
type asks struct {
	mu      lockrank.Mutex[lockrank.Leaf]
	send    func(line string) error // has a line written, without waiting; nil: the port is not open
	waiting []*ask                  // the first one has its turn
}

// maxWaiting is how many requests may wait.
const maxWaiting = 16

// The reasons for which a request fails.
var (
	errGone = errors.New("the port has gone")
	errBusy = errors.New("too many requests wait for this device")
)

// open begins to take requests.
func (q *asks) open(send func(line string) error) {
	q.mu.Lock()
	q.send = send
	q.mu.Unlock()
}

// close ends all requests.
func (q *asks) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.waiting {
		a.done <- outcome{err: errGone}
	}
	q.send, q.waiting = nil, nil
}

// ask does a request.
func (q *asks) ask(ctx context.Context, a *ask) (any, error) {
	a.turn, a.done = make(chan struct{}), make(chan outcome, 1)
	if err := q.begin(a); err != nil {
		return nil, err
	}
	select {
	case <-a.turn:
	case o := <-a.done:
		return o.response, o.err
	case <-ctx.Done():
		q.end(a, outcome{err: context.Cause(ctx)})
	}
	timer := time.NewTimer(a.timeout)
	defer timer.Stop()
	select {
	case <-timer.C:
		q.end(a, outcome{err: fmt.Errorf("%w: the device has not answered within %v", carrier.ErrTimeout, a.timeout)})
	case <-ctx.Done():
		q.end(a, outcome{err: context.Cause(ctx)})
	case o := <-a.done:
		return o.response, o.err
	}
	o := <-a.done // there is one: that of end, or the answer that has come first
	return o.response, o.err
}

func (q *asks) begin(a *ask) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.send == nil:
		return errGone
	case len(q.waiting) >= maxWaiting:
		return errBusy
	}
	q.waiting = append(q.waiting, a)
	if len(q.waiting) == 1 {
		q.next()
	}
	return nil
}

// next gives the first request its turn. The lock is held.
func (q *asks) next() {
	for len(q.waiting) > 0 {
		a := q.waiting[0]
		err := q.send(a.line)
		if err == nil && a.match != nil {
			close(a.turn)
			return
		}
		a.done <- outcome{err: err}
		q.waiting = q.waiting[1:]
	}
}

// end ends a request, unless it has ended.
func (q *asks) end(a *ask, o outcome) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, a)
	if i < 0 {
		return
	}
	a.done <- o
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if i == 0 {
		q.next()
	}
}

// answers reports whether a line is nothing but the answer to the request that has its turn, which it ends.
func (q *asks) answers(line string) bool {
	q.mu.Lock()
	var a *ask
	if len(q.waiting) > 0 {
		a = q.waiting[0]
	}
	q.mu.Unlock()
	if a == nil {
		return false
	}
	response, ok, consumed := a.match(line)
	if ok {
		q.end(a, outcome{response: response})
	}
	return ok && consumed
}
