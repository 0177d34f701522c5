package pairing

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	hubKey    = [32]byte{0: 0x3a, 1: 0x91, 31: 1}
	clientKey = [32]byte{0: 7}
	otherKey  = [32]byte{0: 8}
	alice     = Grant{Name: "alice", Roles: []string{"viewer"}}
)

func start(t *testing.T, p *Pairings, g Grant) *Invitation {
	t.Helper()
	in, err := p.Start("pi.local:3000", hubKey, g)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func proof(t *testing.T, in *Invitation, hub, client [32]byte) Proof {
	t.Helper()
	pr, err := in.Proof(hub, client)
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

// TestPair: the way of an invitation, through a person, to the machine that is let in; once.
func TestPair(t *testing.T) {
	var p Pairings
	in, err := Parse(start(t, &p, alice).String())
	if err != nil || in.Address != "pi.local:3000" {
		t.Fatal(in, err)
	}
	pr := proof(t, in, hubKey, clientKey)
	if list := p.Open(); len(list) != 1 || list[0].Name != "alice" {
		t.Error(list)
	}
	g, err := p.Try(in.ID(), pr, hubKey, clientKey)
	if err != nil || g.Name != "alice" || len(g.Roles) != 1 || g.Roles[0] != "viewer" {
		t.Error(g, err)
	}
	if g, err := p.Try(in.ID(), pr, hubKey, clientKey); !errors.Is(err, ErrNone) || g.Name != "" {
		t.Errorf("an invitation was used twice: %v %v", g, err)
	}
	if len(p.Open()) != 0 || p.Cancel("alice") {
		t.Error("it is still open")
	}
}

// TestInTheMiddle: somebody with another key is told nothing, and what was said to the hub is of no use to anybody else.
func TestInTheMiddle(t *testing.T) {
	var p Pairings
	in := start(t, &p, alice)
	if _, err := in.Proof(otherKey, clientKey); err == nil {
		t.Error("a proof was made for another hub")
	}
	near := hubKey
	near[9] ^= 1 // the last byte of the 80 bits
	if in.IsHub(near) {
		t.Error("79 bits are taken for 80")
	}
	beyond := hubKey
	beyond[10] ^= 1
	replayed := proof(t, in, beyond, clientKey) // a key with the same 80 bits, which somebody has found
	for what, try := range map[string]func() (Grant, error){
		"another client's key": func() (Grant, error) { return p.Try(in.ID(), proof(t, in, hubKey, clientKey), hubKey, otherKey) },
		"no key":               func() (Grant, error) { return p.Try(in.ID(), proof(t, in, hubKey, [32]byte{}), hubKey, [32]byte{}) },
		"said to another hub":  func() (Grant, error) { return p.Try(in.ID(), replayed, hubKey, clientKey) },
	} {
		if _, err := try(); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := p.Try(in.ID(), proof(t, in, hubKey, clientKey), hubKey, clientKey); err != nil {
		t.Error(err)
	}
}

// TestGuessed: after five wrong tries the pairing is over, also for who has the secret; another pairing is not.
func TestGuessed(t *testing.T) {
	var p Pairings
	in, bob := start(t, &p, alice), start(t, &p, Grant{Name: "bob"})
	var right atomic.Int64
	var wg sync.WaitGroup
	for n := range 100 { // at once
		wg.Go(func() {
			if _, err := p.Try(in.ID(), Proof{byte(n)}, hubKey, clientKey); err == nil {
				right.Add(1)
			}
		})
	}
	wg.Wait()
	if _, err := p.Try(in.ID(), proof(t, in, hubKey, clientKey), hubKey, clientKey); !errors.Is(err, ErrGuessed) || right.Load() > 0 {
		t.Error(err, right.Load())
	}
	if _, err := p.Try(bob.ID(), proof(t, bob, hubKey, clientKey), hubKey, clientKey); err != nil {
		t.Error(err)
	}
	exact := start(t, &p, Grant{Name: "exact"})
	for range Tries {
		_, err := p.Try(exact.ID(), Proof{}, hubKey, clientKey)
		if !errors.Is(err, ErrWrong) && !errors.Is(err, ErrGuessed) {
			t.Error(err)
		}
	}
	if _, err := p.Try(exact.ID(), proof(t, exact, hubKey, clientKey), hubKey, clientKey); !errors.Is(err, ErrGuessed) {
		t.Errorf("the sixth try, which is right: %v", err)
	}
	again := start(t, &p, alice)
	for n := 1; n < Tries; n++ {
		if _, err := p.Try(again.ID(), Proof{}, hubKey, clientKey); !errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), fmt.Sprintf("%d of 5", n)) {
			t.Error(err)
		}
	}
	if _, err := p.Try(again.ID(), proof(t, again, hubKey, clientKey), hubKey, clientKey); err != nil {
		t.Errorf("the fifth try, which is right: %v", err)
	}
}

// TestExpired: ten minutes, and no more.
func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pairings
		late, soon := start(t, &p, alice), start(t, &p, Grant{Name: "bob"})
		time.Sleep(Valid - time.Second)
		if _, err := p.Try(soon.ID(), proof(t, soon, hubKey, clientKey), hubKey, clientKey); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		for range 2 {
			if _, err := p.Try(late.ID(), proof(t, late, hubKey, clientKey), hubKey, clientKey); !errors.Is(err, ErrExpired) {
				t.Error(err)
			}
		}
		if len(p.Open()) != 0 {
			t.Error(p.Open())
		}
		start(t, &p, Grant{Name: "carol"})
		if len(p.open) != 1 {
			t.Errorf("%d are kept", len(p.open))
		}
	})
}

