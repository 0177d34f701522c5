package carrier

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// FuzzJSONText holds what takes JSON apart and puts it together against encoding/json.
func FuzzJSONText(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"method":"signal","params":{"a":[1,2.5e-3,true,null]}}`, ` [ ] `, `{ }`, `[1,]`, `{"a":1,}`, `{"a" 1}`, `{,}`, `[,]`,
		`"\u00e9\n\"\\\/\b\f\r\t"`, `"\u00g0"`, `"\x"`, `"\u12`, "\"\x01\"", `"`, `"\`, `-`, `-0`, `01`, `1.`, `1.e3`, `1e`, `1e+`, `1E+5`, `0.5`, `-1.5e10`,
		`tru`, `truex`, `nul`, `[1 2]`, `{"a":1 "b":2}`, `18446744073709551615`, `18446744073709551616`, `9223372036854775808`,
		`"` + "\u2028\u2029\u007f<>&" + `"`, "\"\xff\"", strings.Repeat("[", 33) + strings.Repeat("]", 33), "[[\n1]\t,\r{}]", `{"a":{"a":1},"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rest, err := jsonCodec{}.skip(skipSpace(data), MaxDepth)
		whole := err == nil && len(skipSpace(rest)) == 0
		if valid := json.Valid(data) && jsonDepth(data) == nil; whole != valid {
			t.Fatalf("%q: valid is %v, but %v", data, valid, err)
		}
		if IsJSON(data) != json.Valid(data) {
			t.Fatalf("%q: is JSON: %t", data, IsJSON(data))
		}
		if err == nil && !json.Valid(data[:len(data)-len(rest)]) {
			t.Fatalf("%q is skipped", data[:len(data)-len(rest)])
		}
		checkFields(t, data)
		checkText(t, string(data))
		checkSimple[string](t, data)
		checkSimple[int](t, data)
		checkSimple[int64](t, data)
		checkSimple[uint64](t, data)
	})
}

func checkFields(t *testing.T, data []byte) {
	t.Helper()
	got := make(map[string]string)
	err := JSON.Fields(data, func(key string, v Value) error {
		got[key] = string(v.raw)
		return nil
	})
	var want map[string]json.RawMessage
	if wantErr := errors.Join(json.Unmarshal(data, &want), jsonDepth(data)); (err == nil) != (wantErr == nil && want != nil) {
		if bytes.Equal(data, bytes.ToValidUTF8(data, nil)) {
			t.Fatalf("%q: %v, but %v", data, err, wantErr)
		}
	}
	if err != nil {
		return
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %v", data, got)
	}
	for k, raw := range want {
		if got[k] != string(raw) {
			t.Fatalf("%q: %q is %q, not %q", data, k, got[k], raw)
		}
	}
}

func checkText(t *testing.T, text string) {
	t.Helper()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		t.Fatal(err)
	}
	if got := string(appendJSONText(nil, text)) + "\n"; got != want.String() {
		t.Fatalf("%q is written as %q, not %q", text, got, want.String())
	}
}

func checkSimple[T comparable](t *testing.T, data []byte) {
	t.Helper()
	var got, want T
	if !decodeSimpleJSON(data, &got) {
		return
	}
	if err := json.Unmarshal(data, &want); err != nil || got != want {
		t.Fatalf("%q is read as %v, not %v, %v", data, got, want, err)
	}
}

// jsonDepth refuses what is nested deeper than MaxDepth, before anything recurses into it.
func jsonDepth(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case inString:
			if b == '\\' {
				i++
			} else if b == '"' {
				inString = false
			}
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("json: nested deeper than %d", MaxDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}

// TestSkipPlain: the first byte of a text that is not plain is found wherever it stands, whatever follows it.
func TestSkipPlain(t *testing.T) {
	for size := range 20 {
		for at := 1; at < size; at++ {
			for b := range 256 {
				for _, next := range []byte{'"', '\\', 0, 0x1f, ' ', '!', '#', '[', ']', 0x7f, 0x80, 0xff} {
					text := bytes.Repeat([]byte{'!'}, size)
					text[0], text[at] = '"', byte(b)
					if at+1 < size {
						text[at+1] = next
					}
					want := 1
					for want < size && isPlain[text[want]] {
						want++
					}
					if got := skipPlain(text); got != want {
						t.Fatalf("%q: %d bytes are plain, not %d", text, got, want)
					}
				}
			}
		}
	}
}
