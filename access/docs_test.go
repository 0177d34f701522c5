package access

import (
	"os"
	"strings"
	"testing"

	"sighub/hub/verb"
)

// TestDocumentation: the example of the page is right, and the page has each key, verb and role.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/access.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the page has no example")
	}
	p := compile(t, example, Member{Name: "alice"}, Member{Name: "bob"})
	for _, test := range []struct {
		who          string
		v            verb.Verb
		sender, name string
		want         bool
	}{
		{"bob", verb.Request, "pump", "on", true}, {"bob", verb.Request, "pump", "off", false}, {"alice", verb.Listen, "x", "y", true},
		{"address:192.168.1.40", verb.Add, "x", "", true}, {"address:192.168.1.41", verb.Add, "x", "", false}, {Device("x"), verb.Add, "x", "", false},
	} {
		if got, rule := p.May(test.who, test.v, test.sender, test.name); got != test.want {
			t.Errorf("%+v: %v by %s", test, got, rule)
		}
	}
	words := append(verb.Words(), builtInRoles()...)
	for _, section := range []string{inIdentities, inUsers, inGroups, inAddresses, inDevices, "roles"} {
		if !strings.Contains(example, "\n"+section+":") && !strings.HasPrefix(example, section+":") {
			t.Errorf("the example has no %s", section)
		}
	}
	for _, w := range words {
		if !strings.Contains(string(page), "| `"+w+"` |") {
			t.Errorf("the page says nothing of %s", w)
		}
	}
}
