package frame

import (
	"bytes"
	"encoding/binary"
)

// MaxRTU is the size of the longest frame on a serial line.
const MaxRTU = 256

// CRC returns the checksum of a frame on a serial line: CRC-16 with the polynomial 0x8005, reflected, from 0xffff. It follows the frame
// with its low byte first.
func CRC(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc = crc>>8 ^ table[byte(crc)^c]
	}
	return crc
}

var table = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i)
		for range 8 {
			carry := crc & 1
			crc = crc>>1 ^ carry*0xa001
		}
		t[i] = crc
	}
	return t
}()

// AppendRTU appends the frame of a message to or from a unit.
func AppendRTU(b []byte, unit byte, pdu []byte) []byte {
	start := len(b)
	b = append(b, unit)
	b = append(b, pdu...)
	return binary.LittleEndian.AppendUint16(b, CRC(b[start:]))
}

// holds reports whether the checksum at the end of a frame holds.
func holds(frame []byte) bool {
	n := len(frame) - 2
	return CRC(frame[:n]) == binary.LittleEndian.Uint16(frame[n:])
}

// A Found is an answer among bytes from a serial line.
type Found struct {
	Data   []byte // what was read
	Err    error  // an *ExceptionError
	Before int    // bytes that came before it
	After  int    // and after it
	Echo   bool   // the line has returned the request
}

// FindAnswer looks for the answer of a unit to a request among the bytes that came since it was sent. Noise may be around it. The line
// returns what is sent if echoes is true, or if that can be seen.
func FindAnswer(b []byte, unit byte, r *Request, echoes bool) (f Found, ok bool) {
	var request [MaxRTU]byte
	sent := AppendRTU(request[:0], unit, r.Append(make([]byte, 0, MaxPDU)))
	if echoes || r.Function.Reads() {
		if i := bytes.Index(b, sent); i >= 0 { // the answer to what reads is never the same
			f.Before, f.Echo = i, true
			b = b[i+len(sent):]
		}
	}
	for i := range b {
		if b[i] != unit {
			continue
		}
		for _, size := range [2]int{r.AnswerSize() + 3, 5} {
			if i+size > len(b) || !holds(b[i:i+size]) {
				continue
			}
			data, err := r.Answer(b[i+1 : i+size-2])
			if _, refused := err.(*ExceptionError); err != nil && !refused { //nolint:errorlint // Answer does not wrap it
				continue
			}
			f.Data, f.Err, f.After = data, err, len(b)-i-size
			f.Before += i
			return f, true
		}
	}
	return f, false
}

// A Stray is a frame that answers nothing that was asked.
type Stray struct {
	Unit byte
	PDU  []byte
}

// Strays returns the frames of answers that are among bytes from a serial line, and how many bytes are none.
func Strays(b []byte) (list []Stray, noise int) {
	for i := 0; i < len(b); {
		if size := strayAt(b[i:]); size > 0 {
			list = append(list, Stray{b[i], b[i+1 : i+size-2]})
			i += size
			continue
		}
		noise++
		i++
	}
	return list, noise
}

// strayAt returns the length of the frame that b begins with; 0: there is none.
func strayAt(b []byte) int {
	if len(b) < 5 || b[0] > MaxUnit {
		return 0
	}
	size := 0
	switch f := Function(b[1]); {
	case b[1]&failed != 0:
		size = 5
	case f.Reads():
		size = 5 + int(b[2])
		if (len(b) < size || !holds(b[:size])) && len(b) >= 8 && holds(b[:8]) {
			return 8 // the request of another master
		}
	case f.known():
		size = 8
	}
	if size == 0 || size > len(b) || size > MaxRTU || !holds(b[:size]) {
		return 0
	}
	return size
}

// RequestAt returns the frame of a request that b begins with, as a unit gets it: its length, 0 if it has not arrived whole. ok is false
// if b begins with none.
func RequestAt(b []byte) (size int, ok bool) {
	if len(b) < 2 {
		return 0, true
	}
	size, known := requestSize(b[1:])
	switch {
	case !known && !Function(b[1]).known():
		return 0, false
	case !known || len(b) < size+3:
		return 0, size+3 <= MaxRTU
	}
	return size + 3, holds(b[:size+3])
}
