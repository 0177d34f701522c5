package carrier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestGoldenMessages(t *testing.T) {
	message := &Message{ID: ValueOf(7), Method: "signal", Params: ValueOf(Object{{"listener_id", 3}, {"data", 512}})}
	done := &Reply{ID: ValueOf(7), Response: ValueOf("ok")}
	empty := &Reply{ID: ValueOf(7)}
	failed := &Reply{ID: ValueOf("x"), Status: StatusFailed, Exception: "no", Response: ValueOf("not sent")}
	silent := &Reply{Status: StatusNoSuchMethod}
	for _, c := range []struct {
		what             Appender
		json, cbor, text string
	}{
		{message, `{"id":7,"method":"signal","params":{"listener_id":3,"data":512}}`,
			"a3 00 07 01 66 7369676e616c 02 a2 08 03 07 19 0200",
			"a3 62 6964 07 66 6d6574686f64 66 7369676e616c 66 706172616d73 a2 6b 6c697374656e65725f6964 03 64 64617461 19 0200"},
		{&Message{}, `{"id":null,"method":"","params":null}`, "a3 00 f6 01 60 02 f6",
			"a3 62 6964 f6 66 6d6574686f64 60 66 706172616d73 f6"},
		{done, `{"id":7,"status":0,"response":"ok"}`, "a3 00 07 03 00 04 62 6f6b",
			"a3 62 6964 07 66 737461747573 00 68 726573706f6e7365 62 6f6b"},
		{empty, `{"id":7,"status":0,"response":null}`, "a3 00 07 03 00 04 f6",
			"a3 62 6964 07 66 737461747573 00 68 726573706f6e7365 f6"},
		{failed, `{"id":"x","status":-2,"exception":"no"}`, "a3 00 61 78 03 21 05 62 6e6f",
			"a3 62 6964 61 78 66 737461747573 21 69 657863657074696f6e 62 6e6f"},
		{silent, `{"id":null,"status":-1}`, "a2 00 f6 03 20", "a2 62 6964 f6 66 737461747573 20"},
	} {
		for _, in := range []struct {
			codec Codec
			want  []byte
		}{{JSON, []byte(c.json)}, {CBOR, unhex(t, c.cbor)}, {CBORText, unhex(t, c.text)}} {
			got, err := c.what.AppendTo(nil, in.codec)
			if err != nil || !bytes.Equal(got, in.want) {
				t.Errorf("%s: %q, %v, want %q", in.codec.Name(), got, err, in.want)
			}
		}
	}
}

