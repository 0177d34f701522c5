package carrier

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func FuzzUnpackJSON(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"method":"signal","params":{"listener_id":3,"info":{"sender":"light"},"data":512}}`,
		`{"id":[1.0,"\u00e9"],"status":0,"response":[1,2,{"x":null}]}`,
		`{"id":"a","status":-2,"exception":"no"}`, `{"id":1,"status":null}`, `{"id":1,"id":2}`, `{}`, `null`, `[{}]`,
		"{\"id\" :\n1, \"method\":\"x\\\"\"}", `{"params":[[[[[[]]]]]]}`, "{\"id\":\"\xff\"}", `{"id":1`, `1e999`,
		strings.Repeat("[", 40), strings.Repeat(`{"a":`, 40),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkUnpack(t, JSON, data)
		checkDecode(t, JSON, data)
	})
}

func FuzzUnpackCBOR(f *testing.F) {
	for _, seed := range []string{
		"a3000701667369676e616c02a2080307190200", "a362696407666d6574686f6461786670617261 6d73f6", "a3000703000482f97e0041ff",
		"a20061780320", "bf0001017f61786178ffff", "bf0001ff", "a200010103", "f6", "80", "d9d9f7a0", "a1c10102", "a1008161ff",
		"bbffffffffffffffff", "5b7fffffffffffffff", "a100c249010000000000000000", "a1803b", "818181818181818181818181818181818181818181818181818181818181818181818181",
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkUnpack(t, CBOR, data)
		checkUnpack(t, CBORText, data)
		checkDecode(t, CBOR, data)
	})
}

// checkUnpack checks that what can be unpacked can be packed, and is then the same.
func checkUnpack(t *testing.T, c Codec, data []byte) {
	first, err := Unpack(c, data)
	if err != nil {
		if !errors.Is(err, ErrMalformed) || first.Reply != nil {
			t.Fatalf("%+v, %v", first, err)
		}
		return
	}
	once := pack(t, c, first)
	second, err := Unpack(c, once)
	if err != nil {
		t.Fatalf("%q cannot be read again: %v", once, err)
	}
	if twice := pack(t, c, second); !bytes.Equal(once, twice) {
		t.Fatalf("%q becomes %q", once, twice)
	}
	if m := first.Message; m != nil && m.Method != second.Message.Method {
		t.Fatalf("the method %q becomes %q", m.Method, second.Message.Method)
	}
	if r := first.Reply; r != nil && r.Status != second.Reply.Status {
		t.Fatalf("the status %d becomes %d", r.Status, second.Reply.Status)
	}
}

func pack(t *testing.T, c Codec, p Packet) []byte {
	var what Appender = p.Message
	if p.Message == nil {
		what = p.Reply
	}
	data, err := what.AppendTo(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	if c == JSON && bytes.ContainsAny(data, "\r\n") {
		t.Fatalf("more than one line: %q", data)
	}
	return data
}

// checkDecode decodes into types of all kinds, and makes sure of nothing but that it comes back.
func checkDecode(_ *testing.T, c Codec, data []byte) {
	v := RawValue(c, data)
	for _, dst := range []any{
		new(int), new(string), new([]byte), new(float64), new(bool), new([]any), new(map[string]any), new([]Value),
		new(map[string]Value), new(struct{ ID Value }), new(*int), new(Value),
	} {
		_ = v.Decode(dst)
	}
	_, _ = v.String(), v.IsNull()
}

func FuzzTranscode(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,-0.0,1e300,"é",null,true],"b":{}}`, `18446744073709551616`, `123456789012345678901234567890`,
		"\xa2\x05\x01\x20\x41\xff", "\xf9\x7e\x00", "\xc1\x1a\x51\x4b\x67\xb0", "\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"\xbf\x61a\x9f\x01\xff\xff", "\xf8\xff", "\x82\x43\x01\x02\x03\xd8\x20\x61x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if JSON.Decode(data, &v) == nil {
			packed, err := RawValue(JSON, data).AppendTo(nil, CBOR)
			if err != nil {
				t.Fatalf("%v cannot be packed as CBOR: %v", v, err)
			}
			want, err := JSON.Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := RawValue(CBOR, packed).AppendTo(nil, JSON); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s comes back as %s, %v", want, got, err)
			}
		}
		if CBOR.Decode(data, &v) == nil {
			text, err := RawValue(CBOR, data).AppendTo(nil, JSON)
			if err != nil || !json.Valid(text) {
				t.Fatalf("%v cannot be written as JSON: %s, %v", v, text, err)
			}
			if err := JSON.Decode(text, &v); err != nil {
				t.Fatalf("%s cannot be read: %v", text, err)
			}
		}
	})
}
