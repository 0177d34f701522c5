package link

import (
	"bytes"

	"sighub/carrier/serial/internal/wire"
)

// A recognizer finds out, without a word, that a device is in a session with a hub that has gone: an end that is quiet may then ask for
// HELLO, and need not wait until the device misses its hub.
type recognizer struct {
	session uint16
	latest  []byte // frame
	alike   int    // different frames in a row that imply the session
	lengths bool   // they are not all of one length
	sure    bool
}

// enoughAlike frames that imply one session are no chance. Those of another protocol whose check is related to ours would imply different
// ones when their lengths differ.
const enoughAlike = 3

// note takes what stood between two zeros.
func (r *recognizer) note(chunk []byte) {
	session, ok := wire.ImpliedSession(chunk, wire.Device)
	switch {
	case r.sure, ok && bytes.Equal(chunk, r.latest): // it came again
		return
	case !ok || session != r.session:
		*r = recognizer{session: session}
	default:
		r.lengths = r.lengths || len(chunk) != len(r.latest)
	}
	if ok {
		r.alike++
	}
	r.latest = append(r.latest[:0], chunk...)
	r.sure = r.alike >= enoughAlike && r.lengths
}

// mayAsk reports whether the end may write what nobody has asked for.
func (l *HubEnd) mayAsk() bool { return !l.Quiet || l.Stats.Frames > 0 || l.known.sure }
