//go:build !race && !lockrank

package hub

// lendsOnce has each memory with data that callbacks are lent used once, so that whoever uses it later always finds it spoilt.
const lendsOnce = false

// spoil makes data that was lent to a callback no value any more, in any codec. One byte is enough, and quicker.
func spoil(data []byte) {
	if len(data) > 0 {
		data[0] = 0xff
	}
}
