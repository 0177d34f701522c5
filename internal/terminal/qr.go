package terminal

import (
	"fmt"

	"rsc.io/qr"
)

// quiet is how many modules around a QR code are light (ISO/IEC 18004, 9.1).
const quiet = 4

// QR returns a text as a QR code, as lines for a terminal with ANSI colours, and how many columns they have. A character is two
// modules, one above the other, because it is twice as high as it is wide. The light modules are drawn and the colours are set, so that
// the code is the right way round on every terminal.
func QR(text string) (lines []string, width int, err error) {
	code, err := qr.Encode(text, qr.L) // a screen does no harm that would need more correction
	if err != nil {
		return nil, 0, fmt.Errorf("%d bytes are too many for a QR code: %w", len(text), err)
	}
	width = code.Size + 2*quiet
	light := func(x, y int) bool { return !code.Black(x-quiet, y-quiet) } // outside, nothing is black
	for y := 0; y < width; y += 2 {
		line := []rune("\x1b[40;37;1m") // bright white on black
		for x := range width {
			upper, lower := light(x, y), light(x, y+1) && y+1 < width
			switch {
			case upper && lower:
				line = append(line, '█')
			case upper:
				line = append(line, '▀')
			case lower:
				line = append(line, '▄')
			default:
				line = append(line, ' ')
			}
		}
		lines = append(lines, string(line)+"\x1b[0m")
	}
	return lines, width, nil
}
