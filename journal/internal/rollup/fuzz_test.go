package rollup

import (
	"bytes"
	"testing"

	"sighub/journal/journaltest"
)

// FuzzTable: whatever a state holds, it is read without a panic, and what was read stays what it is.
func FuzzTable(f *testing.F) {
	t := NewTable(7)
	for i := range int64(200) {
		t.Series(Topic{"s", "x"}).Add(i*7e9-1e12, float64(i)/3)
		t.Series(Topic{"s", "y"}).Add(5e18-i*1e12, -1)
	}
	f.Add(t.Append(nil))
	f.Add([]byte{1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := Read(data, 1<<60)
		if err != nil {
			return
		}
		again, err := Read(table.Append(nil), 1<<60)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Append(nil), table.Append(nil)) {
			t.Error("a table is not what it was")
		}
	})
}

// FuzzRunFile: whatever a file holds, it is read without a panic; damage is found.
func FuzzRunFile(f *testing.F) {
	f.Add(uint32(3), byte(1))
	f.Add(uint32(70), byte(0x80))
	f.Fuzz(func(t *testing.T, at uint32, flip byte) {
		dir := journaltest.NewFolder(1)
		table := NewTable(1)
		table.To = 900
		for i := range int64(300) {
			table.Series(Topic{"s", string(rune('a' + i%26))}).Add(i*7e9, float64(i)/3)
		}
		r, err := Write(dir, table, 1)
		if err != nil {
			t.Fatal(err)
		}
		at %= uint32(r.Size)
		damaged := false
		dir.Damage(r.Name(), func(data []byte) {
			data[at] ^= flip
			damaged = flip != 0
		})
		list := Verify(dir)
		if (list[0].Err != nil) != damaged {
			t.Errorf("byte %d, bits %02x: %v", at, flip, list[0].Err)
		}
		runs, _, _ := Load(dir)
		for _, r := range runs {
			if r.Query(dir, Topic{"s", "a"}, 0, 1<<60, false, func(*Sum) {}) == nil {
				_, _ = Fold(dir, Runs{r})
			}
		}
	})
}
