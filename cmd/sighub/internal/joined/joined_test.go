package joined

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const pin = "7Q4M-ABCD-EFGH-2345"

func TestRemember(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "config", "sighub")
	if h, err := Load(folder); h != nil || err != nil {
		t.Fatal(h, err)
	}
	if removed, err := Forget(folder); removed != nil || err != nil {
		t.Fatal(removed, err)
	}
	for _, address := range []string{"pi.local:3000", "other:3001"} { // the second one takes the place of the first
		want := Hub{address, pin, "laptop", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		if err := Save(folder, &want); err != nil {
			t.Fatal(err)
		}
		got, err := Load(folder)
		if err != nil || *got != want || got.URL() != "tls://"+address+"/"+pin {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for file, mode := range map[string]os.FileMode{folder: 0o700 | os.ModeDir, filepath.Join(folder, hubFile): 0o600} {
		if info, err := os.Stat(file); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if err := os.WriteFile(KeyFile(folder), []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if removed, err := Forget(folder); len(removed) != 2 || err != nil {
		t.Error(removed, err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

// TestDamaged: what cannot be used is an error with a remedy, and can be forgotten.
func TestDamaged(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"address":"pi:1"}`, `{"address":"pi:1","pin":"AAAA"}`, `{"pin":"` + pin + `"}`, `[]`, strings.Repeat(" ", maxFile+1)} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, hubFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if h, err := Load(folder); h != nil || err == nil || !strings.Contains(err.Error(), "`sighub leave`") {
			t.Errorf("%.20q: %v, %v", text, h, err)
		}
		if removed, err := Forget(folder); len(removed) != 1 || err != nil {
			t.Error(removed, err)
		}
	}
}
