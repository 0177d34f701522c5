package journal

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const suffix = ".journal"

// segmentName returns the name of the file of a segment.
func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, suffix) }

// segmentNumber returns the number of the segment in a file of that name.
func segmentNumber(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil
}

// A segment is what is known of a file of the journal.
type segment struct {
	number uint64
	key    uint64
	epoch  uint32
	first  uint64 // sequence of its first event, and so the end of the segment before it
	began  int64  // by the hub's clock, in nanoseconds since 1970
	times         // of its events
	size   int64  // of the file
	seal   seal
	bare   bool // a planted fault
}

// newKey returns a key for a segment.
func newKey() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it does not fail
	return binary.LittleEndian.Uint64(b[:])
}

// A segment begins with its head. The content of a head is the segment's key, when it began, the number of the segment before it,
// and between which times the events of that one lie. It is there twice, because without the key nothing of the segment can be read.
const (
	headContent = 5 * 8
	headSize    = 2 * frameAlign
)

// A former is what a head says of the segment before.
type former struct {
	number uint64
	times
}

// head returns the first bytes of a segment.
func (s *segment) head(before former) []byte {
	var content []byte
	for _, n := range []uint64{s.key, uint64(s.began), before.number, uint64(before.min), uint64(before.max)} {
		content = binary.LittleEndian.AppendUint64(content, n)
	}
	f := frame{kind: kindHead, epoch: s.epoch, first: s.first, times: never, content: content}
	seal := newSeal(s.number, 0, s.bare)
	return f.appendTo(f.appendTo(nil, seal), seal)
}

// readHead reads the head of a segment.
func readHead(f io.ReaderAt, number uint64, bare bool) (s segment, before former, err error) {
	page := make([]byte, frameAlign)
	var head frame
	for at := int64(0); at < headSize; at += frameAlign {
		if _, err = f.ReadAt(page, at); err == nil {
			head, err = parseFrame(page, newSeal(number, 0, bare))
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		return s, before, err
	}
	if head.kind != kindHead || len(head.content) != headContent {
		return s, before, errors.New("the first frame is not a head")
	}
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(head.content[8*i:]) }
	s = segment{number: number, key: field(0), epoch: head.epoch, first: head.first, began: int64(field(1)), times: unknown, bare: bare}
	s.seal = newSeal(number, s.key, bare)
	return s, former{field(2), times{int64(field(3)), int64(field(4))}}, nil
}

// A hole is a part of a segment that cannot be read although something was written behind it.
type hole struct {
	from, to uint64 // sequences: from is lost, to is not
}

// scan calls visit for each sound frame of a segment, in order, and returns where the last one ends and the holes between them.
// next is the sequence that is expected first. It reads to the end of the segment, because a write that was cut may have left
// zeros in front of what was written behind.
func (s *segment) scan(f io.ReaderAt, visit func(at int64, f *frame) error) (end int64, next uint64, holes []hole, err error) {
	end, next = headSize, s.first
	w := window{f: f, size: s.size}
	for at := int64(headSize); at < s.size; {
		data, err := w.at(at)
		if err != nil { // a part of the disk cannot be read
			at += frameAlign
			continue
		}
		fr, err := parseFrame(data, s.seal)
		if err != nil || fr.first < next && !s.bare {
			at += frameAlign
			continue
		}
		if fr.first > next {
			holes = append(holes, hole{next, fr.first})
		}
		if err := visit(at, &fr); err != nil {
			return end, next, holes, err
		}
		at += fr.size()
		end, next = at, fr.first+uint64(fr.count)
	}
	return end, next, holes, nil
}

// A window is the part of a file that is in memory.
type window struct {
	f     io.ReaderAt
	size  int64
	start int64
	data  []byte
	ahead int64 // how much is read at a time, if that is not windowSize
	read  int64 // how much was read
	most  int64 // up to what read no more is read; 0: everything is
}

// errEnough: more would have to be read than is worth it.
var errEnough = errors.New("journal: too much is to be read")

// windowSize is how much is read at a time, in bytes.
const windowSize = 256 << 10

// at returns what lies at an offset, which is a whole frame wherever a frame begins and the file has all of it.
func (w *window) at(off int64) ([]byte, error) {
	if err := w.fill(off, frameAlign); err != nil {
		return nil, err
	}
	data := w.data[off-w.start:]
	if len(data) >= frameHeader && binary.LittleEndian.Uint32(data) == frameMagic {
		length := aligned(frameHeader + int64(binary.LittleEndian.Uint32(data[8:])))
		if length > int64(len(data)) && off+length <= w.size {
			if err := w.fill(off, length); err != nil {
				return nil, err
			}
		}
	}
	return w.data[off-w.start:], nil
}

// fill has at least length bytes at off in memory, as far as the file has them.
func (w *window) fill(off, length int64) error {
	length = min(length, w.size-off)
	if off >= w.start && off+length <= w.start+int64(len(w.data)) {
		return nil
	}
	want := min(max(length, cmp.Or(w.ahead, windowSize)), w.size-off)
	if w.read += want; w.most > 0 && w.read > w.most {
		return errEnough
	}
	if int64(cap(w.data)) < want {
		w.data = make([]byte, want)
	}
	w.start, w.data = off, w.data[:want]
	n, err := w.f.ReadAt(w.data, off)
	if int64(n) >= length {
		w.data = w.data[:n]
		return nil
	}
	w.data = w.data[:0]
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// seek returns where a frame begins that is not behind the one with a sequence, and near it; at is where an earlier frame begins. It
// looks at a few frames only: further and further away, and then between the last two places. Where too much would have to be read for that,
// the frame may be less near: what is in an event can look like the beginnings of many long frames.
func (w *window) seek(at int64, sequence uint64, s seal) int64 {
	defer func(ahead int64) { w.ahead, w.most = ahead, 0 }(w.ahead)
	w.ahead, w.most = seekStep, w.read+seekMost
	beyond := w.size // the frame begins before that
	for step := int64(seekStep); beyond-at > seekStep && w.read <= w.most; step *= 2 {
		probe := at + min(step, aligned((beyond-at)/2))
		if found, first := w.frameFrom(probe, beyond, s); found < beyond && first <= sequence {
			at = found
		} else {
			beyond = probe
		}
	}
	return at
}

// seekStep is a distance at which it is not worth looking further, in bytes.
const seekStep = 16 << 10

// seekMost is how much is read to find a place, in bytes.
const seekMost = 4 << 20

// frameFrom returns where the first frame begins in a part of the file, and its sequence. Where no frame is found there, it returns the end
// of the part.
func (w *window) frameFrom(at, end int64, s seal) (found int64, first uint64) {
	for ; at < end && w.read <= w.most; at += frameAlign {
		if data, err := w.at(at); err == nil {
			if f, err := parseFrame(data, s); err == nil {
				return at, f.first
			}
		}
	}
	return end, 0
}