func TestUnpackMessage(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":1,"method":"x","params":[1]}`:          `1 "x" [1]`,
		`{"params":{},"method":"x","id":{"a":[1.0]}}`: `{"a":[1.0]} "x" {}`,
		"{\"id\" : [1,\n2] , \"method\":\"x\"}":       `[1,2] "x" null`,
		`{"id":null,"method":"x"}`:                    `null "x" null`,
		`{"method":"x"}`:                              `null "x" null`,
		`{"id":1,"method":null}`:                      `1 "" null`,
		`{"id":1}`:                                    `1 "" null`,
		`{}`:                                          `null "" null`,
		`{"id":1,"method":"x","what":true}`:           `1 "x" null`,
		`{"id":1,"id":2,"method":"a","method":"b"}`:   `2 "b" null`,
		`{"ID":1,"Method":"x"}`:                       `null "" null`,
		`{"id":1,"response":1,"exception":"x"}`:       `1 "" null`,
		`{"id":"é","method":"\u00e9"}`:                `"é" "é" null`,
		`{"id":18446744073709551616,"method":"x"}`:    `18446744073709551616 "x" null`,
	} {
		p, err := Unpack(JSON, []byte(text))
		if err != nil || p.Message == nil || p.Reply != nil {
			t.Errorf("%s: %+v, %v", text, p, err)
			continue
		}
		if got := fmt.Sprintf("%s %q %s", p.Message.ID, p.Message.Method, p.Message.Params); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestUnpackReply(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":1,"status":0,"response":[1]}`:                   `1 0 [1] ""`,
		`{"id":1,"status":0}`:                                  `1 0 null ""`,
		`{"id":1,"status":-2,"exception":"no"}`:                `1 -2 null "no"`,
		`{"id":1,"status":-2,"exception":null}`:                `1 -2 null ""`,
		`{"id":1,"status":-2,"exception":{"why":1}}`:           `1 -2 null "{\"why\":1}"`,
		`{"status":77}`:                                        `null 77 null ""`,
		`{"id":1,"status":0,"method":"x"}`:                     `1 0 null ""`,
		`{"id":1,"status":-2,"response":1,"exception":"both"}`: `1 -2 1 "both"`,
	} {
		p, err := Unpack(JSON, []byte(text))
		if err != nil || p.Reply == nil || p.Message != nil {
			t.Errorf("%s: %+v, %v", text, p, err)
			continue
		}
		r := p.Reply
		if got := fmt.Sprintf("%s %d %s %q", r.ID, int(r.Status), r.Response, r.Exception); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	const noReply = "no reply is owed"
	for name, c := range map[string]struct {
		codec Codec
		data  []byte
		want  string // the id to reply to
	}{
		"nothing":             {JSON, nil, "null"},
		"null":                {JSON, []byte(`null`), "null"},
		"a list":              {JSON, []byte(`[{"id":1}]`), "null"},
		"a number":            {JSON, []byte(`1`), "null"},
		"a text":              {JSON, []byte(`"{}"`), "null"},
		"half":                {JSON, []byte(`{"id":1,"method":"x"`), "null"},
		"two":                 {JSON, []byte(`{"id":1}{"id":2}`), "null"},
		"too deep":            {JSON, []byte(`{"id":1,"params":` + strings.Repeat("[", 34) + strings.Repeat("]", 34) + `}`), "null"},
		"method is a number":  {JSON, []byte(`{"id":1,"method":2}`), "1"},
		"method is a list":    {JSON, []byte(`{"id":"a","method":["x"]}`), `"a"`},
		"method is a map":     {JSON, []byte(`{"method":{}}`), "null"},
		"method is true":      {JSON, []byte(`{"id":[1],"method":true}`), "[1]"},
		"status is a text":    {JSON, []byte(`{"id":1,"status":"0"}`), noReply},
		"status is null":      {JSON, []byte(`{"id":1,"status":null}`), noReply},
		"status is a float":   {JSON, []byte(`{"id":1,"status":0.5}`), noReply},
		"status is a list":    {JSON, []byte(`{"id":1,"status":[0]}`), noReply},
		"status is huge":      {JSON, []byte(`{"id":1,"status":1e30}`), noReply},
		"cbor nothing":        {CBOR, nil, "null"},
		"cbor null":           {CBOR, unhex(t, "f6"), "null"},
		"cbor a list":         {CBOR, unhex(t, "80"), "null"},
		"cbor bytes":          {CBOR, unhex(t, "41 a0"), "null"},
		"cbor half":           {CBOR, unhex(t, "a2 00 01"), "null"},
		"cbor two":            {CBOR, unhex(t, "a0 a0"), "null"},
		"cbor method: bytes":  {CBOR, unhex(t, "a2 00 01 01 41 78"), "1"},
		"cbor method: number": {CBOR, unhex(t, "bf 00 01 01 02 ff"), "1"},
		"cbor status: bytes":  {CBOR, unhex(t, "a2 00 01 03 41 00"), noReply},
		"cbor status: null":   {CBOR, unhex(t, "a2 00 01 03 f6"), noReply},
		"cbor status: float":  {CBOR, unhex(t, "a2 00 01 03 f9 3e00"), noReply},
		"cbor status: bignum": {CBOR, unhex(t, "a2 00 01 03 c2 49 010000000000000000"), noReply},
	} {
		p, err := Unpack(c.codec, c.data)
		if !errors.Is(err, ErrMalformed) || p.Reply != nil {
			t.Errorf("%s: %+v, %v", name, p, err)
			continue
		}
		got := noReply
		if p.Message != nil {
			got = p.Message.ID.String()
			if p.Message.Method != "" || !p.Message.Params.IsNull() {
				t.Errorf("%s: there is more than an id: %+v", name, p.Message)
			}
		}
		if got != c.want {
			t.Errorf("%s: the id is %s, want %s", name, got, c.want)
		}
	}
}

// An id goes back as the bytes that came.
func TestIDIsEchoedAsItCame(t *testing.T) {
	for _, id := range []string{`1`, `1.0`, `1e0`, `-0`, `"a"`, `"\u0061"`, `null`, `[1, {"b":2}]`, `123456789012345678901234567890`} {
		p, err := Unpack(JSON, []byte(`{"method":"x","id":`+id+`}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&Reply{ID: p.Message.ID}).AppendTo(nil, JSON)
		if want := `{"id":` + id + `,"status":0,"response":null}`; err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	for _, id := range []string{"01", "1801", "f90000", "fb3ff0000000000000", "9f01ff", "c24101", "41ff", "f7", "d820 01"} {
		p, err := Unpack(CBOR, unhex(t, "a2 01 61 78 00"+id))
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&Reply{ID: p.Message.ID}).AppendTo(nil, CBOR)
		if want := unhex(t, "a3 00"+id+"03 00 04 f6"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v, want %x", got, err, want)
		}
	}
}

func TestFailed(t *testing.T) {
	status := &StatusError{Status: StatusNoSuchMethod, Exception: "x"}
	for _, c := range []struct {
		err       error
		status    Status
		exception string
	}{
		{errors.New("broken"), StatusFailed, "broken"},
		{status, StatusNoSuchMethod, "x"},
		{fmt.Errorf("light: %w", status), StatusNoSuchMethod, "light: no such method: x"},
		{fmt.Errorf("reading: %w", ErrMalformed), StatusMalformed, "reading: carrier: malformed message"},
		{fmt.Errorf("%w: 5 bytes", ErrTooLarge), StatusTooLarge, "carrier: message too large: 5 bytes"},
		{ErrLimit, StatusLimit, "carrier: limit reached"},
		{ErrDenied, StatusDenied, "carrier: not allowed"},
		{context.DeadlineExceeded, StatusFailed, "context deadline exceeded"},
	} {
		if r := Failed(c.err); r.Status != c.status || r.Exception != c.exception {
			t.Errorf("%v: %d %q, want %d %q", c.err, r.Status, r.Exception, c.status, c.exception)
		}
	}
}

func TestReplyErr(t *testing.T) {
	if err := Done(1).Err(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		reply Reply
		want  string
	}{
		{Reply{Status: StatusFailed, Exception: "broken"}, "broken"},
		{Reply{Status: StatusFailed}, "failed"},
		{Reply{Status: StatusNoMethod}, "no method in the message"},
		{Reply{Status: StatusTooLarge, Exception: "5 bytes"}, "message too large: 5 bytes"},
		{Reply{Status: -99}, "status -99"},
		{Reply{Status: 5, Exception: "x"}, "status 5: x"},
	} {
		err := c.reply.Err()
		var s *StatusError
		if !errors.As(err, &s) || s.Status != c.reply.Status || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.reply, err, c.want)
		}
		if again := Failed(err); again.Status != c.reply.Status || again.Exception != c.reply.Exception {
			t.Errorf("%+v becomes %+v when it is passed on", c.reply, again)
		}
	}
}

func TestStatusTexts(t *testing.T) {
	seen := make(map[string]Status)
	for s := StatusDone; s >= StatusDenied; s-- {
		text := s.String()
		if other, ok := seen[text]; ok || strings.HasPrefix(text, "status") {
			t.Errorf("status %d has the text %q of status %d", s, text, other)
		}
		seen[text] = s
	}
}

func TestReason(t *testing.T) {
	for want, errs := range map[string][]error{
		"closed":    {nil, ErrClosed, ErrGone, ErrLimit, errors.New("x")},
		"unplugged": {ErrUnplugged, fmt.Errorf("%w: %w", ErrGone, ErrUnplugged)},
		"timeout":   {ErrTimeout, context.DeadlineExceeded},
		"reset":     {fmt.Errorf("device 7: %w", ErrReset)},
		"revoked":   {ErrRevoked, fmt.Errorf("%w: alice", ErrRevoked)},
		"shutdown":  {ErrShutdown, errors.Join(ErrClosed, ErrShutdown)},
	} {
		for _, err := range errs {
			if got := Reason(err); got != want {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		}
	}
}
