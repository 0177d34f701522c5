package access

import (
	"fmt"
	"strings"
	"testing"

	"sighub/hub/verb"
)

// thousand returns a Policy with a thousand rules in ten roles, of each form, and a role of exact names.
func thousand(b testing.TB) *Policy {
	var text strings.Builder
	text.WriteString("roles:\n")
	for role := range 10 {
		fmt.Fprintf(&text, "  role%d:\n", role)
		for n := range 50 {
			fmt.Fprintf(&text, "    - listen: {sender: \"room%d-%02d*\", event: \"t*\"}\n    - listen: {sender: one%d-%02d, event: \"t*\"}\n", role, n, role, n)
		}
	}
	text.WriteString("identities:\n")
	var members []Member
	for role := range 10 {
		fmt.Fprintf(&text, "  user%d: role%d\n", role, role)
		members = append(members, Member{Name: fmt.Sprint("user", role)})
	}
	return compile(b, text.String(), members...)
}

func BenchmarkHears(b *testing.B) {
	p := thousand(b)
	b.ReportAllocs()
	for b.Loop() {
		p.Hears("room7-33", "temperature")
	}
}

func BenchmarkMay(b *testing.B) {
	p := thousand(b)
	for name, sender := range map[string]string{"exact": "one7-49", "wide": "room7-49a", "denied": "elsewhere"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.May("user7", verb.Listen, sender, "temperature")
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	p := thousand(b)
	var members []Member
	for role := range 10 {
		members = append(members, Member{Name: fmt.Sprint("user", role)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(p.rules, members, machine); err != nil {
			b.Fatal(err)
		}
	}
}

// TestThousandRules: what is asked once for each event and each registration does not take long, in steps rather than in time: a
// thousand rules of which none matches are looked at once each, without anything being allocated for them.
func TestThousandRules(t *testing.T) {
	p := thousand(t)
	if n := len(p.hearing.patterns); n != 1001 { // with that of root
		t.Errorf("%d pairs of patterns", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.May("user7", verb.Listen, "room7-49", "temperature") }); n > 0 {
		t.Errorf("May allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.Hears("room7-49", "temperature") }); n > 1 {
		t.Errorf("Hears allocates %v times: its result is one", n)
	}
}
