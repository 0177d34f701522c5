package wire

// An End is one end of a line. The frames of each end have a CRC of their own, so that an end that hears itself knows it.
type End byte

// The ends of a line.
const (
	Hub End = iota
	Device
)

// crcXOR is what an end's CRC is combined with at last. Without it, zeros behind a frame could come and go unseen. The CRC
// of a whole frame, with its own CRC, then is [crcResidue]. The hub's is 1, which small devices compare with at least cost.
// Those of the two ends differ in their parity, so that no number of zeros more or less makes one of the other.
var crcXOR = [...]uint16{Hub: 0x9d71, Device: 0x00ff}

var crcResidue = [...]uint16{Hub: 0x0001, Device: 0x1ef0}

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
