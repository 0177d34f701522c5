package carrier

import (
	"strings"
	"testing"
)

func TestRights(t *testing.T) {
	for _, c := range []struct {
		words string
		want  Rights
		text  string
	}{
		{"", 0, ""},
		{"listen", RightListen, "listen"},
		{"list listen list", RightListen | RightList, "listen, list"},
		{"all", AllRights, "listen, request, list"},
		{"request all", AllRights, "listen, request, list"},
	} {
		got, err := ParseRights(strings.Fields(c.words))
		if err != nil || got != c.want || got.String() != c.text {
			t.Errorf("%q: %v, %v", c.words, got, err)
		}
	}
	for _, words := range [][]string{{"Listen"}, {""}, {"listen", "admin"}} {
		if got, err := ParseRights(words); err == nil || got != 0 || !strings.Contains(err.Error(), "listen, request, list, all") {
			t.Errorf("%q: %v, %v", words, got, err)
		}
	}
	for _, w := range RightWords() {
		if _, err := ParseRights([]string{w}); err != nil {
			t.Error(err)
		}
	}
}
