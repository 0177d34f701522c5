package browsertest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var (
	program = "" // the path of sighub
	browser context.Context

	report   = flag.Duration("report", 0, "for how long what the page bears is measured; 0: for as short as it is a test")
	shots    = flag.String("shots", "", "the folder for a picture of each view in each size and colour, to be looked at; empty: none are made")
	pictures = flag.String("pictures", "", "the folder for the pictures of the documentation; empty: none are drawn")
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, "browsertest:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browsertest:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return 0, fmt.Errorf("there is no Chromium: install it, on Debian with: sudo apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "sighub-page-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if program = os.Getenv("SIGHUB_PROGRAM"); program == "" {
		program = filepath.Join(dir, "sighub")
		build := exec.Command("go", "build", "-o", program, "./cmd/sighub")
		build.Dir = "../../.." // the module of sighub
		if out, err := build.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("sighub cannot be built: %w\n%s", err, out)
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium),
		chromedp.Flag("host-resolver-rules", "MAP evil.example 127.0.0.1")) // as who rebinds a name says
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to have one for root
	}
	alloc, ended := chromedp.NewExecAllocator(context.Background(), options...)
	defer ended()
	ctx, closed := chromedp.NewContext(alloc)
	defer closed()
	if err := chromedp.Do(ctx); err != nil {
		return 0, fmt.Errorf("Chromium does not start: %w", err)
	}
	browser = ctx
	return m.Run(), nil
}
