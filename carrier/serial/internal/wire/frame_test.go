package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// vectors is testdata/serial/frames.json, which implementations in other languages read as well.
type vectors struct {
	COBS []struct {
		Name    string `json:"name"`
		Plain   string `json:"plain"`
		Stuffed string `json:"stuffed"`
		Repeat  int    `json:"repeat,omitempty"` // the plain bytes are repeated so often; 0: once
	} `json:"cobs"`
	CRC []struct {
		Start string `json:"start"`
		Data  string `json:"data"`
		CRC   string `json:"crc"`
	} `json:"crc"`
	Frames []struct {
		Name    string `json:"name"`
		From    string `json:"from"` // "hub" or "device"
		Session string `json:"session"`
		Type    int    `json:"type"`
		Number  uint8  `json:"number"`
		Payload string `json:"payload"`
		Wire    string `json:"wire"`
	} `json:"frames"`
	Bad []struct {
		Name    string `json:"name"`
		From    string `json:"from"` // "hub" or "device"
		Session string `json:"session"`
		Wire    string `json:"wire"`
		Echo    bool   `json:"echo"` // it is one of the receiver's own
	} `json:"bad"`
	Dictionaries []struct {
		Name    string `json:"name"`
		Text    string `json:"text"`
		Hash    string `json:"fnv1a"`
		Entries []struct {
			Kind string `json:"kind"`
			Text string `json:"text"`
		} `json:"entries"` // those that are known, in their order
		Bad   int  `json:"bad"` // entries that cannot be used
		Error bool `json:"error"`
	} `json:"dictionaries"`
	Readings []struct {
		Name       string  `json:"name"`
		Dictionary string  `json:"dictionary"`
		After      *uint32 `json:"after"` // ticks of the reading before; none: numbering begins anew
		Payload    string  `json:"payload"`
		Readings   []struct {
			Event *int   `json:"event"`
			Gap   *int   `json:"gap"` // of this event
			Ticks uint32 `json:"ticks"`
			Value string `json:"value"`
		} `json:"readings"`
		Error bool `json:"error"`
	} `json:"readings"`
	Hellos []struct {
		Name    string `json:"name"`
		Payload string `json:"payload"`
		Longer  bool   `json:"longer"` // than what is written for these fields
		Error   bool   `json:"error"`
		Fields  struct {
			UID            string `json:"uid"`
			Name           string `json:"name"`
			Firmware       string `json:"firmware"`
			Dictionary     uint32 `json:"dictionary"`
			Boot           uint32 `json:"boot"`
			Cause          uint64 `json:"cause"`
			Kept           int    `json:"kept"` // the flags
			Ticks          uint32 `json:"ticks"`
			Expects        uint8  `json:"expects"`
			ReceiveWindow  int    `json:"receive_window"`
			LargestFrame   int    `json:"largest_frame"`
			Window         int    `json:"window"`
			TicksPerSecond uint32 `json:"ticks_per_second"`
			Fastest        uint32 `json:"fastest"`
		} `json:"fields"`
	} `json:"hellos"`
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("../../../../testdata/serial/frames.json")
	must(t, err)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	must(t, d.Decode(&v))
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

func number16(t testing.TB, s string) uint16 {
	t.Helper()
	b := unhex(t, s)
	return uint16(b[0])<<8 | uint16(b[1])
}

// end returns the end of a name.
func end(name string) End {
	if name == "device" {
		return Device
	}
	return Hub
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.COBS {
		plain, want := bytes.Repeat(unhex(t, c.Plain), max(c.Repeat, 1)), unhex(t, c.Stuffed)
		s := newStuffer(nil)
		s.write(plain)
		if !bytes.Equal(s.dst, want) {
			t.Errorf("%s: stuffed to %x, want %x", c.Name, s.dst, want)
		}
		if got, err := unstuff(nil, want); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: unstuffed to %x, %v", c.Name, got, err)
		}
	}
	for _, c := range v.CRC {
		if got := crc16(number16(t, c.Start), unhex(t, c.Data)); got != number16(t, c.CRC) {
			t.Errorf("CRC of %s from %s is %04x, want %s", c.Data, c.Start, got, c.CRC)
		}
	}
	for _, c := range v.Frames {
		f := Frame{Kind: FrameType(c.Type), Number: c.Number, Payload: unhex(t, c.Payload)}
		wire := unhex(t, c.Wire)
		if got := AppendFrame(nil, end(c.From), number16(t, c.Session), f); !bytes.Equal(got, wire) {
			t.Errorf("%s: on the line %x, want %x", c.Name, got, wire)
		}
		got, err := ParseFrame(wire[:len(wire)-1], end(c.From), number16(t, c.Session))
		if err != nil || got.Kind != f.Kind || got.Number != f.Number || !bytes.Equal(got.Payload, f.Payload) {
			t.Errorf("%s: read as %v %v", c.Name, got, err)
		}
	}
	for _, c := range v.Bad {
		wire := unhex(t, c.Wire)
		if f, err := ParseFrame(wire[:len(wire)-1], end(c.From), number16(t, c.Session)); err == nil || errors.Is(err, ErrEcho) != c.Echo {
			t.Errorf("%s: taken for %v, %v", c.Name, f, err)
		}
	}
}

