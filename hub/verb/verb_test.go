package verb_test

import (
	"strings"
	"testing"

	"sighub/hub/verb"
)

func TestParse(t *testing.T) {
	for _, v := range verb.All() {
		if got, err := verb.Parse(v.String()); err != nil || got != v {
			t.Errorf("%s: %v, %v", v, got, err)
		}
	}
	if len(verb.Words()) != len(verb.All()) {
		t.Error(verb.Words())
	}
	for word, want := range map[string]string{
		"history": "write listen", "hear": `"hear" is not a verb: write add, trigger, listen, request, admin`, "": "is not a verb", "Verb(0)": "is not a verb",
	} {
		if v, err := verb.Parse(word); v != 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %s", word, v, err, want)
		}
	}
	if got := verb.Verb(9).String() + verb.Verb(0).String(); got != "Verb(9)Verb(0)" {
		t.Error(got)
	}
}
