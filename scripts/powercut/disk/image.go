package disk

import (
	"errors"
	"maps"
	"os"
	"slices"
	"syscall"
)

const pageSize = 4096

// An Image is the content of a disk. Pages of zeros take no memory. The zero Image is not usable: see ReadImage.
type Image struct {
	size  int64
	pages map[int64]*[pageSize]byte // by number; a page is never changed, only replaced
}

// Clone returns a copy, which is cheap.
func (m *Image) Clone() *Image { return &Image{m.size, maps.Clone(m.pages)} }

// Size returns the size in bytes.
func (m *Image) Size() int64 { return m.size }

// Read copies what lies at an offset.
func (m *Image) Read(p []byte, at int64) {
	for len(p) > 0 {
		within := at % pageSize
		n := min(int64(len(p)), pageSize-within)
		if page := m.pages[at/pageSize]; page != nil {
			copy(p[:n], page[within:])
		} else {
			clear(p[:n])
		}
		p, at = p[n:], at+n
	}
}

// Write writes at an offset.
func (m *Image) Write(p []byte, at int64) {
	for len(p) > 0 {
		within := at % pageSize
		n := min(int64(len(p)), pageSize-within)
		page := new([pageSize]byte)
		if was := m.pages[at/pageSize]; was != nil && n < pageSize {
			*page = *was
		}
		copy(page[within:], p[:n])
		m.pages[at/pageSize] = page
		p, at = p[n:], at+n
	}
}

// ReadImage reads an image from a file, whose size must be a multiple of 4,096 bytes.
func ReadImage(path string) (*Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m := &Image{info.Size(), make(map[int64]*[pageSize]byte)}
	for n := int64(0); n*pageSize < m.size; n++ {
		const data = 3 // SEEK_DATA of Linux; elsewhere all of the file is read
		if at, err := f.Seek(n*pageSize, data); err == nil {
			n = at / pageSize
		} else if errors.Is(err, syscall.ENXIO) { // the rest is a hole
			break
		}
		page := new([pageSize]byte)
		if _, err := f.ReadAt(page[:], n*pageSize); err != nil {
			return nil, err
		}
		if *page != [pageSize]byte{} {
			m.pages[n] = page
		}
	}
	return m, nil
}

// Save makes a file with this content, or replaces the content of one.
func (m *Image) Save(path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(m.size); err != nil {
		return err
	}
	numbers := slices.Sorted(maps.Keys(m.pages))
	var run []byte
	for i, n := range numbers {
		run = append(run, m.pages[n][:]...)
		if i+1 < len(numbers) && numbers[i+1] == n+1 && len(run) < 1<<20 {
			continue
		}
		if _, err := f.WriteAt(run, (n+1)*pageSize-int64(len(run))); err != nil {
			return err
		}
		run = run[:0]
	}
	return nil
}
