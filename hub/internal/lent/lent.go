//go:build !race && !lockrank

package lent

// Once says that no memory is lent twice, so that whoever uses it later always finds it spoilt.
const Once = false

// Spoil makes data that was lent to a callback no value any more, in any codec. One byte is enough, and quicker.
func Spoil(data []byte) {
	if len(data) > 0 {
		data[0] = 0xff
	}
}
