package pairing

// The two letters at the end of an invitation make it a word of a Reed-Solomon code over the field of 32 elements: two words differ in
// three letters at least. The field is that of the polynomials modulo x^5+x^2+1, which is primitive: so x has 31 different powers, one
// for each of up to 31 letters.

const modulus = 0b100101

// double multiplies an element of the field by x.
func double(a byte) byte {
	if a <<= 1; a&0b100000 != 0 {
		a ^= modulus
	}
	return a
}

func multiply(a, b byte) (product byte) {
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		a = double(a)
	}
	return product
}

// remainders returns the word, as a polynomial whose first coefficient is the first letter, at 1 and at x. Both are 0 for a word of
// the code.
func remainders(word *[allLetters]byte) (atOne, atX byte) {
	for _, letter := range word {
		atOne ^= letter
		atX = double(atX) ^ letter
	}
	return atOne, atX
}

func sealed(word *[allLetters]byte) bool {
	atOne, atX := remainders(word)
	return atOne == 0 && atX == 0
}

// seal sets the last two letters, a and b. They add a+b at 1 and ax+b at x, so a(1+x) is the sum of both remainders.
func seal(word *[allLetters]byte) {
	word[allLetters-2], word[allLetters-1] = 0, 0
	atOne, atX := remainders(word)
	a := multiply(atOne^atX, inverse(0b11))
	word[allLetters-2], word[allLetters-1] = a, atOne^a
}

// inverse returns 1/a: a^30, because a^31 is 1.
func inverse(a byte) byte {
	power := byte(1)
	for range 30 {
		power = multiply(power, a)
	}
	return power
}
