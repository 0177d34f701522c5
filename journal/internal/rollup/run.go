package rollup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"math"
	"strconv"
	"strings"

	"sighub/journal/folder"
)

// A Run is a file with the sums of the events of a range of sequences. It is written once.
//
//	header  64 bytes, see below
//	blocks  checksum, sender, event, sums; each topic has one with minutes, or with hours, or with both
//	index   pages of 4,096 bytes, each with its checksum and entries, in the order of the hashes of topics
//
// Checksums are CRC-32C.
type Run struct {
	From, To uint64 // sequences: of the first event, and behind the last one
	Epoch    uint32 // in which it was written
	Minutes  bool   // there are sums of minutes
	Size     int64
	min, max int64 // times between which the sums start, in minutes since 1970

	index   int64 // where it begins
	entries int
}

const (
	suffix     = ".rollup"
	unfinished = "unfinished" + suffix

	runMagic   = 0x72686773 // "sghr"
	headerSize = 64
	pageSize   = 4096
	entrySize  = 32
	pageLength = (pageSize - 4) / entrySize // entries
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Name returns that of the file.
func (r *Run) Name() string { return fmt.Sprintf("%016x-%016x%s", r.From, r.To, suffix) }

// isName reports whether a file of that name is a run.
func isName(name string) bool {
	name, ok := strings.CutSuffix(name, suffix)
	first, second, both := strings.Cut(name, "-")
	if !ok || !both || len(first) != 16 || len(second) != 16 {
		return false
	}
	from, err := strconv.ParseUint(first, 16, 64)
	to, err2 := strconv.ParseUint(second, 16, 64)
	return err == nil && err2 == nil && from < to
}

// header returns the first bytes of the file.
func (r *Run) header() []byte {
	h := binary.LittleEndian.AppendUint32(nil, runMagic)
	h = append(h, 0, 0, 0, 0)
	kind := uint64(r.Epoch) << 1
	if r.Minutes {
		kind |= 1
	}
	for _, n := range []uint64{r.From, r.To, uint64(r.min), uint64(r.max), uint64(r.index), uint64(r.entries), kind} {
		h = binary.LittleEndian.AppendUint64(h, n)
	}
	binary.LittleEndian.PutUint32(h[4:], crc32.Checksum(h[8:], castagnoli))
	return h
}

var errRun = errors.New("rollup: sums cannot be read")

// readRun reads the header of a file.
func readRun(dir folder.Folder, name string) (r *Run, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := make([]byte, headerSize)
	if _, err := f.ReadAt(h, 0); err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(h) != runMagic || binary.LittleEndian.Uint32(h[4:]) != crc32.Checksum(h[8:], castagnoli) {
		return nil, errRun
	}
	n := func(i int) uint64 { return binary.LittleEndian.Uint64(h[8+8*i:]) }
	r = &Run{From: n(0), To: n(1), min: int64(n(2)), max: int64(n(3)), index: int64(n(4)), entries: int(n(5)), Epoch: uint32(n(6) >> 1), Minutes: n(6)&1 == 1, Size: size}
	if name != r.Name() || r.index < headerSize || r.index+int64(r.pages())*pageSize != size {
		return nil, fmt.Errorf("%w: the file is not whole", errRun)
	}
	return r, nil
}

func (r *Run) pages() int { return (r.entries + pageLength - 1) / pageLength }

// An entry says where the sums of a topic are.
type entry struct {
	hash            uint64
	minutes, hours  uint32 // offsets; 0: there are none
	minutesL, hourL uint32 // lengths
	min, max        int32  // times, in minutes
}

func hashOf(t Topic) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, t.Sender)
	_, _ = h.Write([]byte{0})
	_, _ = io.WriteString(h, t.Event)
	return h.Sum64()
}

func (e *entry) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, e.hash)
	for _, n := range []uint32{e.minutes, e.minutesL, e.hours, e.hourL, uint32(e.min), uint32(e.max)} {
		dst = binary.LittleEndian.AppendUint32(dst, n)
	}
	return dst
}

