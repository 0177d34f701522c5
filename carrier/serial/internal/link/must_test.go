package link

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vectors is what these tests use of testdata/serial/frames.json; those of package wire use it all.
type vectors struct {
	Frames       []struct{ Name, Wire string }
	Dictionaries []struct{ Text string }
	Readings     []struct {
		Payload string
		After   *uint32
	}
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	data, err := os.ReadFile("../../../../testdata/serial/frames.json")
	must(t, err)
	must(t, json.Unmarshal(data, &v))
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}
