package board

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"sighub/homeassistant"
)

// TestSavedWhileLoaded: what clients have announced stays in the file when a hub ends that has only begun to read it.
func TestSavedWhileLoaded(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "announced.json")
	const count = 2000
	f := noticeFile{Version: 1}
	for i := range count {
		f.List = append(f.List, &notice{Topic: fmt.Sprintf("homeassistant/sensor/s%d/config", i), Payload: `{"name":"x"}`})
	}
	data, err := json.Marshal(f)
	if err == nil {
		err = homeassistant.WriteFile(file, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := New(Options{Place: func() (string, string, error) { return "h1", dir, nil }})
	var loaded atomic.Bool
	var loading sync.WaitGroup
	defer loading.Wait()
	loading.Go(func() {
		defer loaded.Store(true)
		if err := b.loadNotices(); err != nil {
			t.Error(err)
		}
	})
	for last := false; !last; {
		last = loaded.Load()
		if err := b.saveNotices(); err != nil {
			t.Fatal(err)
		}
		var now noticeFile
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &now)
		}
		if err != nil || len(now.List) != count {
			t.Fatalf("the file has %d of %d announcements, %v", len(now.List), count, err)
		}
	}
}
