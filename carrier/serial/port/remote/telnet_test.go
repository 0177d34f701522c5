package remote

import (
	"bytes"
	"fmt"
	"testing"
)

// decoded is what a decoder makes of bytes: the data, and what else there was, in order.
func decoded(text bool, parts ...[]byte) (data []byte, rest []string) {
	d := decoder{text: text,
		negotiated: func(verb, option byte) { rest = append(rest, fmt.Sprint("option ", verb, " ", option)) },
		sub:        func(option byte, body []byte) { rest = append(rest, fmt.Sprintf("sub %d % x", option, body)) },
	}
	for _, p := range parts {
		data = d.feed(data, p)
	}
	return data, rest
}

func TestDecoder(t *testing.T) {
	for _, test := range []struct {
		name, in, data string
		text           bool
		rest           string
	}{
		{"data", "abc", "abc", false, "[]"},
		{"255", "a\xff\xffb", "a\xffb", false, "[]"},
		{"options", "a\xff\xfd\x2cb\xff\xfc\x00", "ab", false, "[option 253 44 option 252 0]"},
		{"sub", "\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0x", "x", false, "[sub 44 65 00 00 25 80]"},
		{"255 in sub", "\xff\xfa\x2c\x6b\xff\xff\xff\xf0", "", false, "[sub 44 6b ff]"},
		{"no operation", "a\xff\xf1b\xff\xf9c", "abc", false, "[]"},
		{"empty sub", "\xff\xfa\xff\xf0x", "x", false, "[]"},
		{"lost end", "\xff\xfa\x2c\x65\xff\xfd\x03x", "x", false, "[option 253 3]"},
		{"sub in sub", "\xff\xfa\x2c\x65\xff\xfa\x2c\x66\x08\xff\xf0x", "x", false, "[sub 44 66 08]"},
		{"other command in sub", "\xff\xfa\x2c\x65\xff\xf1x", "x", false, "[]"},
		{"CR NUL", "a\r\x00b\r\nc\x00", "a\rb\r\nc\x00", true, "[]"},
		{"CR NUL, binary", "a\r\x00b", "a\r\x00b", false, "[]"},
		{"CR NUL NUL", "\r\x00\x00", "\r\x00", true, "[]"},
	} {
		data, rest := decoded(test.text, []byte(test.in))
		if string(data) != test.data || fmt.Sprint(rest) != test.rest {
			t.Errorf("%s: %q %v, want %q %s", test.name, data, rest, test.data, test.rest)
		}
	}
	if got := string(appendData(nil, []byte("a\r\xff\n"), true)) + "|" + string(appendData(nil, []byte("\r"), false)); got != "a\r\x00\xff\xff\n|\r" {
		t.Errorf("sent: %q", got)
	}
	long := append([]byte{iac, sb, optCOM}, bytes.Repeat([]byte{1}, 10_000)...)
	if data, rest := decoded(false, long, []byte{iac, se, 'x', iac, sb, optCOM, 2, iac, se}); string(data) != "x" || fmt.Sprint(rest) != "[sub 44 02]" {
		t.Errorf("a subnegotiation that is too long: %q %v", data, rest)
	}
}

// FuzzDecoder: whatever arrives, and however it is split, the same comes of it, and no more is kept than there is room for.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("a\xff\xffb\r\x00c\xff\xfd\x2c\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0"), true)
	f.Add([]byte("\xff\xfa\x2c\x64ser2net\xff\xf0\xff\xfb\x00\xff\xfd\x03text"), false)
	f.Add([]byte("\xff\xfa\x2c\x6b\xff\xff\xff\xf0\xff\xfa\xff\xfa\xff\xf1\xff"), false)
	f.Fuzz(func(t *testing.T, in []byte, text bool) {
		data, rest := decoded(text, in)
		for at := range in {
			if at > 300 {
				break
			}
			if d, r := decoded(text, in[:at], in[at:]); !bytes.Equal(d, data) || fmt.Sprint(r) != fmt.Sprint(rest) {
				t.Fatalf("split at %d: %q %v, want %q %v", at, d, r, data, rest)
			}
		}
		var single [][]byte
		for i := range in {
			single = append(single, in[i:i+1])
		}
		if d, r := decoded(text, single...); !bytes.Equal(d, data) || fmt.Sprint(r) != fmt.Sprint(rest) {
			t.Fatalf("byte by byte: %q %v, want %q %v", d, r, data, rest)
		}
		// What is sent comes back as it was, alone and in a subnegotiation.
		if d, r := decoded(text, appendData(nil, in, text)); len(r) > 0 || !text && !bytes.Equal(d, in) {
			t.Fatalf("sent: %q %v", d, r)
		}
		if len(in) < maxSub {
			want := fmt.Sprint([]string{fmt.Sprintf("sub 44 % x", in)})
			if d, r := decoded(text, appendSub(nil, in...)); len(d) > 0 || fmt.Sprint(r) != want {
				t.Fatalf("sent in a subnegotiation: %q %v, want %s", d, r, want)
			}
		}
	})
}

// FuzzServer: nothing that a server sends harms the client, and what it answers is bounded by what it was sent.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\xff\xfd\x2c\xff\xfb\x00\xff\xfd\x00\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0data"))
	f.Add([]byte("\xff\xfb\x01\xff\xfd\x18\xff\xfc\x00\xff\xfe\x2c\xff\xfa\x2c\x64\xff\xf0\xff\xfa\x2c\x6c\xff\xf0"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newCOM(nil, 10)
		p.options.start()
		p.mu.Lock()
		defer p.mu.Unlock()
		data := p.decoder.feed(nil, in)
		said := 0
		for len(p.answers) > 0 {
			said += len(<-p.answers)
		}
		if len(data) > len(in) || said > 16*len(in) {
			t.Fatalf("%d bytes in, %d of data, %d said", len(in), len(data), said)
		}
	})
}

// TestNegotiation: options that are on both sides in any order end, and others are refused each time.
func TestNegotiation(t *testing.T) {
	var o options
	if got, want := o.start(), []byte{iac, will, 44, iac, will, 0, iac, do, 0, iac, will, 3, iac, do, 3}; !bytes.Equal(got, want) {
		t.Errorf("% d", got)
	}
	for _, step := range []struct {
		verb, option byte
		say          []byte
	}{
		{do, 44, nil}, {do, 44, nil}, {will, 0, nil}, {do, 0, nil}, // what was asked for
		{wont, 3, nil}, {wont, 3, nil}, {will, 3, []byte{iac, do, 3}}, {will, 3, nil},
		{will, 1, []byte{iac, dont, 1}}, {do, 1, []byte{iac, wont, 1}}, {dont, 1, nil}, {wont, 1, nil},
		{dont, 0, []byte{iac, wont, 0}}, {dont, 0, nil}, {do, 0, []byte{iac, will, 0}},
		{will, 44, []byte{iac, dont, 44}},
	} {
		if say := o.answer(step.verb, step.option); !bytes.Equal(say, step.say) {
			t.Errorf("%d %d: % d, want % d", step.verb, step.option, say, step.say)
		}
	}
}
