package commandline

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a user may ask for instead of a command's work.
var (
	ErrHelp    = errors.New("help is asked for")
	ErrVersion = errors.New("the version is asked for")
)

// Parse reads the arguments of a program that was prepared, without its name, and sets the fields of the command that they name. It
// returns this command; beside an error, the one at which the arguments went wrong. Flags may stand before, behind and between
// arguments. Behind -- there are no flags. What begins like a negative number is no flag either.
func (c *Command) Parse(args []string) (*Command, error) {
	p := parser{command: c, rest: args}
	err := c.eachValue((*Value).reset)
	for err == nil && len(p.rest) > 0 {
		err = p.next()
	}
	if err == nil {
		err = p.command.finish(p.values)
	}
	return p.command, err
}

func (c *Command) eachValue(f func(*Value) error) error {
	for _, v := range slices.Concat(c.Flags, c.Arguments) {
		if !v.field.IsValid() { // a builtin one
			continue
		}
		if err := f(v); err != nil {
			return err
		}
	}
	for _, child := range c.Commands {
		if err := child.eachValue(f); err != nil {
			return err
		}
	}
	return nil
}

// A parser goes through arguments.
type parser struct {
	command   *Command
	rest      []string
	values    []string // arguments that are no flags
	flagsDone bool     // -- was read
}

func (p *parser) next() error {
	arg := p.rest[0]
	p.rest = p.rest[1:]
	switch {
	case !p.flagsDone && arg == "--":
		p.flagsDone = true
		return nil
	case !p.flagsDone && strings.HasPrefix(arg, "--"):
		name, text, has := strings.Cut(arg[2:], "=")
		return p.flag("--"+name, p.command.flag(func(f *Value) bool { return f.Name == name }), text, has)
	case !p.flagsDone && looksLikeFlag(arg):
		return p.letters(arg[1:])
	case len(p.command.Commands) > 0:
		return p.enter(arg)
	}
	p.values = append(p.values, arg)
	return nil
}

// looksLikeFlag reports whether an argument is one or more flags; - is standard input, and -5 and -.5 are numbers.
func looksLikeFlag(arg string) bool {
	rest, minus := strings.CutPrefix(arg, "-")
	digits := strings.TrimPrefix(rest, ".")
	return minus && rest != "" && (digits == "" || digits[0] < '0' || digits[0] > '9')
}

// letters reads flags of one letter: -a, -ab, -n5, -n=5, -n 5.
func (p *parser) letters(letters string) error {
	for letters != "" {
		_, size := utf8.DecodeRuneInString(letters)
		letter := letters[:size]
		letters = letters[size:]
		f := p.command.flag(func(f *Value) bool { return f.Short == letter })
		if f != nil && f.Stands == "" { // further ones may follow
			if err := p.flag("-"+letter, f, "", false); err != nil {
				return err
			}
			continue
		}
		text, has := strings.TrimPrefix(letters, "="), letters != ""
		return p.flag("-"+letter, f, text, has)
	}
	return nil
}

// flag returns the command's flag that fits, or nil.
func (c *Command) flag(fits func(*Value) bool) *Value {
	if i := slices.IndexFunc(c.Flags, fits); i >= 0 {
		return c.Flags[i]
	}
	return nil
}

// flag sets a flag. Its value is text, if it has one, or the next argument.
func (p *parser) flag(written string, f *Value, text string, has bool) error {
	switch {
	case f == nil:
		return fmt.Errorf("unknown flag %s%s", written, p.command.meantFlag(written))
	case f == builtin[0]:
		return ErrHelp
	case f == builtin[1]:
		return ErrVersion
	case f.Stands == "" && !has:
		text = "true"
	case !has && (len(p.rest) == 0 || looksLikeFlag(p.rest[0])):
		return fmt.Errorf("%s needs a value: --%s=%s", written, f.Name, f.Stands)
	case !has:
		text = p.rest[0]
		p.rest = p.rest[1:]
	}
	if other := p.command.flag(func(o *Value) bool { return o != f && o.given != "" && o.only != "" && o.only == f.only }); other != nil {
		return fmt.Errorf("--%s and --%s can't be used together", other.Name, f.Name)
	}
	return f.give("--"+f.Name, text)
}

// give sets a value as the user gave it.
func (v *Value) give(how, text string) error {
	if v.Repeated && v.given == "" {
		v.field.SetZero() // without the default
	}
	v.given = how
	if err := v.set(text); err != nil {
		separator := ": "
		if strings.HasPrefix(err.Error(), "must ") {
			separator = " "
		}
		return fmt.Errorf("%s%s%w", how, separator, err)
	}
	return nil
}

// enter goes on with a command of the present one.
func (p *parser) enter(name string) error {
	for _, child := range p.command.Commands {
		if child.Name == name {
			p.command = child
			return nil
		}
	}
	return fmt.Errorf("%s has no command %s%s", p.command.Path(), strconv.Quote(name), meant(name, p.command.shown()))
}

// shown returns the names of the command's commands that are not hidden.
func (c *Command) shown() (names []string) {
	for _, child := range c.Commands {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return names
}

// finish gives the arguments to the command, and checks that nothing is missing.
func (c *Command) finish(values []string) error {
	if len(c.Commands) > 0 {
		return fmt.Errorf("a command is missing: one of %s", strings.Join(c.shown(), ", "))
	}
	for i, v := range c.Arguments {
		for len(values) > 0 {
			if err := v.give(v.argument(), values[0]); err != nil {
				return err
			}
			values = values[1:]
			if !v.Repeated {
				break
			}
		}
		if v.given == "" && !v.Optional {
			return fmt.Errorf("expected \"%s\"", synopsis(c.Arguments[i:]))
		}
	}
	if len(values) > 0 {
		return fmt.Errorf("unexpected argument %s", strconv.Quote(values[0]))
	}
	return errors.Join(c.environment(), c.missing())
}

// environment sets the flags that are not given and that the environment has.
func (c *Command) environment() error {
	for _, f := range c.Flags {
		if f.Env == "" || f.given != "" {
			continue
		}
		if text := os.Getenv(f.Env); text != "" {
			if err := f.give("$"+f.Env, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing says which flags are missing.
func (c *Command) missing() error {
	for _, f := range c.Flags {
		if f.Optional || f.given != "" {
			continue
		}
		choice := []string{f.written()}
		for _, g := range c.Flags {
			if g == f || g.only == "" || g.only != f.only {
				continue
			}
			if g.given != "" {
				choice = nil
				break
			}
			choice = append(choice, g.written())
		}
		if choice != nil {
			return fmt.Errorf("missing flag: %s", strings.Join(choice, " or "))
		}
	}
	return nil
}
