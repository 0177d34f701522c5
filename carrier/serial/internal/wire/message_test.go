package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sighub/carrier"
)

func TestReplies(t *testing.T) {
	const limit = 60
	for _, want := range []carrier.Reply{
		{},
		carrier.Done(7),
		carrier.Done("text"),
		{Status: carrier.StatusFailed, Exception: "why"},
		{Status: -1000},
	} {
		got := UnpackReply(PackReply(want, limit))
		if got.Status != want.Status || got.Exception != want.Exception || got.Response.String() != want.Response.String() {
			t.Errorf("%v arrives as %v", want, got)
		}
	}
	long := PackReply(carrier.Failed(errors.New(strings.Repeat("é", 500))), limit)
	if r := UnpackReply(long); len(long) > limit || r.Status != carrier.StatusFailed || len(r.Exception) < limit-8 {
		t.Errorf("%d bytes: %v", len(long), r)
	}
	if r := UnpackReply(PackReply(carrier.Done(strings.Repeat("x", 100)), limit)); r.Status != carrier.StatusTooLarge {
		t.Errorf("%v", r)
	}
	if r := UnpackReply(PackReply(carrier.Done(make(chan int)), limit)); r.Status != carrier.StatusFailed {
		t.Errorf("%v", r)
	}
	if r := UnpackReply([]byte{0x61}); r.Status != carrier.StatusMalformed {
		t.Errorf("%v", r)
	}
	if r := UnpackReply([]byte{0x21, 0x07}); r.Exception != "7" {
		t.Errorf("%v", r)
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct{ name, payload string }{
		{"a reply", "\xa1\x66status\x00"},
		{"no map", "\x80"},
		{"nothing", ""},
		{"a method that is no text", "\xa1\x66method\x01"},
	} {
		if m, err := UnpackMessage([]byte(c.payload)); !errors.Is(err, carrier.ErrMalformed) {
			t.Errorf("%s: %v, %v", c.name, m, err)
		}
	}
	if _, _, ok := UnpackNumbered([]byte{5, 0x61}); ok {
		t.Error("params that end early")
	}
}

func TestItems(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x81}, carrier.MaxDepth), 0)
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"as deep as may be":    {deep, true},
		"deeper":               {append([]byte{0x81}, deep...), false},
		"indefinite array":     {[]byte{0x9f, 1, 2, 0xff}, true},
		"indefinite map":       {[]byte{0xbf, 1, 2, 0xff}, true},
		"indefinite text":      {[]byte{0x7f, 0x61, 'a', 0xff}, true},
		"indefinite, mixed":    {[]byte{0x7f, 0x41, 'a', 0xff}, false},
		"half a pair":          {[]byte{0xbf, 1, 0xff}, false},
		"a break alone":        {[]byte{0xff}, false},
		"no UTF-8":             {[]byte{0x61, 0xff}, false},
		"a tag":                {[]byte{0xc1, 5}, true},
		"an endless tag":       {[]byte{0xdf, 5}, false},
		"an endless integer":   {[]byte{0x1f}, false},
		"a long simple value":  {[]byte{0xf8, 20}, false},
		"a claim of much more": {[]byte{0x5a, 0xff, 0xff, 0xff, 0xff}, false},
		"as many items":        {[]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}, false},
		"the most items":       {[]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0xff}, false},
		"the longest string":   {[]byte{0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x41, 'a', 0xff}, false},
		"the largest integer":  {[]byte{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
	} {
		in := Items{Rest: c.data}
		in.raw("x")
		if (in.Err == nil) != c.ok || (in.Err == nil && len(in.Rest) > 0) {
			t.Errorf("%s: %v", name, in.Err)
		}
	}
}
