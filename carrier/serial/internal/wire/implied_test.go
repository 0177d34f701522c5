package wire

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestImpliedSession: every frame implies its session, for either end.
func TestImpliedSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		session := rapid.Uint16().Draw(t, "session")
		from := End(rapid.IntRange(0, 1).Draw(t, "from"))
		f := Frame{Kind: FrameType(rapid.IntRange(1, 7).Draw(t, "kind")), Number: rapid.Uint8Range(0, 31).Draw(t, "number"),
			Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")}
		chunk := AppendFrame(nil, from, session, f)
		chunk = chunk[:len(chunk)-1]
		before := bytes.Clone(chunk)
		if got, ok := ImpliedSession(chunk, from); !ok || got != session {
			t.Fatalf("%#x, %v, want %#x", got, ok, session)
		}
		if !bytes.Equal(chunk, before) {
			t.Fatal("the chunk was changed")
		}
	})
	for _, chunk := range [][]byte{nil, {1}, {2, 0x20}, AppendFrame(nil, Device, 0, Frame{Kind: FrameHello, Payload: []byte("x")})} {
		if _, ok := ImpliedSession(bytes.TrimSuffix(chunk, []byte{0}), Device); ok {
			t.Errorf("% x implies a session", chunk)
		}
	}
}
