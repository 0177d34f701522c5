package manual

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sighub/internal/commandline"
)

type listenCommand struct {
	Sender string   `arg:"" optional:"" help:"Whom."`
	Output string   `short:"o" enum:"text,json," default:"text" help:"How it's printed: in \"text\" or [JSON]."`
	Key    string   `placeholder:"FILE" env:"KEY" help:"A key."`
	Last   bool     `help:"The last one, too."`
	Many   []string `short:"m" placeholder:"NAME" help:"Several."`
}

func (*listenCommand) Help() string {
	return "It listens.\n.It goes on\n'quoted' and back\\slash.\n\nExamples:\n\n    prog listen 'a*' | jq .data\n    .dot\n\nThe end."
}

type openCommand struct {
	Shape string   `arg:"" enum:"round,square" help:"Its shape."`
	File  []string `arg:"" optional:"" help:"What goes into it."`
}

func model() *commandline.Command {
	return commandline.Prepare(&commandline.Command{
		Name: "prog", Help: "It does things. And more.\n\nMuch more.",
		Commands: []*commandline.Command{
			{Name: "listen", Help: "Print events. As they happen.", Of: new(listenCommand)},
			{Name: "box", Help: "Boxes.", Commands: []*commandline.Command{
				{Name: "open", Help: "Open a box.", Of: new(openCommand)},
				{Name: "shut", Help: "Shut it."},
			}},
			{Name: "secret", Help: "Nobody sees it.", Hidden: true},
		},
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	pages := Pages(model(), "1.2", "2026-01-31")
	var names []string
	for _, p := range pages {
		names = append(names, p.Name)
	}
	if want := []string{"prog.1", "prog-listen.1", "prog-box.1", "prog-box-open.1", "prog-box-shut.1"}; !slices.Equal(names, want) {
		t.Fatalf("%q", names)
	}
	for _, test := range []struct {
		page  int
		wants []string
	}{
		{0, []string{".TH PROG 1 \"2026-01-31\" \"prog 1.2\"", "prog \\- It does things\n", ".PP\nAnd more.\n.PP\nMuch more.\n",
			".SH COMMANDS\n.TP\n.B \"listen\"\nPrint events. As they happen.\n", "prog\\-box\\-open(1), prog\\-box\\-shut(1)\n"}},
		{1, []string{"prog\\-listen \\- Print events\n", "[OPTIONS] [SENDER]\n", ".PP\nIt listens.\n\\&.It goes on\n\\(aqquoted\\(aq and back\\eslash.\n",
			".PP\n.RS 4\n.nf\n\\&prog listen \\(aqa*\\(aq | jq .data\n\\&.dot\n.fi\n.RE\n.PP\nThe end.\n",
			".B \"\\-o, \\-\\-output=OUTPUT\"\nHow it\\(aqs printed: in \\(dqtext\\(dq or [JSON]. Default: text.\n", ".B \"\\-\\-key=FILE\"\nA key. ($KEY)\n"}},
		{2, []string{".B \"prog box\"\n[OPTIONS] COMMAND\n", ".B \"open\"\n", "prog(1), prog\\-box\\-open(1)"}},
		{3, []string{"[OPTIONS] SHAPE [FILE...]\n", ".I \"SHAPE\"\nIts shape.\n"}},
	} {
		for _, want := range test.wants {
			if !strings.Contains(pages[test.page].Text, want) {
				t.Errorf("%s lacks %q:\n%s", pages[test.page].Name, want, pages[test.page].Text)
			}
		}
	}
}

// TestBash completes command lines as bash does.
func TestBash(t *testing.T) {
	t.Parallel()
	script, err := Completion(model(), "bash")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ line, want string }{
		{"prog ", "listen box --help --version"},
		{"prog l", "listen"},
		{"prog sec", ""},
		{"prog box ", "open shut --help --version"},
		{"prog box o", "open"},
		{"prog listen --l", "--last"},
		{"prog listen --output ", "text json"},
		{"prog listen --output = j", "json"}, // as bash takes --output=j apart
		{"prog listen --output =", "text json"},
		{"prog listen -o j", "json"},
		{"prog listen --many ", ""},
		{"prog listen box --la", "--last"}, // a sender called box
		{"prog box open sq", "square"},
		{"prog listen --key go.mo", "go.mod"},
		{"prog box open round go.mo", "go.mod"},
	} {
		words := strings.Split(test.line, " ")
		call := script + "\nCOMP_WORDS=(" + `"$@"` + ") COMP_CWORD=$(($# - 1))\n_prog\necho \"${COMPREPLY[@]}\"\n"
		cmd := exec.CommandContext(t.Context(), "bash", append([]string{"-c", call, "bash"}, words...)...)
		cmd.Dir = "../.."
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != test.want {
			t.Errorf("%q: %q, %v; want %q", test.line, got, err, test.want)
		}
	}
}

func TestShells(t *testing.T) {
	t.Parallel()
	for shell, wants := range map[string][]string{
		"bash": {"'prog box open') command='prog box open' ;;"},
		"zsh": {"#compdef prog\n", `'(-o --output)-o[How it'\''s printed]:OUTPUT:(text json)' '(-o --output)--output=[`, `'--key=[A key]:FILE:_files'`,
			"'*-m[Several]:NAME: '", "'1:shape:(round square)'", "'*:file:_files'", "'box:Boxes'", "\t\topen) _prog_box_open ;;\n"},
		"fish": {"--condition '__prog_at' --arguments box --description 'Boxes'", "--condition '__prog_at box' --arguments open",
			"--condition '__prog_within listen' --long-option output --short-option o --arguments 'text json' --require-parameter",
			"--condition '__prog_within box open' --arguments 'round square'\n", "--long-option key --force-files"},
	} {
		script, err := Completion(model(), shell)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(script, want) {
				t.Errorf("%s lacks %s\n%s", shell, want, script)
			}
		}
		if strings.Contains(script, "secret") {
			t.Errorf("%s tells of a hidden command", shell)
		}
	}
	if _, err := Completion(model(), "csh"); err == nil || !strings.Contains(err.Error(), "bash, zsh, fish") {
		t.Error(err)
	}
}