// TestCRCCheckValue holds the CRC against the value that the catalogue of CRC algorithms gives for it.
func TestCRCCheckValue(t *testing.T) {
	if got := crc16(CRCStart, []byte("123456789")); got != 0x29b1 {
		t.Errorf("%04x, want 29b1", got)
	}
}

func TestFrameSizes(t *testing.T) {
	for size := MinFrame; size <= MaxFrame; size++ {
		payload := bytes.Repeat([]byte{1}, PayloadLimit(size))
		n := len(AppendFrame(nil, Hub, 7, Frame{Kind: FrameMessage, Payload: payload}))
		if n > size || n > FrameSize(len(payload)) {
			t.Fatalf("a frame of %d bytes takes %d with a payload of %d, counted as %d", size, n, len(payload), FrameSize(len(payload)))
		}
	}
	if got := PayloadLimit(MinFrame); got != 55 {
		t.Errorf("HELLO has room for %d bytes", got)
	}
}

// TestDamage changes each bit of a frame: none is taken for another frame.
func TestDamage(t *testing.T) {
	wire := AppendFrame(nil, Device, 0x1234, Frame{Kind: FrameEvent, Number: 3, Payload: []byte{1, 0, 2, 0x19, 3, 4}})
	for i := range 8 * (len(wire) - 1) {
		bad := bytes.Clone(wire)
		bad[i/8] ^= 1 << (i % 8)
		var d Deframer
		d.Limit = MaxFrame
		d.Feed(bad, func(chunk []byte, whole bool) {
			if f, err := ParseFrame(chunk, Device, 0x1234); err == nil {
				t.Errorf("bit %d: taken for %v", i, f)
			}
		})
	}
}

func TestDeframer(t *testing.T) {
	d := Deframer{Limit: 8}
	var got []string
	take := func(b []byte, whole bool) {
		if !whole {
			got = append(got, "~"+string(b))
			return
		}
		got = append(got, string(b))
	}
	for _, part := range []string{"\x00\x00ab", "c\x00", "d\x00\x00e", "f\x00", "0123456789abcdefghij", "kl\x00m\x00", "lost"} {
		d.Feed([]byte(part), take)
	}
	d.Reset()
	d.Feed([]byte("n\x0012345678\x00"), take)
	want := []string{"abc", "d", "ef", "~01234567", "~89abcdef", "~ghijkl", "m", "n", "12345678"}
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

// TestEndless feeds bytes without a zero among them: memory stays bounded.
func TestEndless(t *testing.T) {
	d := Deframer{Limit: MaxFrame}
	data := bytes.Repeat([]byte{0xaa}, 1<<16)
	for range 64 {
		d.Feed(data, func([]byte, bool) {})
	}
	if cap(d.buf) > 2*MaxFrame {
		t.Errorf("%d bytes are held", cap(d.buf))
	}
}

func FuzzDeframe(f *testing.F) {
	f.Add([]byte("\x00\x03ab\x00"), 1)
	f.Add([]byte("text\x00\x00more text without end"), 3)
	f.Add(bytes.Repeat([]byte{7}, 100), 50)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(1, step%64)
		d := Deframer{Limit: 32}
		var got []byte
		for rest := data; len(rest) > 0; {
			n := min(step, len(rest))
			d.Feed(rest[:n], func(b []byte, whole bool) {
				if len(b) == 0 || len(b) > 32 || bytes.IndexByte(b, 0) >= 0 {
					t.Fatalf("chunk %x", b)
				}
				got = append(got, b...)
			})
			rest = rest[n:]
		}
		got = append(got, d.buf...)
		if want := bytes.ReplaceAll(data, []byte{0}, nil); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(uint16(0xffff), byte(0), []byte(nil))
	f.Add(uint16(1), byte(0x65), []byte{0, 0, 1})
	f.Add(uint16(0x1234), byte(0xff), bytes.Repeat([]byte{9}, 300))
	f.Fuzz(func(t *testing.T, session uint16, ctrl byte, payload []byte) {
		from := End(len(payload) % 2)
		want := Frame{Kind: FrameType(ctrl >> 5), Number: ctrl & 31, Payload: payload}
		wire := AppendFrame(nil, from, session, want)
		if bytes.IndexByte(wire, 0) != len(wire)-1 || len(wire) > FrameSize(len(payload)) {
			t.Fatalf("on the line: %x", wire)
		}
		got, err := ParseFrame(wire[:len(wire)-1], from, session)
		if err != nil || got.Kind != want.Kind || got.Number != want.Number || !bytes.Equal(got.Payload, payload) {
			t.Fatalf("%v %v", got, err)
		}
		_, _ = ParseFrame(bytes.Clone(payload), from, session) // any bytes at all: no panic
	})
}

func BenchmarkFrameEncode(b *testing.B) {
	payload := bytes.Repeat([]byte{1, 2, 0, 4}, 12)
	buf := make([]byte, 0, 256)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendFrame(buf[:0], Device, 0x1234, Frame{Kind: FrameEvent, Number: 1, Payload: payload})
	}
}

func BenchmarkFrameDecode(b *testing.B) {
	wire := AppendFrame(nil, Device, 0x1234, Frame{Kind: FrameEvent, Payload: bytes.Repeat([]byte{1, 2, 0, 4}, 12)})
	buf := make([]byte, len(wire)-1)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, wire)
		if _, err := ParseFrame(buf, Device, 0x1234); err != nil {
			b.Fatal(err)
		}
	}
}