// TestOnePerName: another invitation for the same name replaces the first, and there are not endlessly many.
func TestOnePerName(t *testing.T) {
	var p Pairings
	first, second := start(t, &p, alice), start(t, &p, alice)
	if _, err := p.Try(first.ID(), proof(t, first, hubKey, clientKey), hubKey, clientKey); first.ID() != second.ID() && !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := p.Try(second.ID(), proof(t, second, hubKey, clientKey), hubKey, clientKey); err != nil {
		t.Error(err)
	}
	third := start(t, &p, alice)
	if !p.Cancel("alice") {
		t.Error("it was not open")
	}
	if _, err := p.Try(third.ID(), proof(t, third, hubKey, clientKey), hubKey, clientKey); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	for n := range MaxOpen {
		start(t, &p, Grant{Name: fmt.Sprint("user", n)})
	}
	if _, err := p.Start("pi:3000", hubKey, alice); err == nil || !strings.Contains(err.Error(), "64 pairings are open") {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"is not an address": second1(p.Start("pi", hubKey, alice)), "has capitals": second1(p.Start("pi:3000", hubKey, Grant{Name: "Alice"})),
		"the hub has no key": second1(p.Start("pi:3000", [32]byte{}, alice)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func second1(_ *Invitation, err error) error { return err }

// TestTyped: what people make of the line while they type it.
func TestTyped(t *testing.T) {
	in := invite("[2001:db8::1]:3000", hubKey, ID{1, 2}, Secret{0, 1, 2, 3, 28, 29, 30, 31})
	text := in.String()
	if !strings.HasPrefix(text, "[2001:db8::1]:3000/7A8G-0000-0000-0000-1201-23WX-") || len(text) != len("[2001:db8::1]:3000/")+34 {
		t.Error(text)
	}
	address, code, _ := strings.Cut(text, "/")
	for _, typed := range []string{
		text, " " + text + "\n", address + "/" + strings.ToLower(code), address + "/" + strings.ReplaceAll(code, "-", ""), address + "/" + strings.ReplaceAll(code, "-", " "),
		address + "/" + strings.ReplaceAll(code, "0", "o"), address + "/" + strings.ReplaceAll(code, "1", "l"), address + "/" + strings.ReplaceAll(code, "-", "–"),
	} {
		if got, err := Parse(typed); err != nil || got.String() != text {
			t.Errorf("%q: %v, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]string{
		"": "it has no /", text[:len(text)-1]: "there are 27 letters behind the /, not 28", text + "0": "29 letters", code: "it has no /",
		"/" + code: "is not an address", "pi/" + code: "is not an address", "pi:0/" + code: "is not an address", "pi:x/" + code: "is not an address",
		address + "/U" + code[1:]: "'U' is not a letter", strings.Repeat("x", 600): "more than 512", "http://pi:3000/" + code: "is not an address",
		"\x1b[2J:1/" + code: "is not an address", address + "/": "there are 0 letters", address + "/8" + code[1:]: "a letter behind the / is wrong",
	} {
		if _, err := Parse(typed); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v, want %s", typed, err, want)
		}
	}
	if s := fmt.Sprintf("%#v", in); strings.Contains(s, "23WX") {
		t.Errorf("%s tells the secret", s)
	}
}

// TestMistakes: one or two wrong letters are noticed, and any two that have changed places.
func TestMistakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var word [allLetters]byte
		for i := range word {
			word[i] = rapid.ByteRange(0, 31).Draw(t, "letter")
		}
		seal(&word)
		if !sealed(&word) {
			t.Fatal("a sealed word is not")
		}
		i, j := rapid.IntRange(0, allLetters-1).Draw(t, "i"), rapid.IntRange(0, allLetters-1).Draw(t, "j")
		swapped := word
		swapped[i], swapped[j] = word[j], word[i]
		if swapped != word && sealed(&swapped) {
			t.Fatalf("letters %d and %d have changed places", i, j)
		}
		wrong := word
		wrong[i] ^= rapid.ByteRange(1, 31).Draw(t, "first")
		wrong[j] ^= rapid.ByteRange(0, 31).Draw(t, "second")
		if wrong != word && sealed(&wrong) {
			t.Fatalf("letters %d and %d are wrong", i, j)
		}
	})
	for a := byte(1); a < 32; a++ {
		if multiply(a, inverse(a)) != 1 {
			t.Errorf("%d has no inverse", a)
		}
	}
}

func TestID(t *testing.T) {
	id := ID{3, 31}
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Error(got, err)
	}
	for _, text := range []string{"", "0", "000", "0U", "\xff"} {
		if _, err := ParseID(text); err == nil {
			t.Error(text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(invite("pi.local:3000", hubKey, ID{1, 2}, Secret{1, 2, 3}).String())
	f.Add("pi:1/0000-0000")
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(in.String())
		if err != nil || *again != *in {
			t.Errorf("%q becomes %q: %v", text, in, err)
		}
	})
}
