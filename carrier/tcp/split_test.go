package tcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"sighub/carrier"
)

const testLimit = 1 << 10

// cut feeds a stream in pieces of size bytes and returns what came out, in words.
func cut(s splitter, stream string, size int) (out []string) {
	for piece := range slices.Chunk([]byte(stream), size) {
		for {
			rest, f, ok := s.next(piece)
			if !ok {
				break
			}
			piece = rest
			if out = append(out, word(f)); f.lost {
				return out
			}
		}
	}
	if s.partial() {
		out = append(out, "…")
	}
	return out
}

// word returns what is in a frame, or what is wrong with it.
func word(f frame) string {
	switch {
	case f.lost:
		return "lost"
	case errors.Is(f.err, carrier.ErrTooLarge):
		return "too large"
	case errors.Is(f.err, carrier.ErrLimit):
		return "too much"
	case f.err != nil:
		return "malformed"
	}
	return string(f.data)
}

var deep = strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)

func TestJSONSplitter(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         []string
	}{
		{"one", `{"id":1}`, []string{`{"id":1}`}},
		{"glued", `{"id":1}{"id":2}`, []string{`{"id":1}`, `{"id":2}`}},
		{"lines", "\r\n{\"id\":1}\n\n{\"id\":2}\n", []string{`{"id":1}`, `{"id":2}`}},
		{"nested", `{"a":[{"b":{}},[]],"c":{}}{}`, []string{`{"a":[{"b":{}},[]],"c":{}}`, `{}`}},
		{"brackets in strings", `{"a":"}]{["}{}`, []string{`{"a":"}]{["}`, `{}`}},
		{"escapes", `{"a\"}":"\\"}{"b":"\u007d\\\""}`, []string{`{"a\"}":"\\"}`, `{"b":"\u007d\\\""}`}},
		{"begun", `{"id":1}{"id"`, []string{`{"id":1}`, "…"}},
		{"no objects", `[1,{}] "}" 12 true null{}`, []string{"malformed", "malformed", "malformed", "malformed", "malformed", `{}`}},
		{"bad array", `[1,,2] {}`, []string{"malformed", `{}`}},
		{"crossed", `{"a":[}} {}`, []string{`{"a":[}}`, `{}`}},
		{"bad scalar", `{}nul {}`, []string{`{}`, "lost"}},
		{"begins with nothing", `{}}`, []string{`{}`, "lost"}},
		{"bare word", `{"a":x}{}`, []string{`{"a":x}`, `{}`}},
		{"bad escape", `{"a":"\x"}{}`, []string{`{"a":"\x"}`, `{}`}},
		{"tokens", `{"a":[NaN,-Infinity]}{}`, []string{`{"a":[NaN,-Infinity]}`, `{}`}},
		{"control in text", "{\"a\":\"\x01\"}{}", []string{"{\"a\":\"\x01\"}", `{}`}},
		{"not text", "{\"a\":\x01}{}", []string{"lost"}},
		{"a text over two lines", "{\"a\":\"\n\"}", []string{"lost"}},
		{"too large", `{"a":"` + strings.Repeat("}", testLimit) + `"}{}`, []string{"too large", `{}`}},
		{"largest", `{"a":"` + strings.Repeat("x", testLimit-8) + `"}`, []string{`{"a":"` + strings.Repeat("x", testLimit-8) + `"}`}},
		{"too deep", deep + `{}`, []string{"malformed", `{}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.stream); size++ {
				if got := cut(newJSONSplitter(testLimit), c.stream, size); !slices.Equal(got, c.want) {
					t.Fatalf("in pieces of %d: got %q, want %q", size, got, c.want)
				}
			}
		})
	}
}

func TestCBORSplitter(t *testing.T) {
	long := "\x59\x01\x00" + strings.Repeat("x", 256)
	for _, c := range []struct {
		name, stream string
		want         []string
	}{
		{"one", cborMark + "\x41a", []string{"a"}},
		{"sequence", cborMark + "\x41a\x42bc" + cborMark + "\x58\x03def", []string{"a", "bc", "def"}},
		{"no tag", "\x41a", []string{"a"}},
		{"empty", cborMark + "\x40\x41a", []string{"", "a"}},
		{"long", cborMark + long + long, []string{long[3:], long[3:]}},
		{"begun", cborMark + "\x41a\x42b", []string{"a", "…"}},
		{"begun head", cborMark + "\x59\x01", []string{"…"}},
		{"too large", "\x59\x04\x01" + strings.Repeat("\x00", testLimit+1) + "\x41a", []string{"too large", "a"}},
		{"claims much", "\x5b\x7f\xff\xff\xff\xff\xff\xff\xffabc", []string{"…"}},
		{"text", cborMark + "\x61a", []string{"lost"}},
		{"map", cborMark + "\xa0", []string{"lost"}},
		{"another tag", "\xd9\xd9\xf8\x41a", []string{"lost"}},
		{"indefinite", "\x5f\x41a\xff", []string{"lost"}},
		{"reserved", "\x5c", []string{"lost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.stream); size++ {
				if got := cut(newCBORSplitter(testLimit), c.stream, size); !slices.Equal(got, c.want) {
					t.Fatalf("in pieces of %d: got %q, want %q", size, got, c.want)
				}
			}
		})
	}
}

// A length that is claimed costs nothing until the bytes come, and what is skipped costs nothing at all.
func TestClaimsCostNothing(t *testing.T) {
	const gib = 1 << 30
	claim := carrier.AppendCBORHead(nil, carrier.CBORBytes, gib)

	s := newCBORSplitter(gib)
	s.next(claim)
	s.next(make([]byte, 5000))
	if got := cap(s.data); got > 3*5000 {
		t.Errorf("5,000 bytes of a byte string that claims 1 GiB take %d", got)
	}

	skipped := newCBORSplitter(testLimit)
	skipped.next(claim)
	value := newJSONSplitter(testLimit)
	value.next([]byte(`{"a":"`))
	for range 1000 {
		skipped.next(bytes.Repeat([]byte("x"), testLimit))
		value.next(bytes.Repeat([]byte("x"), testLimit))
	}
	for _, got := range []int{cap(skipped.data), cap(value.data)} {
		if got > 2*testLimit {
			t.Errorf("what is skipped takes %d bytes", got)
		}
	}
}

func TestGlimpse(t *testing.T) {
	cborHead := func(m carrier.Appender) string {
		b, err := m.AppendTo(nil, carrier.CBOR)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:20])
	}
	large := carrier.ValueOf(strings.Repeat("x", 100))
	for _, c := range []struct {
		name         string
		s            splitter
		head         string
		id           string
		message, rep bool
	}{
		{"message", newJSONSplitter(9), `{"id":[7],"method":"echo","params":"xx`, "[7]", true, false},
		{"id last", newJSONSplitter(9), `{"params":"xx`, "null", true, false},
		{"reply", newJSONSplitter(9), `{"id":7,"status":0,"response":"xx`, "7", false, true},
		{"id cut", newJSONSplitter(9), `{"id":12`, "null", false, false},
		{"no object", newJSONSplitter(9), `[{"id":12}`, "null", false, false},
		{"behind what is bad", newJSONSplitter(9), `{"params":{"data":[nan,{"a":"}"}]},"id":7,"method":"x"}`, "7", true, false},
		{"nothing", newJSONSplitter(9), ``, "null", false, false},
		{"cbor message", newCBORSplitter(9), cborHead(&carrier.Message{ID: carrier.ValueOf(7), Method: "echo", Params: large}), "7", true, false},
		{"cbor reply", newCBORSplitter(9), cborHead(&carrier.Reply{ID: carrier.ValueOf("a"), Response: large}), `"a"`, false, true},
		{"cbor text keys", newCBORSplitter(9), "\xa2\x62id\x07\x66method\x64ec", "7", true, false},
		{"cbor no map", newCBORSplitter(9), "\x81\x00", "null", false, false},
		{"cbor key is a list", newCBORSplitter(9), "\xa1\x80\x00", "null", false, false},
		{"cbor nothing", newCBORSplitter(9), "", "null", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.s.salvage([]byte(c.head))
			if g.id.String() != c.id || g.isMessage != c.message || g.isReply != c.rep {
				t.Errorf("got %v %v %v, want %v %v %v", g.id, g.isMessage, g.isReply, c.id, c.message, c.rep)
			}
		})
	}
}

