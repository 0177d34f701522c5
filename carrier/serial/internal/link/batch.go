package link

import "sighub/carrier/serial/internal/wire"

// A batchSize is how many bytes of readings a frame gets. On a clean line that is all that fits: large frames carry most. On a
// dirty one it is little: of frames of 254 bytes, a line that damages one byte in 300 damages more than every second. So it
// grows a little with each frame that is answered at once, and shrinks by a quarter with each that had to be sent again.
type batchSize struct{ less int } // bytes less than the largest payload

const batchStep = 2

// leastBatch is the size below which smaller frames would only add overhead.
var leastBatch = wire.PayloadLimit(wire.MinFrame)

func (b *batchSize) bytes(l *Link) int {
	return max(l.PayloadLimit()-b.less, min(leastBatch, l.PayloadLimit()))
}

func (b *batchSize) answered(l *Link, o *outgoing) {
	if o.sends > 1 {
		b.less = l.PayloadLimit() - b.bytes(l)*3/4
	} else {
		b.less = max(0, l.PayloadLimit()-b.bytes(l)-batchStep)
	}
}
