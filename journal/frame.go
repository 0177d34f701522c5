package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// A frame begins at a multiple of frameAlign, so that a later frame is found behind one that cannot be read, and no sector that
// is on disk is written again: 4,096 bytes are a page of the usual file systems and disks.
const frameAlign = 4096

// The header of a frame, in little endian. The checksum is CRC-32C over the segment's number and key, which are not written, the
// header behind the checksum, and the content. So a frame that is left from the file's former life as another segment is not
// taken, and neither is what a sender wrote to look like a frame: it does not know the key.
//
//	0   4  magic
//	4   4  checksum
//	8   4  length of the content in bytes
//	12  4  number of events
//	16  8  sequence of the first event; if there is none, of the next
//	24  4  epoch
//	28  4  kind
//	32  8  time of the earliest event, in nanoseconds since 1970
//	40  8  time of the latest event
const (
	frameMagic  = 0x6a686773 // "sghj"
	frameHeader = 48
)

// The kinds of frames.
const (
	kindData  = iota // a commit
	kindHead         // the first of a segment, twice
	kindState        // what is known of everything before the segment, behind the heads
	kindEnd          // the last before the journal was closed in order
)

// A frame is a commit as it is on disk.
type frame struct {
	kind    uint32
	epoch   uint32
	first   uint64 // sequence of the first event; if there is none, of the next
	count   uint32 // events
	times          // of the events
	content []byte
}

// times are those between which events lie.
type times struct{ min, max int64 }

var (
	never   = times{math.MaxInt64, math.MinInt64} // of no event
	unknown = times{math.MinInt64, math.MaxInt64}
)

func (t times) and(u times) times { return times{min(t.min, u.min), max(t.max, u.max)} }

// overlaps reports whether an event may lie at or after since, and before until.
func (t times) overlaps(since, until int64) bool { return t.max >= since && t.min < until }

// A seal is what the checksums of a segment's frames begin with.
type seal uint32

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newSeal returns the seal of a segment: of its number and its key, which is random; it is 0 for the head, which holds it. Bare is a
// planted fault: neither is in the seal.
func newSeal(number, key uint64, bare bool) seal {
	var start []byte
	if !bare {
		start = binary.LittleEndian.AppendUint64(start, number)
		start = binary.LittleEndian.AppendUint64(start, key)
	}
	return seal(crc32.Checksum(start, castagnoli))
}

func (s seal) checksum(header, content []byte) uint32 {
	return crc32.Update(crc32.Update(uint32(s), castagnoli, header), castagnoli, content)
}

// zeros are what a frame is filled up with.
var zeros [frameAlign]byte

// aligned returns the next multiple of frameAlign.
func aligned(n int64) int64 { return (n + frameAlign - 1) &^ (frameAlign - 1) }

// size returns how many bytes the frame takes in its segment.
func (f *frame) size() int64 { return aligned(frameHeader + int64(len(f.content))) }

// appendTo appends the frame and the zeros behind it.
func (f *frame) appendTo(dst []byte, s seal) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(f.content)))
	dst = binary.LittleEndian.AppendUint32(dst, f.count)
	dst = binary.LittleEndian.AppendUint64(dst, f.first)
	dst = binary.LittleEndian.AppendUint32(dst, f.epoch)
	dst = binary.LittleEndian.AppendUint32(dst, f.kind)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.min))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.max))
	binary.LittleEndian.PutUint32(dst[start+4:], s.checksum(dst[start+8:start+frameHeader], f.content))
	dst = append(dst, f.content...)
	return append(dst, zeros[:f.size()-int64(len(dst)-start)]...)
}

// Errors of parseFrame.
var (
	errZeros  = errors.New("zeros")
	errNoHead = errors.New("not a frame")
)

// parseFrame reads the frame at the beginning of data, whose content is a part of data. The error is errZeros where nothing was
// written since the segment was made.
func parseFrame(data []byte, s seal) (f frame, err error) {
	if len(data) < frameHeader {
		return f, fmt.Errorf("%w: only %d bytes are left", errNoHead, len(data))
	}
	if binary.LittleEndian.Uint32(data) != frameMagic {
		if bytes.Count(data[:frameHeader], []byte{0}) == frameHeader {
			return f, errZeros
		}
		return f, errNoHead
	}
	length := binary.LittleEndian.Uint32(data[8:])
	if int64(length) > int64(len(data)-frameHeader) {
		return f, fmt.Errorf("%w: its content of %d bytes does not end in the segment", errNoHead, length)
	}
	f = frame{
		count:   binary.LittleEndian.Uint32(data[12:]),
		first:   binary.LittleEndian.Uint64(data[16:]),
		epoch:   binary.LittleEndian.Uint32(data[24:]),
		kind:    binary.LittleEndian.Uint32(data[28:]),
		times:   times{int64(binary.LittleEndian.Uint64(data[32:])), int64(binary.LittleEndian.Uint64(data[40:]))},
		content: data[frameHeader : frameHeader+length],
	}
	if sum := s.checksum(data[8:frameHeader], f.content); sum != binary.LittleEndian.Uint32(data[4:]) {
		return frame{}, fmt.Errorf("%w: its checksum must be %08x", errNoHead, sum)
	}
	return f, nil
}
