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
	dir, err := os.MkdirTemp("", "sighub-test-")
	if err == nil {
		err = os.Setenv("STATE_DIRECTORY", dir) // the tests must not use the state of whoever runs them
	}
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	code := c.M.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			return 1
		}
	}
	return code
}
