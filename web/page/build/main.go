// Command build bundles the page: the scripts and styles in ../src with the libraries in ../libraries become a few packed files in
// ../dist, which the package page embeds. It needs no network and no Node.
//
//	go generate ./web/page             builds the page
//	go -C web/page/build run . -check  says whether ../dist is what ../src makes
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// most is how many bytes the page may have, packed, all files together.
const most = 60 << 10

func main() {
	check := flag.Bool("check", false, "compare, and write nothing")
	root := flag.String("root", "..", "the folder web/page")
	flag.Parse()
	if err := run(*root, *check, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(root string, check bool, out io.Writer) error {
	files, err := bundle(root)
	if err != nil {
		return err
	}
	packed := make(map[string][]byte)
	sum := 0
	for name, content := range files {
		packed[name+".gz"] = pack(content)
		sum += len(packed[name+".gz"])
	}
	if sum > most {
		return fmt.Errorf("the page has %d bytes, and %d are the most: leave something out", sum, most)
	}
	dist := filepath.Join(root, "dist")
	if check {
		err = compare(dist, files)
	} else {
		err = write(dist, packed)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "the page: %d files, %.1f KB packed\n", len(files), float64(sum)/1000)
	return err
}

// bundle returns the files of the page, by name.
func bundle(root string) (map[string][]byte, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	library := func(name string) string { return filepath.Join(root, "libraries", filepath.FromSlash(name)) }
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{"src/app.jsx", "src/app.css"},
		AbsWorkingDir:     root,
		Outdir:            filepath.Join(root, "dist"),
		Bundle:            true,
		Format:            api.FormatESModule,
		Splitting:         true, // what the first view does not need comes after it
		ChunkNames:        "[name].[hash]",
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone, // they are in NOTICE, which is a part of the page
		MinifySyntax:      true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		TreeShaking:       api.TreeShakingTrue,
		JSX:               api.JSXTransform,
		JSXFactory:        "h",
		JSXFragment:       "Fragment",
		LogLevel:          api.LogLevelWarning,
		Alias: map[string]string{
			"preact":       library("preact/preact.mjs"),
			"preact/hooks": library("preact/hooks.mjs"),
			"uplot":        library("uplot/uPlot.esm.js"),
			"uplot.css":    library("uplot/uPlot.min.css"),
		},
		Plugins: []api.Plugin{smaller},
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%d errors in src", len(result.Errors))
	}
	if err := plainSources(filepath.Join(root, "src")); err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	names := make(map[string]string) // as index.html calls them
	add := func(name string, content []byte) {
		sum := sha256.Sum256(content)
		base, end, _ := strings.Cut(name, ".")
		names[name] = fmt.Sprintf("%s.%s.%s", base, hex.EncodeToString(sum[:5]), end)
		files[names[name]] = content
	}
	for _, f := range result.OutputFiles {
		name := filepath.Base(f.Path)
		if err := harmless(name, f.Contents); err != nil {
			return nil, err
		}
		if strings.Count(name, ".") == 2 { // a part that the script loads, by a name that has its hash
			files[name] = f.Contents
		} else {
			add(name, f.Contents)
		}
	}
	for name, from := range map[string]string{"icon.svg": "src/icon.svg", "notice.txt": "NOTICE"} {
		content, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return nil, err
		}
		add(name, content)
	}
	index, err := os.ReadFile(filepath.Join(root, "src", "index.html"))
	if err != nil {
		return nil, err
	}
	for name, hashed := range names {
		if !bytes.Contains(index, []byte(`"`+name+`"`)) {
			return nil, fmt.Errorf("src/index.html does not name %s", name)
		}
		index = bytes.ReplaceAll(index, []byte(`"`+name+`"`), []byte(`"`+hashed+`"`))
	}
	files["index.html"] = index
	return files, nil
}

