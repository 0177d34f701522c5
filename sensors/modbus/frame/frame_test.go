package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExamples has the examples of section 6 of the application protocol, and frames that manuals of devices show.
func TestExamples(t *testing.T) {
	for _, test := range []struct {
		request      Request
		pdu, answer  string
		data, failed string
	}{
		{Request{ReadCoils, 0x13, 0x13, nil}, "01 0013 0013", "01 03 cd6b05", "cd6b05", ""},
		{Request{ReadDiscrete, 0xc4, 0x16, nil}, "02 00c4 0016", "02 03 acdb35", "acdb35", ""},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "03 06 022b 0000 0064", "022b00000064", ""},
		{Request{ReadInput, 8, 1, nil}, "04 0008 0001", "04 02 000a", "000a", ""},
		{Request{WriteCoil, 0xac, 1, []byte{1}}, "05 00ac ff00", "05 00ac ff00", "", ""},
		{Request{WriteRegister, 1, 1, []byte{0, 3}}, "06 0001 0003", "06 0001 0003", "", ""},
		{Request{WriteCoils, 0x13, 10, []byte{0xcd, 1}}, "0f 0013 000a 02 cd01", "0f 0013 000a", "", ""},
		{Request{WriteRegisters, 1, 2, []byte{0, 10, 1, 2}}, "10 0001 0002 04 000a 0102", "10 0001 0002", "", ""},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "83 02", "", "illegal data address (2)"},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "83 63", "", "exception 99"},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "84 02", "", "not the answer"},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "04 06 022b 0000 0064", "", "not the answer"},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "03 04 022b 0000", "", "not the answer"},
		{Request{ReadHolding, 0x6b, 3, nil}, "03 006b 0003", "03 05 022b 0000 0064", "", "not the answer"},
		{Request{WriteRegister, 1, 1, []byte{0, 3}}, "06 0001 0003", "06 0001 0004", "", "not the answer"},
		{Request{WriteCoil, 0xac, 1, []byte{0}}, "05 00ac 0000", "05 00ac ff00", "", "not the answer"},
		{Request{WriteRegisters, 1, 2, []byte{0, 10, 1, 2}}, "10 0001 0002 04 000a 0102", "10 0002 0002", "", "not the answer"},
		{Request{ReadInput, 8, 1, nil}, "04 0008 0001", "", "", "not the answer"},
	} {
		if err := test.request.Check(); err != nil {
			t.Error(err)
		}
		pdu := unhex(t, test.pdu)
		if got := test.request.Append(nil); !bytes.Equal(got, pdu) {
			t.Errorf("%+v is %x", test.request, got)
		}
		back, err := ParseRequest(pdu)
		if err != nil || !back.Same(&test.request) || !bytes.Equal(back.Data, test.request.Data) {
			t.Errorf("%x is %+v, %v", pdu, back, err)
		}
		data, err := test.request.Answer(unhex(t, test.answer))
		if test.failed != "" {
			if err == nil || !strings.Contains(err.Error(), test.failed) {
				t.Errorf("%s: %v, want %s", test.answer, err, test.failed)
			}
		} else if err != nil || !bytes.Equal(data, unhex(t, test.data)) {
			t.Errorf("%s: %x, %v", test.answer, data, err)
		}
	}
	for _, text := range []string{ // an XY-MD02's manual
		"01 04 0001 0001 600a", "01 04 02 0131 7974",
		"01 03 0000 0001 840a", // and a check value that everybody has
	} {
		b := unhex(t, text)
		if got := AppendRTU(nil, b[0], b[1:len(b)-2]); !bytes.Equal(got, b) {
			t.Errorf("%x, want %x", got, b)
		}
	}
	if crc := CRC([]byte("123456789")); crc != 0x4b37 {
		t.Errorf("%x", crc)
	}
}

