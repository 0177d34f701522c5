package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, in string
		ok       bool
		want     string
	}{
		{
			name: "all pass",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok\n"}
{"Action":"pass","Package":"p"}
{"Action":"skip","Package":"q"}
`,
			ok:   true,
			want: "1 tests passed, 0 failed, 0 skipped in 1 packages\n",
		},
		{
			name: "one fails",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"quiet\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: \"wrong\"\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"-test.shuffle 7\n"}
{"Action":"fail","Package":"p"}
`,
			want: `--- FAIL p TestA
    a_test.go:3: "wrong"
--- FAIL p
-test.shuffle 7
1 tests passed, 1 failed, 0 skipped in 1 packages
`,
		},
		{
			name: "a package crashes",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: lost\n"}
{"Action":"output","Package":"p","Output":"exit status 2\n"}
{"Action":"fail","Package":"p"}
`,
			want: `--- FAIL p
panic: lost
exit status 2
0 tests passed, 1 failed, 0 skipped in 1 packages
`,
		},
		{
			name: "a package does not build",
			in: `{"Action":"build-output","ImportPath":"p","Output":"p/a.go:1:1: undefined\n"}
{"Action":"build-fail","ImportPath":"p"}
{"Action":"fail","Package":"p"}
`,
			want: `--- p does not build
p/a.go:1:1: undefined
--- FAIL p
0 tests passed, 1 failed, 0 skipped in 1 packages
`,
		},
		{
			name: "a skipped test",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"    no such tool\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`,
			want: `--- SKIP p TestA
    no such tool
0 tests passed, 0 failed, 1 skipped in 1 packages
`,
		},
		{
			name: "nothing ran",
			in:   "go: cannot find main module\n",
			want: "go: cannot find main module\n0 tests passed, 0 failed, 0 skipped in 0 packages\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(test.in), &out)
			if err != nil {
				t.Fatal(err)
			}
			if ok != test.ok || out.String() != test.want {
				t.Errorf("ok is %v, want %v; got\n%s\nwant\n%s", ok, test.ok, out.String(), test.want)
			}
		})
	}
}
