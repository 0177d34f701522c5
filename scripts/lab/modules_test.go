package main

import "testing"

func TestNeeded(t *testing.T) {
	for _, image := range []string{"", "\x7fELF", "no module"} {
		if list, err := needed([]byte(image)); err == nil {
			t.Errorf("%q needs %v", image, list)
		}
	}
}

// TestFindModules: a folder without the adapter's driver is not taken for a kernel's.
func TestFindModules(t *testing.T) {
	if list, err := findModules(t.TempDir(), wantedModules()); err == nil {
		t.Errorf("found %v", list)
	}
}
