package main

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// sideCommand is the argument, before the size of messages, with which this program becomes a side: a process that has the senders of a
// crowd, its listeners, or one end of requests. So a sender and its listener meet in the peer alone, and what each of them costs can be told
// apart.
const sideCommand = "side"

// A Job says which peer a side is for, and what it opens.
type Job struct {
	Peer, Addr, Tmp  string
	Senders, Listens int
	Ahead            int
}

// A Side answers the process that has started it. Calls come one at a time.
type Side struct {
	senders   *senders
	listeners *listeners
	responder peers.Closer
	requester peers.Requester
}

// serveSide is a side, with messages of this size, until the one who has started it closes our standard input.
func serveSide(size string) error {
	n, err := strconv.Atoi(size)
	if err == nil {
		err = message.SetSize(n)
	}
	if err != nil {
		return err
	}
	if err := allowFiles(); err != nil {
		return err
	}
	s := rpc.NewServer()
	if err := s.Register(new(Side)); err != nil {
		return err
	}
	s.ServeConn(struct {
		io.Reader
		io.WriteCloser
	}{os.Stdin, os.Stdout})
	return nil
}

// peer returns the peer of a Job, which runs already.
func (j *Job) peer() (peers.Peer, error) {
	p, err := peers.New(j.Peer)
	if err == nil {
		p.At(j.Addr, j.Tmp)
	}
	return p, err
}

// board opens the board that all processes of a crowd map.
func (j *Job) board() (*board, error) { return openBoard(j.boardFile(), j.Listens) }

func (j *Job) boardFile() string { return filepath.Join(j.Tmp, "board") }

// clearBoard removes the board of the crowd before this one.
func (j *Job) clearBoard() error {
	if err := os.Remove(j.boardFile()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// OpenSenders connects the senders.
func (s *Side) OpenSenders(j Job, _ *struct{}) error {
	p, err := j.peer()
	if err != nil {
		return err
	}
	b, err := j.board()
	if err == nil {
		s.senders, err = openSenders(context.Background(), p, message.NewClock(), b, j.Senders, j.Ahead)
	}
	return err
}

// OpenListeners connects the listeners.
func (s *Side) OpenListeners(j Job, _ *struct{}) error {
	p, err := j.peer()
	if err != nil {
		return err
	}
	b, err := j.board()
	if err == nil {
		s.listeners, err = openListeners(context.Background(), p, message.NewClock(), b, j.Senders)
	}
	return err
}

// Pour is sending.pour.
func (s *Side) Pour(until time.Duration, sent *uint64) (err error) {
	*sent, err = s.senders.pour(context.Background(), until)
	return err
}

// A Drip has the arguments of sending.drip.
type Drip struct {
	Start, Period time.Duration
	N             int
}

// Drip is sending.drip.
func (s *Side) Drip(d Drip, sent *uint64) (err error) {
	*sent, err = s.senders.drip(context.Background(), d.Start, d.N, d.Period)
	return err
}

// Record is listening.recordLatencies.
func (s *Side) Record(n int, _ *struct{}) error { return s.listeners.recordLatencies(n) }

// Latencies is listening.latencies.
func (s *Side) Latencies(_ struct{}, took *[]time.Duration) (err error) {
	*took, err = s.listeners.latencies()
	return err
}

// Respond answers requests from now on.
func (s *Side) Respond(j Job, _ *struct{}) error {
	p, err := j.peer()
	if err == nil {
		s.responder, err = p.Respond(context.Background())
	}
	return err
}

// Request connects to where requests are answered.
func (s *Side) Request(j Job, _ *struct{}) error {
	p, err := j.peer()
	if err == nil {
		s.requester, err = p.Requester(context.Background())
	}
	return err
}

// An Asking says how many requests are to be made at a time, and for how long.
type Asking struct {
	Slots int
	Span  time.Duration
}

// Ask makes requests.
func (s *Side) Ask(a Asking, asked *Asked) (err error) {
	*asked, err = ask(context.Background(), s.requester, a.Slots, a.Span)
	return err
}

// Acknowledge sends events one at a time: see ackOne.
func (s *Side) Acknowledge(a AckJob, times *AckTimes) (err error) {
	*times, err = s.senders.acknowledge(a)
	return err
}

// Close closes what was opened.
func (s *Side) Close(struct{}, *struct{}) error {
	switch {
	case s.senders != nil:
		s.senders.close()
	case s.listeners != nil:
		s.listeners.close()
	case s.requester != nil:
		s.requester.Close()
	case s.responder != nil:
		s.responder.Close()
	default:
		return errors.New("nothing is open")
	}
	return nil
}