// FuzzJSONScanner: whatever comes, the splitter does not panic and holds no more than it may; and of a stream of
// valid values it finds exactly the boundaries that encoding/json does, however the stream is split.
func FuzzJSONScanner(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"method":"echo","params":{"a":[1,2.5e3,null,true,"x\"}"]}}{"id":2}`,
		"\n[[],{}] \"\\\\\" -1 {\"é\":\"\\u00e9\"}", `{"a":tru}`, `}`, `{"a":"` + "\x01" + `"}`, deep,
	} {
		f.Add([]byte(seed), 3, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int, glue bool) {
		size = max(1, size%17)
		s := newJSONSplitter(testLimit)
		cut(s, string(data), size)
		if cap(s.data) > 4*testLimit {
			t.Errorf("holds %d bytes", cap(s.data))
		}

		var stream []byte
		var want []string
		dec := json.NewDecoder(bytes.NewReader(data))
		for len(stream) < testLimit {
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				break
			}
			scalar := v[0] != '{' && v[0] != '['
			if scalar || !glue {
				stream = append(stream, '\n')
			}
			stream = append(stream, v...)
			if scalar || !glue {
				stream = append(stream, ' ')
			}
			switch {
			case depth(v) > carrier.MaxDepth+2 || len(v) > testLimit || v[0] != '{':
				want = append(want, "")
			default:
				want = append(want, string(v))
			}
		}
		got := cut(newJSONSplitter(testLimit), string(stream), size)
		for i, g := range got {
			if g == "malformed" || g == "too large" {
				got[i] = ""
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %q: got %q, want %q", stream, got, want)
		}
	})
}

// depth is how deeply a valid value is nested, found in another way than the splitter does.
func depth(v json.RawMessage) (deepest int) {
	dec := json.NewDecoder(bytes.NewReader(v))
	for now := 0; ; deepest = max(deepest, now) {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return deepest
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			now++
		case json.Delim('}'), json.Delim(']'):
			now--
		}
		if err != nil {
			return carrier.MaxDepth + 3 // it is too deep for that way as well
		}
	}
}

// FuzzCBORSplitter: whatever comes, however split, comes out the same, and no more is held than may be.
func FuzzCBORSplitter(f *testing.F) {
	for _, seed := range []string{
		cborMark + "\x41a\x42bc", "\x59\x04\x01xx", "\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "\x5f", cborMark + "\xa0", "\x58",
	} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		s := newCBORSplitter(testLimit)
		if whole, split := cut(newCBORSplitter(testLimit), string(data), len(data)+1), cut(s, string(data), max(1, size%17)); !slices.Equal(whole, split) {
			t.Errorf("whole %q, split %q", whole, split)
		}
		if cap(s.data) > 4*testLimit {
			t.Errorf("holds %d bytes", cap(s.data))
		}
		s.salvage(data)
	})
}
