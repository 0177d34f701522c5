package wire

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	everyPair = flag.Bool("wire.pairs", false, "damage every pair of bytes with all values")
	damages   = flag.Int("wire.damages", 2_000_000, "frames that are damaged at random")
)

// chance is one in how many damaged frames a CRC of 16 bits lets pass.
const chance = 1 << 16

// A damaged line is a frame and the one that follows it, with something done to the first.
type damagedLine struct {
	from    End
	session uint16
	frame   []byte // as it is on the line, with its zero
	next    []byte
	buf     []byte

	lines, wrong int
	latest       []byte // of those that were taken wrongly
}

// follow sets the frame that is damaged.
func (l *damagedLine) follow(from End, session uint16, frame []byte) {
	l.from, l.session, l.frame = from, session, frame
	l.next = AppendFrame(l.next[:0], from, session, Frame{Kind: FrameReply, Number: 9, Payload: []byte{0, 0x18, 0x19}})
}

// receive counts a line that begins with these bytes instead of the frame, and whether a frame is read that was not sent.
func (l *damagedLine) receive(damaged []byte) {
	l.lines++
	l.buf = append(append(l.buf[:0], damaged...), l.next...)
	for rest := l.buf; len(rest) > 0; {
		end := bytes.IndexByte(rest, 0)
		chunk := rest[:end]
		rest = rest[end+1:]
		if bytes.Equal(chunk, l.frame[:len(l.frame)-1]) || len(rest) == 0 && bytes.Equal(chunk, l.next[:len(l.next)-1]) {
			continue
		}
		if _, err := ParseFrame(chunk, l.from, l.session); err == nil {
			l.wrong++
			l.latest = bytes.Clone(damaged)
		}
	}
}

func (l *damagedLine) report(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s: of %d damaged frames %d are taken, one in %d", what, l.lines, l.wrong, l.lines/max(1, l.wrong))
	if l.wrong*chance > l.lines {
		t.Errorf("%s: that is more than one in %d; the latest is %x, from session %04x", what, chance, l.latest, l.session)
	}
}

// edits calls do with each frame that differs from b in one place, from a place on: with a byte less, another one in its
// place, or one more before it. It says where the next edit may begin so that no pair of edits comes twice.
func edits(b []byte, from int, values []byte, do func(edited []byte, next int)) {
	buf := make([]byte, 0, len(b)+2)
	for i := from; i < len(b); i++ {
		do(append(append(buf, b[:i]...), b[i+1:]...), i)
		for _, v := range values {
			if v != b[i] {
				do(append(append(append(buf, b[:i]...), v), b[i+1:]...), i+1)
			}
			do(append(append(append(buf, b[:i]...), v), b[i:]...), i+1)
		}
	}
}

// TestEveryDamage does to each vector all that can happen to one byte: it is lost, another one, or one comes before it; and
// the same to each pair of bytes. Bytes become those of which mistakes are made, unless the flag asks for all values.
func TestEveryDamage(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	var single, pairs damagedLine
	for _, v := range readVectors(t).Frames {
		frame := unhex(t, v.Wire)
		single.follow(end(v.From), number16(t, v.Session), frame)
		edits(frame, 0, every, func(edited []byte, _ int) { single.receive(edited) })

		values := every
		if !*everyPair {
			values = []byte{0, 1, 2, 0x20, 0xff}
			for _, bit := range frame[:2] { // and the code and the control byte with one wrong bit
				values = append(values, bit^1, bit^0x80)
			}
			slices.Sort(values)
			values = slices.Compact(values)
		}
		pairs.follow(end(v.From), number16(t, v.Session), frame)
		edits(frame, 0, values, func(edited []byte, next int) {
			edits(bytes.Clone(edited), next, values, func(edited []byte, _ int) { pairs.receive(edited) })
		})
	}
	single.report(t, "one byte")
	pairs.report(t, "two bytes")
}

// TestZerosAtTheEnd: neither end takes a frame with zeros more or less at its end, whatever the frame is; as it would be if
// the CRC of a whole frame was 0.
func TestZerosAtTheEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	for range 4000 {
		from, session := End(rng.IntN(2)), uint16(1+rng.IntN(0xfffe))
		raw := make([]byte, 1+rng.IntN(20))
		for i := range raw {
			raw[i] = byte(rng.IntN(1 + rng.IntN(256)))
		}
		f := Frame{Kind: FrameType(raw[0] >> 5), Number: raw[0] & 31, Payload: raw[1:]}
		wire := AppendFrame(nil, from, session, f)
		plain, err := unstuff(nil, wire[:len(wire)-1])
		must(t, err)
		for end := range 2 {
			for zeros := 1; zeros <= 40; zeros++ {
				line := append(bytes.Clone(plain), make([]byte, zeros)...)
				if end == 1 {
					line = bytes.TrimRight(plain, "\x00")
					line = append(bytes.Clone(line), make([]byte, zeros-1)...)
					if len(line) == len(plain) {
						continue
					}
				}
				s := newStuffer(nil)
				s.write(line)
				for _, from := range []End{Hub, Device} {
					if f, err := ParseFrame(bytes.Clone(s.dst), from, session); err == nil {
						t.Fatalf("of end %d: %x is taken as %+v, after %x", from, line, f, plain)
					}
				}
			}
		}
	}
}

// TestRandomDamage damages frames of any kind in one to eight places: bits are flipped, and bytes are lost, doubled,
// exchanged, and come from nowhere.
func TestRandomDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	var l damagedLine
	var payload, wire []byte
	for l.lines < *damages {
		from, session := End(rng.IntN(2)), uint16(1+rng.IntN(0xfffe))
		payload = payload[:0]
		small := rng.IntN(2) == 0 // numbers, as payloads are made of
		for range rng.IntN(50) {
			b := byte(rng.Uint32())
			if small {
				b &= 31
			}
			payload = append(payload, b)
		}
		wire = AppendFrame(wire[:0], from, session, Frame{Kind: FrameType(rng.IntN(8)), Number: uint8(rng.IntN(FrameNumbers)), Payload: payload})
		l.follow(from, session, wire)
		for range 16 {
			damaged := bytes.Clone(wire)
			for range 1 + rng.IntN(8) {
				i := rng.IntN(max(1, len(damaged)))
				switch rng.IntN(6) {
				case 0, 1:
					if len(damaged) > 0 {
						damaged[i] ^= 1 << rng.IntN(8)
					}
				case 2:
					damaged = slices.Delete(damaged, i, min(i+1, len(damaged)))
				case 3:
					damaged = slices.Insert(damaged, i, byte(rng.Uint32()))
				case 4:
					if len(damaged) > 0 {
						damaged = slices.Insert(damaged, i, damaged[i])
					}
				case 5:
					if i+1 < len(damaged) {
						damaged[i], damaged[i+1] = damaged[i+1], damaged[i]
					}
				}
			}
			if !bytes.Equal(damaged, wire) {
				l.receive(damaged)
			}
		}
	}
	l.report(t, "at random")
}
