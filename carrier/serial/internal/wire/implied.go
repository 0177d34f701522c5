package wire

import "slices"

// crcInverse has, for each byte, the place in crcTable of the CRC whose low byte it is: no two have the same.
var crcInverse = func() (t [256]byte) {
	for i, c := range crcTable {
		t[byte(c)] = byte(i)
	}
	return t
}()

// ImpliedSession returns the session of which what stood between two zeros is a frame of this end. There is one for nearly all bytes, so
// one alone says nothing: that several frames imply the same one says that they are frames. It is false for what cannot be a frame, and
// for HELLO, which belongs to no session.
func ImpliedSession(chunk []byte, from End) (session uint16, ok bool) {
	raw, err := unstuff(make([]byte, 0, len(chunk)), chunk)
	if err != nil || len(raw) < 3 || FrameType(raw[0]>>5) == FrameHello {
		return 0, false
	}
	crc := crcResidue[from]
	for _, b := range slices.Backward(raw) { // what it was before each byte
		at := crcInverse[byte(crc)]
		crc = uint16(at^b)<<8 | (crc^crcTable[at])>>8
	}
	return crc, true
}
