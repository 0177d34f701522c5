package commandline

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

type hubFlags struct {
	Hub string `env:"COMMANDLINE_TEST_HUB" placeholder:"ADDR" help:"Where."`
}

type sendCommand struct {
	hubFlags
	Sender string        `arg:"" help:"Who."`
	Event  string        `arg:"" help:"What."`
	Data   string        `arg:"" optional:"" help:"The data."`
	DryRun bool          `short:"n" help:"Only say it."`
	Quiet  bool          `short:"q" help:"Say nothing."`
	Count  int           `short:"c" default:"1" help:"How often."`
	Rate   float64       `help:"Per second."`
	After  time.Duration `placeholder:"D" help:"When."`
	Output string        `short:"o" enum:"text,json" default:"text" help:"How."`
	Policy string        `enum:",block,latest" default:"" help:"What if it is slow."`
	Tag    []string      `short:"t" default:"none" help:"Several."`
}

func (*sendCommand) Help() string { return "It sends.\n\n    prog send a b\n" }

type pickCommand struct {
	Port string   `xor:"line" required:"" placeholder:"PATH" help:"A port."`
	Pty  bool     `xor:"line" required:"" help:"A terminal."`
	Rest []string `arg:"" optional:"" help:"More."`
}

func program() (*Command, *sendCommand, *pickCommand) {
	send, pick := new(sendCommand), new(pickCommand)
	return Prepare(&Command{Name: "prog", Help: "It does.", Commands: []*Command{
		{Name: "send", Help: "Send it.", Of: send},
		{Name: "box", Help: "Boxes.", Commands: []*Command{{Name: "pick", Help: "Pick one.", Of: pick}, {Name: "shut", Help: "Shut it."}}},
		{Name: "secret", Help: "Nobody knows.", Hidden: true},
	}}), send, pick
}

func TestParse(t *testing.T) {
	t.Setenv("COMMANDLINE_TEST_HUB", "")
	for _, test := range []struct{ line, want string }{
		{"send a b", "{a b   false false 1 0 0s text  [none]}"},
		{"send a b c", "{a b c  false false 1 0 0s text  [none]}"},
		{"send -n a --hub=x b -- -c", "{a b -c x true false 1 0 0s text  [none]}"},
		{"send -nq a b", "{a b   true true 1 0 0s text  [none]}"},
		{"send -nqc5 a b", "{a b   true true 5 0 0s text  [none]}"},
		{"send -c -5 a b", "{a b   false false -5 0 0s text  [none]}"},
		{"send -c=7 a b", "{a b   false false 7 0 0s text  [none]}"},
		{"send a b -.5", "{a b -.5  false false 1 0 0s text  [none]}"},
		{"send a b -", "{a b -  false false 1 0 0s text  [none]}"},
		{"send --dry-run=false --rate 1e3 --after 2m -o json --policy latest a b", "{a b   false false 1 1000 2m0s json latest [none]}"},
		{"send -t x --tag=y,z a b --hub ''", "{a b   false false 1 0 0s text  [x y,z]}"},
	} {
		p, send, _ := program()
		c, err := p.Parse(words(test.line))
		if err != nil || c.Path() != "prog send" {
			t.Errorf("%q: %v", test.line, err)
			continue
		}
		s := *send
		got := fmt.Sprint(struct {
			A, B, C, D string
			E, F       bool
			G          int
			H          float64
			I          time.Duration
			J, K       string
			L          []string
		}{s.Sender, s.Event, s.Data, s.Hub, s.DryRun, s.Quiet, s.Count, s.Rate, s.After, s.Output, s.Policy, s.Tag})
		if got != test.want {
			t.Errorf("%q is %s, not %s", test.line, got, test.want)
		}
		if _, err := p.Parse([]string{"send", "x", "y"}); err != nil || send.DryRun || send.Count != 1 || send.Data != "" || len(send.Tag) != 1 {
			t.Errorf("what was parsed before remains: %+v, %v", send, err)
		}
	}
}

// words splits a line at spaces; ” is an empty word.
func words(line string) (list []string) {
	for w := range strings.FieldsSeq(line) {
		list = append(list, strings.Trim(w, "'"))
	}
	return list
}