func readEntry(b []byte) entry {
	n := func(i int) uint32 { return binary.LittleEndian.Uint32(b[8+4*i:]) }
	return entry{binary.LittleEndian.Uint64(b), n(0), n(2), n(1), n(3), int32(n(4)), int32(n(5))}
}

// An openRun is one that is being read.
type openRun struct {
	*Run
	f    folder.File
	page []byte
	at   int // number of the page; -1: none
	buf  []byte
}

func (r *Run) open(dir folder.Folder) (*openRun, error) {
	f, err := dir.Open(r.Name())
	if err != nil {
		return nil, err
	}
	return &openRun{Run: r, f: f, at: -1}, nil
}

// entry returns one by its number.
func (o *openRun) entry(i int) (entry, error) {
	if page := i / pageLength; page != o.at {
		if o.page == nil {
			o.page = make([]byte, pageSize)
		}
		o.at = -1
		if _, err := o.f.ReadAt(o.page, o.index+int64(page)*pageSize); err != nil {
			return entry{}, err
		}
		if crc32.Checksum(o.page[4:], castagnoli) != binary.LittleEndian.Uint32(o.page) {
			return entry{}, errRun
		}
		o.at = page
	}
	return readEntry(o.page[4+i%pageLength*entrySize:]), nil
}

// search returns the number of the first entry whose hash is not below.
func (o *openRun) search(hash uint64) (int, error) {
	low, high := 0, o.entries
	for low < high {
		i := int(uint(low+high) / 2)
		e, err := o.entry(i)
		if err != nil {
			return 0, err
		}
		if e.hash < hash {
			low = i + 1
		} else {
			high = i
		}
	}
	return low, nil
}

// block reads a block, and returns its topic and a decoder of its sums.
func (o *openRun) block(at, length uint32) (Topic, *decoder, error) {
	if int64(at)+int64(length) > o.index || length < 4 {
		return Topic{}, nil, errRun
	}
	if cap(o.buf) < int(length) {
		o.buf = make([]byte, length)
	}
	data := o.buf[:length]
	if _, err := o.f.ReadAt(data, int64(at)); err != nil {
		return Topic{}, nil, err
	}
	if crc32.Checksum(data[4:], castagnoli) != binary.LittleEndian.Uint32(data) {
		return Topic{}, nil, errRun
	}
	d := &decoder{rest: data[4:]}
	sender, event := d.text(), d.text()
	if d.bad {
		return Topic{}, nil, errRun
	}
	return Topic{string(sender), string(event)}, d, nil
}

// Query gives the sums of a topic that start between two times to visit: those of hours if they will do and are there, else of
// minutes, else of hours.
func (r *Run) Query(dir folder.Folder, t Topic, from, to int64, hours bool, visit func(*Sum)) (err error) {
	low, high := Floor(from, Minute)/Minute, to/Minute
	if r.entries == 0 || r.max < low || r.min > high {
		return nil
	}
	o, err := r.open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.f.Close()) }()
	hash := hashOf(t)
	i, err := o.search(hash)
	if err != nil {
		return err
	}
	for ; i < o.entries; i++ {
		e, err := o.entry(i)
		if err != nil {
			return err
		}
		if e.hash != hash {
			break
		}
		if int64(e.max) < low || int64(e.min) > high {
			continue
		}
		at, length, step := e.minutes, e.minutesL, Minute
		if e.hours > 0 && (hours || e.minutes == 0) {
			at, length, step = e.hours, e.hourL, Hour
		}
		topic, d, err := o.block(at, length)
		if err != nil {
			return err
		}
		if topic != t {
			continue
		}
		return d.sums(step, func(s *Sum) {
			if s.Start >= from && s.Start < to { // else a sum that begins before would be on two pages
				visit(s)
			}
		})
	}
	return nil
}

// clampMinute returns a time in minutes as an entry has it.
func clampMinute(t int64) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, Floor(t, Minute)/Minute)))
}
