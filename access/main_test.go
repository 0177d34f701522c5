package access

import (
	"errors"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A directory is a machine with these users and groups.
type directory struct{ users, groups map[string]int }

func (d directory) UserID(name string) (int, error)  { return lookup(d.users, name) }
func (d directory) GroupID(name string) (int, error) { return lookup(d.groups, name) }

func lookup(ids map[string]int, name string) (int, error) {
	if id, ok := ids[name]; ok {
		return id, nil
	}
	return 0, errors.New("unknown")
}

// machine is the one of these tests.
var machine = directory{
	users:  map[string]int{"root": 0, "pi": 1000, "homeassistant": 999, "nobody": 65534},
	groups: map[string]int{"sighub": 27, "dialout": 20, "nogroup": 65534},
}

func compile(t testing.TB, text string, members ...Member) *Policy {
	t.Helper()
	r, err := Parse("access.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	p, err := Compile(r, members, machine)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
