package access

import (
	"net/netip"
	"strings"
	"testing"

	"sighub/hub/verb"
)

const textRules = `roles:
  gardener:
    - listen: {sender: "green*", event: "*"}
    - listen: {sender: "greenhouse", event: "lux"}
    - request: {sender: "pump", method: "on"}
identities:
  alice: gardener
users:
  pi: [viewer, sender]
groups:
  sighub: operator
  dialout: []
addresses:
  192.168.1.0/24: sender
`

// TestExplain: each answer has the line that decides, or what is missing.
func TestExplain(t *testing.T) {
	p := compile(t, textRules, Member{Name: "alice"}, Member{Name: "bob", Roles: []string{"viewer"}})
	for _, test := range []struct {
		who          string
		v            verb.Verb
		sender, name string
		want         string
	}{
		{"alice", verb.Listen, "greenhouse", "lux", "alice may listen to lux of greenhouse: access.yaml:3, with the role gardener"},
		{"alice", verb.Listen, "light", "lux", "alice may not listen to lux of light: its roles (gardener), which it has by access.yaml:7, allow it only for green* *, by access.yaml:3; greenhouse lux, by access.yaml:4"},
		{"alice", verb.Add, "light", "", "alice may not add light: no rule about add is in its roles (gardener), which it has by access.yaml:7"},
		{"alice", verb.Request, "pump", "", "alice may request any method of pump: access.yaml:5, with the role gardener"},
		{"alice", verb.Admin, "", "", "alice may not administer the hub: no rule about admin is in its roles (gardener), which it has by access.yaml:7"},
		{"bob", verb.Listen, "", "", "bob may listen to any event of any sender: the pairing of bob (viewer), with the role viewer"},
		{"carol", verb.Listen, "", "#dark", "carol may not listen to #dark of any sender: nothing binds it to a role"},
		{User(0, nil), verb.Trigger, "light", "#gap", "uid 0 may not trigger #gap of light: #gap is an event of the hub itself"},
		{User(7, []int{20}), verb.Listen, "light", "lux", "uid 7 may not listen to lux of light: it has no role, by access.yaml:12"},
		{User(7, []int{27, 20}), verb.Listen, "light", "lux", "uid 7 may listen to lux of light: access.yaml:11 (operator), with the role operator"},
		{Address(netip.MustParseAddr("192.168.1.9")), verb.Add, "x", "", "address 192.168.1.9 may add x: access.yaml:14 (sender), with the role sender"},
		{Device("30:AE\x1b[2J"), verb.Listen, "\u202e", "b", `device 30:AE\x1b[2J may not listen to b of \u202e: no rule about listen is in its roles (sender), which it has by access.yaml, without a line about devices`},
		{"", verb.Listen, "a", "b", "nobody may not listen to b of a: nothing binds it to a role"},
	} {
		if got := p.Explain(test.who, test.v, test.sender, test.name).String(); got != test.want {
			t.Errorf("%s\nwant\n%s", got, test.want)
		}
	}
}

func TestMatrixText(t *testing.T) {
	p := compile(t, textRules, Member{Name: "alice"}, Member{Name: "bob", Roles: []string{"viewer"}})
	want := `            who             roles           add  trigger  listen    request  admin  by
identities  alice           gardener        -    -        green* *  pump on  -      access.yaml:7
identities  bob             viewer          -    -        all       -        -      the pairing of bob
users       pi              viewer, sender  all  all      all       -        -      access.yaml:9
users       root            admin           all  all      all       all      all    access.yaml, without a line about root
groups      sighub          operator        -    -        all       all      -      access.yaml:11
groups      dialout                         -    -        -         -        -      access.yaml:12
addresses   192.168.1.0/24  sender          all  all      -         -        -      access.yaml:14
devices     any             sender          all  all      -         -        -      access.yaml, without a line about devices
`
	if got := MatrixText(p.Matrix()); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestDiffText(t *testing.T) {
	was := compile(t, textRules, Member{Name: "alice"}, Member{Name: "bob", Roles: []string{"viewer"}})
	is := compile(t, strings.NewReplacer(`"green*"`, `"*house"`, "  sighub: operator\n  dialout: []\n", "  dialout: []\n  sighub: operator\n").Replace(textRules), Member{Name: "alice"})
	want := `+ alice: listen *house *
- alice: listen green* *
- bob: listen all
+ groups who is in several: the roles of the first of dialout, sighub
- groups who is in several: the roles of the first of sighub, dialout
`
	if got := ChangesText(was.Diff(is)); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := ChangesText(was.Diff(was)); got != "nobody gains or loses anything\n" {
		t.Error(got)
	}
	var none *Policy
	if len(none.Diff(was)) == 0 || len(was.Diff(new(Policy))) == 0 || none.Matrix() != nil || none.Warnings() != nil {
		t.Error("from and to nothing")
	}
}
