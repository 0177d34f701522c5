package initramfs

import "testing"

func TestNeeded(t *testing.T) {
	for _, image := range []string{"", "\x7fELF", "no module"} {
		if list, err := needed([]byte(image)); err == nil {
			t.Errorf("%q needs %v", image, list)
		}
	}
}

// TestFindModules: a folder without the driver that must be there is not taken for a kernel's.
func TestFindModules(t *testing.T) {
	if list, err := FindModules(t.TempDir(), []string{"virtio_pci"}, "ftdi_sio"); err == nil {
		t.Errorf("found %v", list)
	}
}
