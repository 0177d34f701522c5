package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// testscript runs this test binary as sighub; only the test process itself looks for leaks.
func TestMain(m *testing.M) {
	testscript.Main(checked{m}, map[string]func(){"sighub": main})
}

type checked struct{ *testing.M }

func (c checked) Run() int {
	code := c.M.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
	}
	return code
}
