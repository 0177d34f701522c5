package safetext

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Skeleton returns what a name looks like, in letters that are the same for all names that look the same: compatibility forms
// are resolved (NFKD: full width, ligatures, composed letters), letters of other scripts that look like Latin ones become
// those, capitals become small, and what is invisible or only spaces differently is gone. Two names with the same skeleton are
// easily taken for each other. A skeleton is for comparing, not for reading.
func Skeleton(name string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFKD.String(name) {
		switch {
		case unicode.Is(unicode.Cf, r) || unicode.Is(invisible, r) || unicode.IsControl(r):
			continue
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		small := unicode.ToLower(likeLatin(r))
		b.WriteString(likeness(unicode.ToLower(likeLatin(small)))) // a capital may look like nothing, and its small letter may
	}
	return b.String()
}

// likeLatin returns the Latin letter that a letter of another script looks like, else the letter itself.
func likeLatin(r rune) rune {
	if r <= unicode.MaxASCII {
		return r
	}
	for _, script := range []string{cyrillic, greek} {
		if twin, ok := twinIn(script, r); ok {
			return twin
		}
	}
	return r
}

func twinIn(pairs string, r rune) (twin rune, ok bool) {
	for pair := range strings.FieldsSeq(pairs) {
		letters := []rune(pair)
		if slices.Contains(letters[1:], r) {
			return letters[0], true
		}
	}
	return 0, false
}

// likeness is the last step, within the Latin letters, the digits and the punctuation.
func likeness(r rune) string {
	switch r {
	case '1', 'i', 'l', '|', 'ı', 'ǀ':
		return "l"
	case '0', 'o':
		return "o"
	case 'm':
		return "rn"
	case 'w':
		return "vv"
	case 'ɡ':
		return "g"
	case 'ɑ':
		return "a"
	case '‐', '‑', '‒', '–', '—', '―', '−':
		return "-"
	case '’', '‘', 'ʼ', 'ˈ', '′', '`', '´':
		return "'"
	case '·', '•', '∙', '⋅':
		return "."
	case '⁄', '∕':
		return "/"
	case '‚':
		return ","
	case 'ː', '∶', '։':
		return ":"
	}
	return string(r)
}

// Letters that look like a Latin letter in common typefaces: each group is the Latin letter, then those that look like it. They
// are chosen after the confusable characters of Unicode Technical Standard 39 (confusables.txt), from the scripts whose letters
// are on keyboards beside the Latin ones; rare letters are left out.
const (
	cyrillic = "aа AА bЬ BВ cс CС dԁ eе EЕ ghɡ hһ HН iі IІӀ jј JЈ KК kк lӏ MМ mм" +
		" oо OО pр PР qԛ QԚ rг sѕ SЅ tт TТ vѵ VѴ wѡԝ WԜ xх XХ yуү YУҮ" +
		" 3з 3З 6б"
	greek = "aα AΑ BΒ EΕ HΗ iι IΙ KΚ kκ MΜ NΝ nη oο OΟ pρ PΡ TΤ tτ uυ vν xχ XΧ YΥ yγ wω ZΖ cϲ CϹ jϳ"
)

// Mixed reports whether a name has Latin letters and among them Cyrillic or Greek ones that look Latin, which is what a name
// looks like that is made to be taken for another. A Greek Δ or μ with Latin letters is a usual symbol.
func Mixed(name string) bool {
	latin, twins := false, false
	for _, r := range norm.NFC.String(name) {
		switch {
		case likeLatin(r) != r:
			twins = true
		case unicode.Is(unicode.Latin, r):
			latin = true
		}
	}
	return latin && twins
}
