package tcp

import "sync/atomic"

// An account is what a connection's signals have come to: those that were put. All of it is under the writer's lock.
type account struct {
	queued  int // bytes that are pending
	writing int // bytes that are being written
	put     int // signals that are not answered
	taken   int // those of them that were taken to be written

	total   *atomic.Int64 // bytes that wait to be written on all connections, about; nil: nobody asks
	counted int           // those of this connection in it
}

// accountStep is the step in which bytes are counted in the total, which all connections share.
const accountStep = 16 << 10

func (a *account) add(size int) {
	a.put++
	a.queued += size
	a.count()
}

// take notes that all that is pending is about to be written.
func (a *account) take() { a.queued, a.writing, a.taken = 0, a.queued, a.put }

func (a *account) written() {
	a.writing = 0
	a.count()
}

// answered takes n signals out, unless the peer cannot have read so many.
func (a *account) answered(n int) bool {
	if n > a.taken {
		return false
	}
	a.put -= n
	a.taken -= n
	return true
}

// end drops everything.
func (a *account) end() {
	*a = account{total: a.total, counted: a.counted}
	a.count()
}

func (a *account) count() {
	waits := a.queued + a.writing
	if d := waits - a.counted; a.total != nil && (d >= accountStep || d <= -accountStep || waits == 0 && d != 0) {
		a.counted = waits
		a.total.Add(int64(d))
	}
}
