package journal

import (
	"bytes"
	"testing"
)

// FuzzParser: whatever a frame's content is, it is read without a panic, takes no more memory than it has, and what was read can be
// written and read again.
func FuzzParser(f *testing.F) {
	var w writer
	w.event(&Event{Topic: Topic{"light", "lux"}, Connection: 3, Seq: 9, Time: 5e18, Uncertainty: 7, Data: []byte{0x18, 0x2a}})
	w.event(&Event{Topic: Topic{"light", "lux"}, Time: 5e18 - 1, JSON: true, Data: []byte("true")})
	w.mark("device a1", []byte("state"))
	w.cursor("shed", Position{1, 2})
	w.epoch(Position{2, 9})
	w.last(Position{1, 1}, &Event{Topic: Topic{"door", "open"}})
	f.Add(bytes.Clone(w.content), uint32(2))
	w.connection(12)
	f.Add(bytes.Clone(w.content), uint32(2))
	f.Add([]byte{recordName, 0xff, 0xff, 0xff, 0xff, 0x0f}, uint32(0))
	f.Fuzz(func(t *testing.T, content []byte, count uint32) {
		m := newMemory(boundsOf(2 << 20))
		fr := frame{epoch: 1, first: 1, count: count, content: content}
		if m.read(&fr) != nil {
			return
		}
		again := newMemory(boundsOf(2 << 20))
		state := frame{kind: kindState, epoch: 1, first: 1, content: m.snapshot()}
		if err := again.read(&state); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.snapshot(), m.snapshot()) {
			t.Error("what a state holds is not what was there")
		}
	})
}

// FuzzSegment: whatever a file holds, its head and frames are looked for without a panic, and a sound frame stays what it is.
func FuzzSegment(f *testing.F) {
	s := segment{number: 7, key: 9, epoch: 1, first: 1, seal: newSeal(7, 9, false)}
	data := s.head(former{6, never})
	one := frame{epoch: 1, first: 1, count: 1, content: []byte("one")}
	two := frame{epoch: 1, first: 2, count: 2, content: bytes.Repeat([]byte("2"), 5000)}
	data = two.appendTo(one.appendTo(data, s.seal), s.seal)
	f.Add(data, uint16(0), byte(0))
	f.Add(data, uint16(frameAlign+8), byte(0xff))
	f.Fuzz(func(t *testing.T, file []byte, at uint16, flip byte) {
		if int(at) < len(file) {
			file[at] ^= flip
		}
		r := bytes.NewReader(file)
		got, _, err := readHead(r, 7, false)
		if err != nil {
			return
		}
		got.size = int64(len(file))
		next := got.first
		_, end, _, err := got.scan(r, func(_ int64, f *frame) error {
			if f.first < next {
				t.Errorf("a frame with %d follows %d", f.first, next-1)
			}
			next = f.first + uint64(f.count)
			return nil
		})
		if err != nil || end != next {
			t.Errorf("the scan ends with %d, %v, want %d", end, err, next)
		}
	})
}
