package tcp

import "sync/atomic"

// unwritten counts a connection's signals that were put, until they are written and answered. The writer's lock guards it.
type unwritten struct {
	queued  int // bytes that are pending
	writing int // bytes that are being written
	put     int // signals that are not answered
	taken   int // those of them that were taken to be written

	total   *atomic.Int64 // bytes that wait to be written on all connections, about; nil: nobody asks
	counted int           // those of this connection in it
}

// countStep is the step in which bytes are counted in the total, which all connections share.
const countStep = 16 << 10

func (a *unwritten) add(signals, size int) {
	a.put += signals
	a.queued += size
	a.count()
}

// take notes that all that is pending is about to be written.
func (a *unwritten) take() { a.queued, a.writing, a.taken = 0, a.queued, a.put }

func (a *unwritten) written() {
	a.writing = 0
	a.count()
}

// answered takes n signals out, unless the peer cannot have read so many.
func (a *unwritten) answered(n int) bool {
	if n > a.taken {
		return false
	}
	a.put -= n
	a.taken -= n
	return true
}

// end drops everything.
func (a *unwritten) end() {
	*a = unwritten{total: a.total, counted: a.counted}
	a.count()
}

func (a *unwritten) count() {
	waits := a.queued + a.writing
	if d := waits - a.counted; a.total != nil && (d >= countStep || d <= -countStep || waits == 0 && d != 0) {
		a.counted = waits
		a.total.Add(int64(d))
	}
}
