package terminal

import (
	"image"
	"image/color"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// TestQR reads what is drawn with a reader of another kind.
func TestQR(t *testing.T) {
	for _, text := range []string{
		"pi.local:3000/7A8G-X2RT-9KMN-4P6Q-ZV0W-1Y3H-E5",
		"[2001:db8:1234:5678:9abc:def0:1234:5678]:65535/7A8G-X2RT-9KMN-4P6Q-ZV0W-1Y3H-E5D7",
		strings.Repeat("long", 100), "x",
	} {
		lines, width, err := QR(text)
		if err != nil {
			t.Fatal(err)
		}
		const zoom = 4
		picture := image.NewGray(image.Rect(0, 0, width*zoom, 2*len(lines)*zoom))
		for row, line := range lines {
			line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[40;37;1m"), "\x1b[0m")
			if n := utf8.RuneCountInString(line); n != width {
				t.Fatalf("a line has %d columns, not %d", n, width)
			}
			column := 0
			for _, r := range line {
				for y := range 2 * zoom {
					light := r == '█' || y < zoom && r == '▀' || y >= zoom && r == '▄'
					for x := range zoom {
						if light {
							picture.SetGray(column*zoom+x, row*2*zoom+y, color.Gray{Y: 255})
						}
					}
				}
				column++
			}
		}
		bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
		if err != nil {
			t.Fatal(err)
		}
		read, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
		if err != nil || read.GetText() != text {
			t.Errorf("%q is read as %v, %v", text, read, err)
		}
	}
	if lines, _, err := QR(strings.Repeat("x", 10_000)); err == nil || lines != nil {
		t.Error("a text that is too long has a code")
	}
}