// unused is what the page uses nothing of in uPlot, which cannot be told from the outside, with what stands in its place: bars, steps and
// splines, charts that move together, and times and logarithms on an axis, whose texts the page writes itself.
var unused = []struct{ text, instead string }{
	{"(paths.stepped = stepped);", ""}, {"(paths.bars    = bars);", ""}, {"(paths.spline  = monotoneCubic);", ""},
	{"uPlot.fmtDate = fmtDate;", ""}, {"uPlot.tzDate  = tzDate;", ""},
	{"uPlot.rangeLog = rangeLog;", ""}, {"uPlot.rangeAsinh = rangeAsinh;", ""}, {"uPlot.join = join;", ""},
	{"uPlot.addGap = addGap;", ""}, {"uPlot.clipGaps = clipGaps;", ""},
	{"(opts.fmtDate || fmtDate)", "null"}, {"timeSeriesVal(_tzDate, timeSeriesStamp(_timeSeriesStamp, _fmtDate))", "null"},
	{"timeAxisVals(_tzDate, timeAxisStamps((ms == 1 ? _timeAxisStampsMs : _timeAxisStampsS), _fmtDate))", "null"},
	{"(isStr(sv) ? timeSeriesVal(_tzDate, timeSeriesStamp(sv, _fmtDate)) : sv || _timeSeriesVal)", "sv"},
	{"timeAxisVals(_tzDate, timeAxisStamps(av, _fmtDate))", "av"}, {"timeAxisVal(_tzDate, av)", "av"},
	{"\t\ttimeIncrs,\n\t\t_timeAxisStamps,\n", "\t\ttimeIncrs,\n\t\tnull,\n"},
	{"sc.distr == 3 ? logAxisSplits : sc.distr == 4 ? asinhAxisSplits : numAxisSplits", "numAxisSplits"},
	{"sc.distr >= 3 && sc.log == 10 ? log10AxisValsFilt : sc.distr == 3 && sc.log == 2 ? log2AxisValsFilt : retArg1", "retArg1"},
}

// smaller leaves out what is unused.
var smaller = api.Plugin{Name: "smaller", Setup: func(b api.PluginBuild) {
	b.OnLoad(api.OnLoadOptions{Filter: `uPlot\.esm\.js$`}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		content, err := os.ReadFile(args.Path)
		text := string(content)
		for _, u := range unused {
			if err == nil && strings.Count(text, u.text) != 1 {
				err = fmt.Errorf("%s is another one: it has %s not once", args.Path, u.text)
			}
			text = strings.Replace(text, u.text, u.instead, 1)
		}
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, err
	})
}}

var (
	foreign = regexp.MustCompile(`(?i)(https?|wss?):\\?/\\?/[a-z0-9.]+`)
	evals   = regexp.MustCompile(`\beval\(|\bnew Function\b`)
	markup  = regexp.MustCompile(`(?i)(inner|outer)HTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc`)
)

// harmless returns an error if a file of the page names another machine, or makes code of text. The page must work without either: it
// is used where there is no network, and the names and values that it shows are strangers'.
func harmless(name string, content []byte) error {
	for _, m := range foreign.FindAll(content, -1) {
		if !bytes.HasSuffix(m, []byte("://www.w3.org")) { // the names of SVG and MathML
			return fmt.Errorf("%s names another machine: %s", name, m)
		}
	}
	if m := evals.Find(content); m != nil {
		return fmt.Errorf("%s makes code of text: %s", name, m)
	}
	return nil
}

// plainSources returns an error if a source makes markup of text.
func plainSources(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if m := markup.Find(content); m != nil {
			return fmt.Errorf("%s makes markup of text: %s", path, m)
		}
		return nil
	})
}

func pack(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(content)                               // memory takes everything
	_ = w.Close()
	return b.Bytes()
}

// write makes dir have these files alone.
func write(dir string, files map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare returns an error unless dir has these files, packed in whatever way: another version of Go may pack them better.
func compare(dir string, files map[string][]byte) error {
	const remedy = ": run `go generate ./web/page`, and commit web/page/dist"
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	missing := maps.Clone(files)
	for _, entry := range there {
		name := strings.TrimSuffix(entry.Name(), ".gz")
		want, ok := missing[name]
		if !ok {
			return fmt.Errorf("dist/%s is not made of src%s", entry.Name(), remedy)
		}
		delete(missing, name)
		got, err := unpacked(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("dist/%s is not what src makes%s", entry.Name(), remedy)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("dist lacks %s%s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "), remedy)
	}
	return nil
}

func unpacked(file string) (content []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return io.ReadAll(r)
}
