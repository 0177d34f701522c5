package wire

import "bytes"

// A Deframer splits the bytes of a line at its zeros. It never holds more than Limit bytes.
type Deframer struct {
	Limit   int
	buf     []byte
	tooLong bool // the beginning of this chunk was passed on already
}

// Feed calls chunk with the bytes between each two zeros, unless there are none. A chunk longer than Limit is passed on in
// pieces, with whole false: it is not a frame, but it may be text. The bytes are valid until chunk returns.
func (d *Deframer) Feed(data []byte, chunk func(b []byte, whole bool)) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, 0)
		part := data
		if end >= 0 {
			part = data[:end]
		}
		if n := d.Limit - len(d.buf); len(part) > n {
			d.buf = append(d.buf, part[:n]...)
			data = data[n:]
			d.tooLong = true
			d.flush(chunk)
			continue
		}
		d.buf = append(d.buf, part...)
		if end < 0 {
			return
		}
		data = data[end+1:]
		d.flush(chunk)
		d.tooLong = false
	}
}

func (d *Deframer) flush(chunk func(b []byte, whole bool)) {
	if len(d.buf) > 0 {
		chunk(d.buf, !d.tooLong)
		d.buf = d.buf[:0]
	}
}

// Empty reports whether nothing was read since the last zero.
func (d *Deframer) Empty() bool { return len(d.buf) == 0 }

// Reset drops what was read since the last zero.
func (d *Deframer) Reset() { d.buf, d.tooLong = d.buf[:0], false }
