package serial

import "bytes"

// stranger says what sends these bytes, if that is known and is not a device of the hub's. Most such devices say something when they are
// plugged in or reset, and nothing afterwards unless they are asked. Text that is not known here is looked at by [Options].Recognize.
func stranger(b []byte) string {
	for i := range b {
		rest := b[i:]
		switch {
		case isZNP(rest), isASH(rest):
			return "a radio for Zigbee or Thread"
		case isUBX(rest):
			return "a receiver of satellites"
		case isZWave(rest):
			return "a radio for Z-Wave"
		}
	}
	for line := range bytes.FieldsFuncSeq(b, func(r rune) bool { return r == '\r' || r == '\n' }) {
		for _, word := range modemWords {
			if bytes.HasPrefix(line, []byte(word)) {
				return "a modem"
			}
		}
	}
	if bytes.Contains(b, []byte("echo:Marlin")) || bytes.Contains(b, []byte("Grbl ")) {
		return "a machine tool or 3D printer"
	}
	return ""
}

// modemWords begin the lines that modems send unasked: results of 3GPP TS 27.007 and of ITU-T V.250, and those of Quectel, Huawei and
// SIMCom when they start.
var modemWords = []string{"RING", "NO CARRIER", "+CREG:", "+CGREG:", "+CEREG:", "+CPIN:", "+CFUN:", "+CMTI:", "+QIND:", "^BOOT:", "^RSSI:", "^MODE:",
	"^SIMST:", "Call Ready", "SMS Ready", "NORMAL POWER DOWN", "PB DONE"}

// isZNP reports whether a frame of TI's Z-Stack Monitor and Test API begins b: that says that the radio was reset (SYS_RESET_IND).
func isZNP(b []byte) bool {
	const head = 4 // start, length, command
	if len(b) < head || b[0] != 0xfe || b[2] != 0x41 || b[3] != 0x80 {
		return false
	}
	size := head + int(b[1])
	if len(b) <= size {
		return false
	}
	var fcs byte
	for _, c := range b[1:size] {
		fcs ^= c
	}
	return fcs == b[size]
}

// isASH reports whether b begins as a Silicon Labs radio speaks after a reset: RSTACK of the Asynchronous Serial Host protocol (UG101),
// version 2, with its CRC and its flag.
func isASH(b []byte) bool {
	if len(b) > 0 && b[0] == 0x1a { // what was before is cancelled
		b = b[1:]
	}
	if len(b) < 6 || b[0] != 0xc1 || b[1] != 2 || b[5] != 0x7e {
		return false
	}
	crc := uint16(0xffff)
	for _, c := range b[:3] {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return b[3] == byte(crc>>8) && b[4] == byte(crc)
}

// isUBX reports whether a packet of u-blox begins b, with its checksum (RFC 1145's, as the receivers' description has it).
func isUBX(b []byte) bool {
	const head = 6
	if len(b) < head || b[0] != 0xb5 || b[1] != 0x62 {
		return false
	}
	size := head + int(b[4]) + int(b[5])<<8
	if len(b) < size+2 {
		return false
	}
	var one, two byte
	for _, c := range b[2:size] {
		one += c
		two += one
	}
	return one == b[size] && two == b[size+1]
}

// isZWave reports whether b begins with the frame of a Z-Wave radio that has started (FUNC_ID_SERIAL_API_STARTED, 0x0a; INS12350), with its
// checksum.
func isZWave(b []byte) bool {
	if len(b) < 5 || b[0] != 1 || b[1] < 4 || b[2] != 0 || b[3] != 0x0a {
		return false
	}
	size := 1 + int(b[1])
	if len(b) <= size {
		return false
	}
	sum := byte(0xff)
	for _, c := range b[1:size] {
		sum ^= c
	}
	return sum == b[size]
}
