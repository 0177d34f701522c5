//go:build race || lockrank

package lent

// Once says that no memory is lent twice, so that whoever uses it later always finds it spoilt.
const Once = true

// Spoil makes data that was lent to a callback no value any more, in any codec.
func Spoil(data []byte) {
	for i := range data {
		data[i] = 0xff
	}
}
