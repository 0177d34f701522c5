package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const suffix = ".journal"

// spare is the name of a file of zeros that becomes the next segment.
const spare = "spare"

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
	begin  int64  // where the frames begin, behind the head
}

func (s *segment) seal() seal { return seal{s.number, s.key} }

// newKey returns a key for a segment.
func newKey() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it does not fail
	return binary.LittleEndian.Uint64(b[:])
}

// head returns the first frame of the segment, with what whoever opens the journal needs to know of all segments before.
func (s *segment) head(snapshot []byte) frame {
	content := binary.LittleEndian.AppendUint64(nil, s.key)
	return frame{kind: kindHead, epoch: s.epoch, first: s.first, content: append(content, snapshot...)}
}

// readHead reads the head of a segment. size is that of the file.
func readHead(f io.ReaderAt, size int64, number uint64) (s segment, snapshot []byte, err error) {
	page := make([]byte, min(frameAlign, size))
	if _, err := f.ReadAt(page, 0); err != nil {
		return s, nil, err
	}
	if len(page) >= frameHeader {
		length := frameHeader + int64(binary.LittleEndian.Uint32(page[8:]))
		if length > int64(len(page)) && length <= size {
			page = make([]byte, length)
			if _, err := f.ReadAt(page, 0); err != nil {
				return s, nil, err
			}
		}
	}
	head, err := parseFrame(page, seal{number: number})
	if err != nil {
		return s, nil, err
	}
	if head.kind != kindHead || len(head.content) < 8 {
		return s, nil, errors.New("the first frame is not a head")
	}
	s = segment{number: number, key: binary.LittleEndian.Uint64(head.content), epoch: head.epoch, first: head.first, begin: head.size()}
	return s, head.content[8:], nil
}

// A hole is a part of a segment that cannot be read although something was written behind it.
type hole struct {
	from, to uint64 // sequences: from is lost, to is not
}

// scan calls visit for each sound frame of a segment, in order, and returns where the last one ends and the holes between them.
// next is the sequence that is expected first. It reads to the end of the segment, because a write that was cut may have left
// zeros in front of what was written behind.
func (s *segment) scan(f io.ReaderAt, size int64, visit func(at int64, f *frame) error) (end int64, next uint64, holes []hole, err error) {
	end, next = s.begin, s.first
	w := window{f: f, size: size}
	lost := false
	for at := s.begin; at < size; {
		data, err := w.at(at)
		if err != nil { // a part of the disk cannot be read
			lost, at = true, at+frameAlign
			continue
		}
		fr, err := parseFrame(data, s.seal())
		if err != nil || fr.first < next {
			lost = lost || err != errZeros //nolint:errorlint // it is not wrapped
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
}

// windowSize is how much is read at a time.
const windowSize = 256 << 10

// at returns what lies at an offset: a whole frame, if there is one.
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
	want := min(max(length, windowSize), w.size-off)
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
