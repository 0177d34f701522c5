package fault

import (
	"bytes"
	"strings"
	"testing"
)

func TestMisread(t *testing.T) {
	text := []byte("It was sent at one rate.\x00\xff\r\n")
	for _, rate := range []int{9600, 115200} {
		if got := misread(text, rate, rate); !bytes.Equal(got, text) {
			t.Errorf("at the same rate %q becomes %q", text, got)
		}
	}
	if got := misread(text, 115200, 117000); !bytes.Equal(got, text) {
		t.Errorf("1.5 %% off, as every receiver must bear, %q becomes %q", text, got)
	}
	// At half the rate each bit is seen twice: U, whose bits alternate, first as start, start, 1, 1, 0, 0, 1, 1, 0, 0.
	if got := misread([]byte("U"), 57600, 115200); len(got) == 0 || got[0] != 0b01100110 {
		t.Errorf("U becomes % x", got)
	}
}

func TestESP32(t *testing.T) {
	text := ESP32()
	garbage, readable, ok := strings.Cut(text, "\x1b[0;32mI (31) boot:")
	if !ok || !strings.HasSuffix(readable, "\r\n") {
		t.Errorf("the boot loader cannot be read: %q", text)
	}
	if strings.Contains(garbage, "rst:") || len(garbage) < 100 {
		t.Errorf("the ROM is no garbage: %q", garbage)
	}
	if len(text) > maxBoot {
		t.Errorf("%d bytes", len(text))
	}
}
