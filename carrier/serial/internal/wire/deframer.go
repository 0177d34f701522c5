package wire

import "bytes"

// A Deframer splits the bytes of a line at its zeros. It holds no more than limit bytes, whatever arrives.
type Deframer struct {
	Limit   int
	buf     []byte
	tooLong bool // what is read belongs to a chunk whose beginning was given out already
}

// Feed calls chunk for what stands between each two zeros, if that is anything. A chunk longer than the limit is
// given out in pieces, with whole false: it is no frame, but may be text. The bytes are chunk's until it returns.
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

// Empty tells whether nothing was read since the last zero.
func (d *Deframer) Empty() bool { return len(d.buf) == 0 }

// Reset forgets what was read since the last zero: for a port that was opened anew.
func (d *Deframer) Reset() { d.buf, d.tooLong = d.buf[:0], false }