func TestRequestCheck(t *testing.T) {
	for _, r := range []Request{
		{}, {ReadHolding, 0, 0, nil}, {ReadHolding, 0, 126, nil}, {ReadCoils, 0, 2001, nil}, {ReadHolding, 65535, 2, nil},
		{WriteRegister, 0, 1, []byte{1}}, {WriteRegister, 0, 2, []byte{1, 2}}, {WriteCoils, 0, 9, []byte{1}}, {WriteRegisters, 0, 124, make([]byte, 248)},
		{43, 0, 1, nil}, {ReadInput, 0, 1, []byte{0, 0}},
	} {
		if r.Check() == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	for pdu, code := range map[string]Code{
		"2b 0e 01 00": IllegalFunction, "03 0000": IllegalValue, "03 0000 0000": IllegalValue, "03 0000 007e": IllegalValue, "05 0000 1234": IllegalValue,
		"10 0000 0002 04 0001": IllegalValue, "10 0000 0002 02 0001": IllegalValue, "03 ffff 0002": IllegalValue,
	} {
		_, err := ParseRequest(unhex(t, pdu))
		if e, ok := errors.AsType[*ExceptionError](err); !ok || e.Code != code {
			t.Errorf("%s: %v", pdu, err)
		}
	}
	for c := range words {
		if c.String() == "" || c.Remedy() == "" {
			t.Error(c)
		}
	}
	if Code(99).Remedy() == "" {
		t.Error("no remedy")
	}
}

// TestFindAnswer: an answer is found among noise and other frames, and nothing else is taken for it.
func TestFindAnswer(t *testing.T) {
	r := &Request{ReadHolding, 7, 2, nil}
	request := AppendRTU(nil, 5, r.Append(nil))
	answer := AppendRTU(nil, 5, unhex(t, "03 04 1234 5678"))
	other := AppendRTU(nil, 6, unhex(t, "03 04 1111 2222"))
	refusal := AppendRTU(nil, 5, unhex(t, "83 02"))
	for name, test := range map[string]struct {
		bytes  []byte
		want   string
		before int
		echo   bool
		failed bool
	}{
		"alone":            {answer, "12345678", 0, false, false},
		"noise":            {slices.Concat([]byte{0, 5, 3, 4}, answer, []byte{9}), "12345678", 4, false, false},
		"another first":    {slices.Concat(other, answer), "12345678", len(other), false, false},
		"echo":             {slices.Concat(request, answer), "12345678", 0, true, false},
		"noise, then echo": {slices.Concat([]byte{1}, request, answer), "12345678", 1, true, false},
		"refused":          {slices.Concat([]byte{5}, refusal), "", 1, false, true},
		"other unit":       {other, "none", 0, false, false},
		"echo alone":       {request, "none", 0, true, false},
		"not whole":        {answer[:len(answer)-1], "none", 0, false, false},
		"longer":           {AppendRTU(nil, 5, unhex(t, "03 06 1234 5678 9abc")), "none", 0, false, false},
		"no bytes":         {nil, "none", 0, false, false},
	} {
		f, ok := FindAnswer(test.bytes, 5, r, false)
		if ok != (test.want != "none") || f.Echo != test.echo {
			t.Errorf("%s: %+v, %v", name, f, ok)
			continue
		}
		if ok && (hex.EncodeToString(f.Data) != test.want || f.Before != test.before || (f.Err != nil) != test.failed) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for i := range answer { // every damaged bit is noticed
		for bit := range 8 {
			b := slices.Clone(answer)
			b[i] ^= 1 << bit
			if f, ok := FindAnswer(b, 5, r, false); ok {
				t.Errorf("% x is taken for %+v", b, f)
			}
		}
	}
	// The answer to what writes is the request again: once it is known that the line returns what is sent, the second one counts.
	w := &Request{WriteRegister, 1, 1, []byte{0, 3}}
	echo := AppendRTU(nil, 5, w.Append(nil))
	if _, ok := FindAnswer(echo, 5, w, false); !ok {
		t.Error("no answer")
	}
	if _, ok := FindAnswer(echo, 5, w, true); ok {
		t.Error("an echo was taken for the answer")
	}
	if _, ok := FindAnswer(slices.Concat(echo, echo), 5, w, true); !ok {
		t.Error("no answer after the echo")
	}
}

func TestStrays(t *testing.T) {
	one := AppendRTU(nil, 6, unhex(t, "03 04 1111 2222"))
	request := AppendRTU(nil, 9, unhex(t, "03 0001 0001"))
	written := AppendRTU(nil, 7, unhex(t, "10 0001 0002"))
	refusal := AppendRTU(nil, 8, unhex(t, "81 01"))
	list, noise := Strays(slices.Concat([]byte{1}, one, []byte{2, 3}, request, written, refusal, one[:4]))
	var units []byte
	for _, s := range list {
		units = append(units, s.Unit)
	}
	if !bytes.Equal(units, []byte{6, 9, 7, 8}) || noise != 7 {
		t.Errorf("%v and %d bytes of noise", units, noise)
	}
}

func TestTCP(t *testing.T) {
	b := AppendTCP(nil, 0x1501, 0xff, unhex(t, "03 0004 0001"))
	if !bytes.Equal(b, unhex(t, "1501 0000 0006 ff 03 0004 0001")) {
		t.Errorf("%x", b)
	}
	for n := range b {
		if _, size, err := NextTCP(b[:n]); size != 0 || err != nil {
			t.Errorf("%x: %d, %v", b[:n], size, err)
		}
	}
	m, size, err := NextTCP(append(b, 1))
	if err != nil || size != len(b) || m.Number != 0x1501 || m.Unit != 0xff || len(m.PDU) != 5 {
		t.Errorf("%+v %d %v", m, size, err)
	}
	for _, text := range []string{"1501 0001 0006 ff", "1501 0000 0001 ff", "1501 0000 00ff ff", "4854 5450 2f31 2e"} {
		if _, _, err := NextTCP(unhex(t, text)); !errors.Is(err, ErrStream) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzLine: whatever is on a line, nothing panics, an answer that is found is one, and it is found again when noise is around it.
func FuzzLine(f *testing.F) {
	f.Add(byte(5), byte(3), uint16(7), uint16(2), []byte{5, 3, 4, 0x12, 0x34, 0x56, 0x78, 0x90, 0xe8}, false)
	f.Add(byte(1), byte(1), uint16(0), uint16(2000), []byte{1, 0x81, 2, 0xc1, 0x91}, true)
	f.Add(byte(9), byte(16), uint16(1), uint16(3), []byte{9, 16, 0, 1, 0, 3, 0, 0}, true)
	f.Fuzz(func(t *testing.T, unit, function byte, address, count uint16, b []byte, echoes bool) {
		r := Request{Function: Function(function), Address: address, Count: count}
		switch r.Function {
		case WriteCoil:
			r.Data = []byte{byte(count & 1)}
		case WriteRegister:
			r.Data = []byte{1, 2}
		case WriteCoils:
			r.Data = make([]byte, bytesOf(count))
		case WriteRegisters:
			r.Data = make([]byte, 2*int(count))
		}
		list, noise := Strays(b)
		total := noise
		for _, s := range list {
			total += len(s.PDU) + 3
		}
		if total != len(b) {
			t.Fatalf("%d of %d bytes", total, len(b))
		}
		if size, ok := RequestAt(b); ok && size > 0 {
			if size > len(b) {
				t.Fatalf("a request of %d bytes in %d", size, len(b))
			}
			if parsed, err := ParseRequest(b[1 : size-2]); err == nil && !bytes.Equal(parsed.Append(nil), b[1:size-2]) {
				t.Fatalf("%x is %+v", b[:size], parsed)
			}
		}
		if len(b) > 0 {
			_, _ = ParseRequest(b)
		}
		if m, size, err := NextTCP(b); err == nil && size > 0 {
			if !bytes.Equal(AppendTCP(nil, m.Number, m.Unit, m.PDU), b[:size]) {
				t.Fatalf("%x is %+v", b[:size], m)
			}
		}
		if r.Check() != nil {
			return
		}
		if pdu := r.Append(nil); len(pdu) > MaxPDU {
			t.Fatalf("%+v has %d bytes", r, len(pdu))
		} else if back, err := ParseRequest(pdu); err != nil || !back.Same(&r) {
			t.Fatalf("%+v became %+v, %v", r, back, err)
		}
		_, _ = r.Answer(b)
		found, ok := FindAnswer(b, unit, &r, echoes)
		if !ok {
			return
		}
		if found.Err == nil && r.Function.Reads() && len(found.Data) != r.AnswerSize()-2 || found.Before+found.After > len(b) {
			t.Fatalf("%+v", found)
		}
		if again, ok := FindAnswer(append(slices.Clone(b), 0xff), unit, &r, echoes); !ok || !bytes.Equal(again.Data, found.Data) {
			t.Fatalf("%+v, with one more byte %+v", found, again)
		}
	})
}
