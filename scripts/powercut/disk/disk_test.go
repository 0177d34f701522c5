package disk

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func blank(pages int64) *Image { return &Image{pages * pageSize, map[int64]*[pageSize]byte{}} }

func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

func at(m *Image, off int64) byte {
	var b [1]byte
	m.Read(b[:], off)
	return b[0]
}

// TestImage: what is written at odd places can be read, and a copy does not change with its original.
func TestImage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m, want := blank(8), make([]byte, 8*pageSize)
	for range 200 {
		data := fill(byte(1+rng.IntN(255)), rng.IntN(3*pageSize))
		off := rng.Int64N(int64(len(want)-len(data)) + 1)
		before := m.Clone()
		was := slices.Clone(want)
		m.Write(data, off)
		copy(want[off:], data)
		for image, content := range map[*Image][]byte{m: want, before: was} {
			got := make([]byte, len(content))
			image.Read(got, 0)
			if !bytes.Equal(got, content) {
				t.Fatal("an image has other bytes than were written")
			}
		}
	}
	file := filepath.Join(t.TempDir(), "image")
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	again, err := ReadImage(file)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	again.Read(got, 0)
	if !bytes.Equal(got, want) {
		t.Error("a file has other bytes than the image")
	}
}

// TestCut: what was flushed is there, what was not may be, in sectors, and never an older version in the place of a newer one.
func TestCut(t *testing.T) {
	d := New(blank(4))
	d.Write(fill(1, pageSize), pageSize, false)
	d.Flush()
	d.Note("one is on disk")
	d.Write(fill(2, pageSize), pageSize, false)
	d.Write(fill(3, pageSize), pageSize, false)
	d.Write(fill(4, pageSize), 2*pageSize, true)
	d.Note("four is on disk")
	d.Freeze()
	if d.Note("too late") {
		t.Error("a disk without power takes a note")
	}
	r := d.Recording()
	seen := map[byte]bool{}
	torn := false
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var notes []any
		image, c := r.Cut(rng, r.Len()-1, func(n any) { notes = append(notes, n) })
		if len(notes) != 2 || c.Loose != 2 {
			t.Fatalf("%d notes, %d loose writes", len(notes), c.Loose)
		}
		if at(image, 2*pageSize) != 4 {
			t.Fatal("a write that bypasses the cache is lost")
		}
		for sector := range int64(pageSize / Sector) {
			b := at(image, pageSize+sector*Sector)
			seen[b] = true
			torn = torn || b != at(image, pageSize)
			if b < 1 || b > 3 || b != at(image, pageSize+sector*Sector+Sector-1) {
				t.Fatalf("sector %d has %d", sector, b)
			}
		}
	}
	if len(seen) != 3 || !torn {
		t.Errorf("only %v were left; torn: %v", seen, torn)
	}
	for place := range r.Len() { // in any order
		image, _ := r.Cut(rand.New(rand.NewPCG(1, 1)), r.Len()-1-place, func(any) {})
		if r.Len()-1-place >= 2 && at(image, pageSize) == 0 {
			t.Errorf("after entry %d, what was flushed is lost", r.Len()-1-place)
		}
	}
}

// TestSuperblock: the superblock is there as a whole, or as it was.
func TestSuperblock(t *testing.T) {
	d := New(blank(2))
	d.Write(fill(1, 2*pageSize), 0, false)
	d.Freeze()
	r := d.Recording()
	for seed := range uint64(200) {
		image, c := r.Cut(rand.New(rand.NewPCG(seed, 1)), 1, func(any) {})
		if c.Torn > 0 || at(image, 1024) != at(image, 2047) {
			t.Fatal("it is torn")
		}
	}
}

// TestPlaces: places ascend, and most are where there is something to lose.
func TestPlaces(t *testing.T) {
	d := New(blank(4))
	for i := range 50 {
		d.Write(fill(1, Sector), 0, false)
		d.Flush()
		for range 10 {
			d.Note(i)
		}
	}
	d.Freeze()
	r := d.Recording()
	rng := rand.New(rand.NewPCG(1, 1))
	places := r.Places(rng, 12, 400)
	loose := 0
	for _, p := range places {
		if p < 12 || p >= r.Len() {
			t.Fatalf("place %d", p)
		}
		_, c := r.Cut(rng, p, func(any) {})
		loose += c.Loose
	}
	if !slices.IsSorted(places) || loose < 200 {
		t.Errorf("only %d of 400 cuts have something to lose", loose)
	}
}

// TestFreezeHangs: after the power is cut, nobody is told that anything was written, until whoever asks is let go.
func TestFreezeHangs(t *testing.T) {
	d := New(blank(1))
	cut := d.FreezeAfter(2)
	d.Write(fill(1, Sector), 0, false)
	d.Write(fill(2, Sector), 0, false)
	<-cut
	done := make(chan struct{})
	go func() {
		d.Flush()
		close(done)
	}()
	select {
	case <-done:
		t.Fatal("a disk without power answers")
	case <-time.After(20 * time.Millisecond):
	}
	d.Release()
	d.Release()
	<-done
	if r := d.Recording(); r.Len() != 3 {
		t.Errorf("the log has %d entries, not 2", r.Len()-1)
	}
}
