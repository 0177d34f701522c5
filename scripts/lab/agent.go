package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"sighub/scripts/lab/wire"
)

// An agent is a connection to the program inside the machine. It keeps everything that the program sees, in order.
type agent struct {
	conn io.ReadWriteCloser
	out  sync.Mutex // held while a call is written
	done chan struct{}

	mu     sync.Mutex
	lastID uint64
	calls  map[uint64]chan wire.Answer // closed at the end of the connection
	sights []wire.Sight
	more   chan struct{} // closed when there are more sights
	err    error         // why no more will come
}

func newAgent(conn io.ReadWriteCloser) *agent {
	a := &agent{conn: conn, done: make(chan struct{}), calls: make(map[uint64]chan wire.Answer), more: make(chan struct{})}
	go a.read()
	return a
}

func (a *agent) close() {
	_ = a.conn.Close()
	<-a.done
}

func (a *agent) read() {
	defer close(a.done)
	lines := bufio.NewScanner(a.conn)
	lines.Buffer(nil, 4<<20)
	var err error
	for lines.Scan() {
		var l wire.Line
		if err = json.Unmarshal(lines.Bytes(), &l); err != nil {
			err = fmt.Errorf("%w in %q", err, lines.Text())
			break
		}
		a.take(l)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = errors.Join(errors.New("the agent has ended"), err, lines.Err())
	for _, c := range a.calls {
		close(c)
	}
	a.calls = nil
	close(a.more)
}

func (a *agent) take(l wire.Line) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.Answer != nil && a.calls[l.Answer.ID] != nil {
		a.calls[l.Answer.ID] <- *l.Answer // there is room for one
		delete(a.calls, l.Answer.ID)
	}
	if l.Sight != nil {
		a.sights = append(a.sights, *l.Sight)
		close(a.more)
		a.more = make(chan struct{})
	}
}

// do sends a call to the agent and decodes the answer into result, which may be nil.
func (a *agent) do(ctx context.Context, do string, with, result any) error {
	answer, err := a.begin(do, with)
	if err != nil {
		return err
	}
	select {
	case r, ok := <-answer:
		switch {
		case !ok:
			return fmt.Errorf("%s: %w", do, a.why())
		case r.Error != "":
			return errors.New(r.Error)
		case result != nil:
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: the agent does not answer: %w", do, context.Cause(ctx))
	}
}

// begin sends a call to the agent, and returns where its answer will come.
func (a *agent) begin(do string, with any) (<-chan wire.Answer, error) {
	parameter, err := json.Marshal(with)
	if err != nil {
		return nil, err
	}
	answer := make(chan wire.Answer, 1)
	a.mu.Lock()
	a.lastID++
	id, ended := a.lastID, a.err
	if ended == nil {
		a.calls[id] = answer
	}
	a.mu.Unlock()
	if ended != nil {
		return nil, ended
	}
	a.out.Lock()
	defer a.out.Unlock()
	return answer, json.NewEncoder(a.conn).Encode(wire.Call{ID: id, Do: do, With: parameter})
}

func (a *agent) why() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// A mark is a place among the sights: the number of sights before it.
type mark int

func (a *agent) mark() mark {
	a.mu.Lock()
	defer a.mu.Unlock()
	return mark(len(a.sights))
}

// since returns the present sights after a mark.
func (a *agent) since(from mark) []wire.Sight {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sights[from:len(a.sights):len(a.sights)]
}

// A match reports whether a sight is the one to wait for.
type match func(wire.Sight) bool

// await waits for the first sight after a mark that matches. limit is in the time of this machine, so it should be long; what
// matters is measured by the times of sights.
func (a *agent) await(ctx context.Context, from mark, limit time.Duration, what string, m match) (wire.Sight, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for next := int(from); ; {
		a.mu.Lock()
		sights, more, err := a.sights, a.more, a.err
		a.mu.Unlock()
		for ; next < len(sights); next++ {
			if m(sights[next]) {
				return sights[next], nil
			}
		}
		if err != nil {
			return wire.Sight{}, fmt.Errorf("waiting for %s: %w", what, err)
		}
		select {
		case <-more:
		case <-timeout.C:
			return wire.Sight{}, fmt.Errorf("no %[2]s within %[1]s", limit, what)
		case <-ctx.Done():
			return wire.Sight{}, fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}