func TestWrong(t *testing.T) {
	t.Setenv("COMMANDLINE_TEST_HUB", "")
	for _, test := range []struct{ line, at, want string }{
		{"", "prog", "a command is missing: one of send, box"},
		{"sned", "prog", `prog has no command "sned": did you mean send?`},
		{"frobnicate", "prog", `prog has no command "frobnicate"`},
		{"box", "prog box", "a command is missing: one of pick, shut"},
		{"box \x1b[2J", "prog box", `prog box has no command "\x1b[2J"`},
		{"send a", "prog send", `expected "<event> [<data>]"`},
		{"send a b c d", "prog send", `unexpected argument "d"`},
		{"send --cuont 3", "prog send", "unknown flag --cuont: did you mean --count?"},
		{"send --nothing-like-it", "prog send", "unknown flag --nothing-like-it"},
		{"send --", "prog send", `expected "<sender> <event> [<data>]"`},
		{"send -nx", "prog send", "unknown flag -x"},
		{"send -nü", "prog send", "unknown flag -ü"},
		{"send --count", "prog send", "--count needs a value: --count=COUNT"},
		{"send --hub -n a b", "prog send", "--hub needs a value: --hub=ADDR"},
		{"send -c x a b", "prog send", `--count: "x" is not a whole number, or is too large`},
		{"send -c 99999999999999999999 a b", "prog send", `--count: "99999999999999999999" is not a whole number, or is too large`},
		{"send --rate x a b", "prog send", `--rate: "x" is not a number`},
		{"send --after 5 a b", "prog send", `--after: "5" is not a duration, such as 30s or 1m30s`},
		{"send --dry-run=maybe a b", "prog send", `--dry-run: "maybe" is neither true nor false`},
		{"send -o xml a b", "prog send", `--output must be one of "text","json" but got "xml"`},
		{"box pick", "prog box pick", "missing flag: --port=PATH or --pty"},
		{"box pick --port x --pty", "prog box pick", "--port and --pty can't be used together"},
		{"secret", "prog secret", ""},
		{"box pick --pty a b c", "prog box pick", ""},
	} {
		p, _, _ := program()
		c, err := p.Parse(words(test.line))
		if got := fmt.Sprint(err); c.Path() != test.at || test.want != "" && got != test.want || test.want == "" && err != nil {
			t.Errorf("%q: at %q: %v; want %q", test.line, c.Path(), err, test.want)
		}
	}
}

func TestAskedFor(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]error{"-h": ErrHelp, "send --help": ErrHelp, "send a -nh": ErrHelp, "--version": ErrVersion, "box --version": ErrVersion} {
		p, _, _ := program()
		if _, err := p.Parse(words(line)); !errors.Is(err, want) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("COMMANDLINE_TEST_HUB", "from outside")
	p, send, _ := program()
	if _, err := p.Parse(words("send a b")); err != nil || send.Hub != "from outside" {
		t.Error(send.Hub, err)
	}
	if _, err := p.Parse(words("send a b --hub ours")); err != nil || send.Hub != "ours" {
		t.Error(send.Hub, err)
	}
}

func TestWrongTags(t *testing.T) {
	t.Parallel()
	for _, of := range []any{
		&struct {
			A string `short:"x" help:"a"`
			B string `short:"x" help:"b"`
		}{},
		&struct {
			Help string `help:"there is one already"`
		}{},
		&struct {
			A string `enum:"a,b" default:"c" help:"a"`
		}{},
		&struct {
			A map[string]int `default:"c" help:"a"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is taken", of)
				}
			}()
			Prepare(&Command{Name: "prog", Of: of})
		}()
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	p, _, _ := program()
	const whole = `Usage: prog <command> [flags]

It does.

Flags:
  -h, --help       Show what a command does, and its flags.
      --version    Print the version.

Commands:
  send        Send it.
  box pick    Pick one.
  box shut    Shut it.

Run "prog <command> --help" for more about a command.
`
	if got := p.Usage(80); got != whole {
		t.Errorf("%s", got)
	}
	send := p.Commands[0].Usage(60)
	for _, want := range []string{
		"Usage: prog send <sender> <event> [<data>] [flags]\n\nSend it.\n\nIt sends.\n\n    prog send a b\n",
		"Arguments:\n  <sender>    Who.\n  <event>     What.\n  [<data>]    The data.\n",
		"      --hub=ADDR         Where ($COMMANDLINE_TEST_HUB).\n  -n, --dry-run ",
		"  -t, --tag=TAG ",
	} {
		if !strings.Contains(send, want) {
			t.Errorf("the help lacks %q:\n%s", want, send)
		}
	}
	for line := range strings.Lines(p.Commands[0].Usage(10)) {
		if len(line) > 60 {
			t.Errorf("%q", line)
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	for _, line := range []string{"send a b", "send -nqc5 --tag=x a", "box pick --pty -- -x", "send -\xff", "box pick --port"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, _, _ := program()
		c, err := p.Parse(strings.Split(line, " "))
		if c == nil || err == nil && c.Of == nil && c.Name != "secret" && c.Name != "shut" {
			t.Error(c, err)
		}
	})
}
