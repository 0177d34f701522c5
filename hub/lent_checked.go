//go:build race || lockrank

package hub

// lendsOnce has each memory with data that callbacks are lent used once, so that whoever uses it later always finds it spoilt.
const lendsOnce = true

// spoil makes data that was lent to a callback no value any more, in any codec.
func spoil(data []byte) {
	for i := range data {
		data[i] = 0xff
	}
}
