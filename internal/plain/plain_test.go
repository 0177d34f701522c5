package plain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sighub/internal/plain"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"carrier: client gone":            "client gone",
		"hub: not connected":              "not connected",
		"sensors: drivers: no answer":     "no answer",
		"serial: /dev/ttyUSB0: busy":      "/dev/ttyUSB0: busy",
		"no such host: hub: check":        "no such host: hub: check",
		"carrier":                         "carrier",
		"--listen x: the port is missing": "--listen x: the port is missing",
	} {
		if got := plain.Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestEveryPackage reads the texts of this module's errors: each name of a package in front of one is removed.
func TestEveryPackage(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".tools" || d.Name() == "scripts" || d.Name() == "testdata"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		prefix := file.Name.Name + ": "
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "New" && f.Sel.Name != "Errorf" {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(path, err)
				}
				if strings.HasPrefix(text, prefix) {
					found++
					if plain.Text(text) == text {
						t.Errorf("%s: a user reads %q: add %s to the list", path, text, file.Name.Name)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || found < 20 {
		t.Errorf("%d errors found, %v", found, err)
	}
}
