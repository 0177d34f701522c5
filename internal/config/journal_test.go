package config

import (
	"strings"
	"testing"
)

func TestJournal(t *testing.T) {
	keeps := func(file string) string {
		t.Helper()
		c, err := Parse("x", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		s := c.Journal.Keeps()
		var kept []string
		for _, ev := range []string{"light lux", "door open"} {
			sender, event, _ := strings.Cut(ev, " ")
			if s.Takes(sender, event, false) {
				kept = append(kept, ev)
			}
		}
		if s.All() {
			kept = append(kept, "all")
		}
		return strings.Join(kept, ", ")
	}
	for file, want := range map[string]string{
		"": "light lux, door open, all", "journal: on": "light lux, door open, all", "journal: {keep: []}": "", "journal: {keep: off}": "",
		"journal: {keep: light}": "light lux", "journal: {except: [light]}": "door open", "journal: {keep: }": "light lux, door open, all",
	} {
		if got := keeps(file); got != want {
			t.Errorf("%q keeps %s, want %s", file, got, want)
		}
	}

	c := Default()
	c.SetJournal("")
	if c.Journal.Off || c.Journal.Folder != "" {
		t.Error(c.Journal)
	}
	c.SetJournal("off")
	if !c.Journal.Off {
		t.Error(c.Journal)
	}
	c.SetJournal("./off")
	if c.Journal.Off || c.Journal.Folder != "./off" {
		t.Error(c.Journal)
	}
	if keys := Default().Changes(c); len(keys) != 1 || keys[0] != "journal" {
		t.Error(keys)
	}

	c, err := Parse("x", []byte("journal: {keep: All}"))
	if err != nil || len(c.Warnings()) != 1 || !strings.Contains(c.Warnings()[0].Error(), `x:1:17: keep All means the sender of that name: write "*"`) {
		t.Error(c.Warnings(), err)
	}
}
