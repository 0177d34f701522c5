package wire

// CRCStart is where the CRC of a HELLO frame starts. That of every other frame starts from the session's number, so that a
// frame of an earlier session fails the check.
const CRCStart = 0xffff

// crcTable holds the CRC-16 of each byte, with polynomial 0x1021: CRC-16/CCITT-FALSE when it starts from 0xFFFF.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i) << 8
		for range 8 {
			if c&0x8000 != 0 {
				c = c<<1 ^ 0x1021
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}()

func crc16(start uint16, data []byte) uint16 {
	for _, b := range data {
		start = start<<8 ^ crcTable[byte(start>>8)^b]
	}
	return start
}
