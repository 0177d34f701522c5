package safetext

import (
	"unicode"
	"unicode/utf8"
)

// A scanner goes through the runes of a text and says what is wrong with each. Whether a mark, a joiner or a selector is right
// depends on what comes before it and after it.
type scanner struct {
	text       string
	start, end int    // the place of the present rune
	r          rune   // utf8.RuneError for a byte that is not UTF-8
	fault      string // what is wrong with it; empty: nothing

	before rune // the last rune that was right; 0: none
	marks  int  // how many marks there are in a row
	emoji  bool // the marks and selectors so far belong to an emoji
}

// maxMarks is how many marks may follow one letter: more than four are suspicious (UTS 39, section 5.4), and reach into the
// lines above and below.
const maxMarks = 4

// Characters inside of an emoji.
const (
	zeroWidthJoiner = '\u200d'
	emojiStyle      = '\ufe0f' // variation selector 16
	textStyle       = '\ufe0e' // variation selector 15
	keycap          = '\u20e3'
)

func (s *scanner) next() bool {
	if s.end >= len(s.text) {
		return false
	}
	s.start = s.end
	r, size := utf8.DecodeRuneInString(s.text[s.start:])
	s.r, s.end = r, s.start+size
	s.fault = s.judge(r, size)
	switch {
	case s.fault != "":
		s.before, s.marks, s.emoji = 0, 0, false
	case r == zeroWidthJoiner || r == emojiStyle || r == textStyle:
		s.before = r
	case unicode.IsMark(r):
		if isStacked(r) {
			s.marks++
		}
		s.before = r
	default:
		s.marks, s.before = 0, r
		s.emoji = isEmoji(r) || s.emoji && isSkinTone(r)
	}
	return true
}

// judge says what is wrong with a rune where it is.
func (s *scanner) judge(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "is not UTF-8"
	case ' ' <= r && r <= '~':
		return ""
	case unicode.IsControl(r):
		return "is a control character"
	case unicode.Is(bidi, r):
		return "is an invisible character that turns the reading direction"
	case r == emojiStyle || r == textStyle:
		if isEmoji(s.before) || isKeycapBase(s.before) && s.following() == keycap {
			return ""
		}
		return "is invisible"
	case r == zeroWidthJoiner:
		if s.emoji && isEmoji(s.following()) {
			return ""
		}
		return "is invisible"
	case unicode.Is(invisible, r), unicode.Is(unicode.Cf, r):
		return "is invisible"
	case unicode.Is(unicode.Zs, r):
		return "is a space other than the ordinary one"
	case unicode.Is(unicode.Z, r):
		return "ends a line"
	case unicode.Is(unicode.Co, r):
		return "has no meaning that all share (private use)"
	case !unicode.IsPrint(r):
		return "is not assigned"
	case unicode.IsMark(r) && (s.before == 0 || s.before == ' '):
		return "is a mark without a letter to stand on"
	case isStacked(r) && s.marks >= maxMarks:
		return "is one mark too many on a letter"
	}
	return ""
}

func (s *scanner) following() rune {
	r, _ := utf8.DecodeRuneInString(s.text[s.end:])
	return r
}

// isEmoji reports whether a rune may be part of an emoji with a selector or joiner: a symbol, such as U+1F321 or U+2194.
func isEmoji(r rune) bool {
	return r > 0x7f && r != utf8.RuneError && !unicode.Is(invisible, r) && (unicode.In(r, unicode.So, unicode.Sm) || isSkinTone(r))
}

// isStacked reports whether a rune is a mark that takes no place of its own on the line.
func isStacked(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) }

func isSkinTone(r rune) bool { return 0x1f3fb <= r && r <= 0x1f3ff }

func isKeycapBase(r rune) bool { return '0' <= r && r <= '9' || r == '#' || r == '*' }

// bidi are the characters that turn the reading direction (UAX 9), which hide what a text says.
var bidi = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x061c, Hi: 0x061c, Stride: 1},
		{Lo: 0x200e, Hi: 0x200f, Stride: 1},
		{Lo: 0x202a, Hi: 0x202e, Stride: 1},
		{Lo: 0x2066, Hi: 0x2069, Stride: 1},
	},
}

// invisible are characters without a shape of their own that Unicode counts among letters, marks and symbols: those that are
// ignorable by default (DerivedCoreProperties.txt, Default_Ignorable_Code_Point) and are not format characters, and three
// blanks: U+2800, U+16FE4, U+1D159.
var invisible = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115f, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian selectors
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // Braille blank
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, // variation selectors
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // halfwidth Hangul filler
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe4, Hi: 0x16fe4, Stride: 1}, // Khitan filler
		{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}, // musical null notehead
		{Lo: 0xe0100, Hi: 0xe01ef, Stride: 1}, // variation selectors
	},
}
