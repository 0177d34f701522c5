// Testreport reads the output of go test -json and prints what a person wants to see: the output of tests that failed, and
// one line of totals at the end. A skipped test counts as a failure, because it has proved nothing.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	ok, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// An event is one line of go test -json; see go doc test2json and go help buildjson.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that is being built
	Test       string // empty: the event is about the package
	Output     string
}

type key struct{ pkg, test string }

// A run collects the events of a run until a test or a package ends.
type run struct {
	out    io.Writer
	output map[key][]string // of tests and packages that have not passed
	builds map[string][]string
	failed map[string]bool // packages in which a test failed

	passes, failures, skips, packages int
}

// report prints a run and reports whether all of it passed.
func report(in io.Reader, out io.Writer) (bool, error) {
	r := run{out: out, output: map[key][]string{}, builds: map[string][]string{}, failed: map[string]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(out, line) // output of the go command itself
			} else if err := r.handle(e); err != nil {
				return false, err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
	}
	_, err := fmt.Fprintf(out, "%d tests passed, %d failed, %d skipped in %d packages\n",
		r.passes, r.failures, r.skips, r.packages)
	return r.failures == 0 && r.skips == 0 && r.packages > 0, err
}

func (r *run) handle(e event) error {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		r.output[k] = append(r.output[k], e.Output)
	case "build-output":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
	case "build-fail":
		return r.print(e.ImportPath+" does not build", r.builds[e.ImportPath])
	case "pass":
		delete(r.output, k)
		if e.Test == "" {
			r.packages++
		} else {
			r.passes++
		}
	case "skip":
		if e.Test == "" {
			break // a package without tests
		}
		r.skips++
		return r.print("SKIP "+e.Package+" "+e.Test, r.output[k])
	case "fail":
		return r.fail(k)
	}
	return nil
}

// fail prints the output of a test or a package. If a package failed without a failed test, it has crashed: then fail also
// prints the output of the tests that it did not finish.
func (r *run) fail(k key) error {
	if k.test != "" {
		r.failures++
		r.failed[k.pkg] = true
		err := r.print("FAIL "+k.pkg+" "+k.test, r.output[k])
		delete(r.output, k)
		return err
	}
	r.packages++
	said := r.output[k]
	if !r.failed[k.pkg] {
		r.failures++
		for other, lines := range r.output {
			if other.pkg == k.pkg && other.test != "" {
				said = append(slices.Clip(lines), said...)
			}
		}
	}
	return r.print("FAIL "+k.pkg, said)
}

// print writes output under a heading, without the lines that announce every test.
func (r *run) print(heading string, output []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n", heading)
	for _, line := range output {
		if !strings.HasPrefix(line, "=== ") {
			b.WriteString(line)
		}
	}
	_, err := io.WriteString(r.out, b.String())
	return err
}
