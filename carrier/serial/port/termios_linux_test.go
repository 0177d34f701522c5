//go:build linux && !ppc64 && !ppc64le

package port

import (
	"errors"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// TestNamedRates: where only rates with a name are known they mean the same, and others are refused.
func TestNamedRates(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(slave.Close(), master.Close()); err != nil {
			t.Error(err)
		}
	}()
	fd := int(slave.Fd())
	for _, baud := range []int{9600, 57600, 115200, 500000, 1000000} {
		settings, err := readTermios(fd)
		if err != nil {
			t.Fatal(err)
		}
		if err := applyNamed(fd, unix.TCSETS, settings, baud); err != nil {
			t.Error(err)
		}
		got, err := readTermios(fd)
		if err != nil || got.Ospeed != uint32(baud) || got.Cflag&unix.CBAUD == unix.BOTHER {
			t.Errorf("%d baud is set as %+v, %v", baud, got, err)
		}
		if err := applyNamed(fd, unix.TCSETS, settings, 250000); !errors.Is(err, unix.ENOTSUP) {
			t.Errorf("a rate without a name: %v", err)
		}
	}
}
