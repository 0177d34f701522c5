package modbus

import (
	"errors"
	"io"
	"slices"
	"time"

	"sighub/carrier/serial/port"
	"sighub/internal/lockrank"
)

// An inbox has what has arrived on a line and was not dealt with.
type inbox struct {
	mu    lockrank.Mutex[lockrank.Leaf]
	bytes []byte
	first time.Time // when the first of them came
	last  time.Time // when the latest byte of all came
	lost  error     // why nothing more comes

	ready chan struct{} // has something when there is news
	ended chan struct{} // closed when nothing more comes
}

// maxInbox is more than any answer, with noise around it, has. Beyond it the oldest bytes are dropped.
const maxInbox = 4096

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1), ended: make(chan struct{})} }

// fill reads a port until it is lost.
func (i *inbox) fill(p port.Port) error {
	buffer := make([]byte, 1024)
	for {
		n, err := p.Read(buffer)
		if errors.Is(err, io.EOF) {
			err = errors.New("the line was hung up")
		}
		i.mu.Lock()
		if n > 0 {
			i.last = time.Now()
			if len(i.bytes) == 0 {
				i.first = i.last
			}
			if len(i.bytes)+n > maxInbox {
				i.bytes = append([]byte(nil), i.bytes[len(i.bytes)/2:]...)
			}
			i.bytes = append(i.bytes, buffer[:n]...)
		}
		i.lost = err
		i.mu.Unlock()
		select {
		case i.ready <- struct{}{}:
		default:
		}
		if err != nil {
			close(i.ended)
			return err
		}
	}
}

// look returns what has arrived. The bytes stay as they are.
func (i *inbox) look() (bytes []byte, first, last time.Time, lost error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clip(i.bytes), i.first, i.last, i.lost
}

// take returns what has arrived, and forgets it.
func (i *inbox) take() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.bytes
	i.bytes = nil
	return b
}

// drop forgets the first n bytes.
func (i *inbox) drop(n int) {
	i.mu.Lock()
	i.bytes = i.bytes[min(n, len(i.bytes)):] // fill may have dropped some
	i.mu.Unlock()
}

// wait waits for news until a time.
func (i *inbox) wait(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-i.ready:
	case <-i.ended:
	case <-timer.C:
	}
}
