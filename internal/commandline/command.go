// Package commandline is a command line with commands: their flags and arguments are the fields of structs.
//
// A field has tags:
//
//	help         what it is
//	arg          it is an argument, not a flag; fields stand in the order of the arguments
//	optional     the argument may be left out; only further optional ones may follow
//	name, short  the flag's name, by default that of the field (DryRun: dry-run), and its letter
//	default      its value if it is not given
//	env          the environment variable that it comes from if it is not given
//	placeholder  what stands for its value in the help, by default its name
//	enum         the values that it may have, joined by commas; an empty one stands for not given
//	xor          of the flags with the same word here, one at most may be given
//	required     the flag must be given, or another one with the same xor
//
// A field is a string, a bool, a number, a duration, or a slice of strings, which takes a flag that is given several times, or all
// further arguments. Fields of embedded structs count as those of the struct around.
package commandline

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Command is a program, a group of its commands, or one of these.
type Command struct {
	Name   string
	Help   string // what it does, in a line or two
	Hidden bool   // the help does not tell of it
	// Of is a pointer to a struct with its flags and arguments. A method Help() string says more. It may be nil.
	Of any
	// Commands are those of a program or group, which has no arguments.
	Commands []*Command

	// The rest is set by [Prepare].
	Detail    string // what the method Help says
	Flags     []*Value
	Arguments []*Value
	above     *Command
}

// A Value is a flag or an argument.
type Value struct {
	Name     string
	Short    string // of a flag; often empty
	Help     string
	Stands   string   // what stands for its value in the help; empty for a flag without one
	Words    []string // what its value may be; empty: anything
	Env      string
	Default  string
	Optional bool
	Repeated bool

	only  string // the word that flags share of which one at most may be given
	field reflect.Value
	given string // how it was given: --flag or $ENV; empty if it was not
}

// builtin are the flags that every command has.
var builtin = []*Value{
	{Name: "help", Short: "h", Help: "Show what a command does, and its flags.", Optional: true},
	{Name: "version", Help: "Print the version.", Optional: true},
}

// Prepare reads the structs of a program and its commands. It panics if their tags are wrong, or a command has two flags of one
// name.
func Prepare(program *Command) *Command {
	program.prepare(nil)
	return program
}

func (c *Command) prepare(above *Command) {
	c.above, c.Flags, c.Arguments = above, nil, nil
	if d, ok := c.Of.(interface{ Help() string }); ok {
		c.Detail = d.Help()
	}
	if c.Of != nil {
		c.fields(reflect.ValueOf(c.Of).Elem())
	}
	c.Flags = append(c.Flags, builtin...)
	for i, f := range c.Flags {
		if slices.ContainsFunc(c.Flags[:i], func(g *Value) bool { return f.Name == g.Name || f.Short != "" && f.Short == g.Short }) {
			panic(fmt.Sprintf("commandline: %s has two flags --%s or -%s", c.Path(), f.Name, f.Short))
		}
	}
	for _, child := range c.Commands {
		child.prepare(c)
	}
}

func (c *Command) fields(of reflect.Value) {
	for i := range of.NumField() {
		field, value := of.Type().Field(i), of.Field(i)
		_, isArgument := field.Tag.Lookup("arg")
		_, isFlag := field.Tag.Lookup("help")
		switch {
		case field.Anonymous:
			c.fields(value)
		case isArgument:
			c.Arguments = append(c.Arguments, newArgument(field, value))
		case isFlag:
			c.Flags = append(c.Flags, newFlag(field, value))
		}
	}
}

func newValue(field reflect.StructField, value reflect.Value) *Value {
	tag := field.Tag
	v := &Value{
		Name: cmp.Or(tag.Get("name"), hyphened(field.Name)), Short: tag.Get("short"), Env: tag.Get("env"), Default: tag.Get("default"),
		Help: strings.ReplaceAll(tag.Get("help"), "${default}", tag.Get("default")), only: tag.Get("xor"), field: value,
		Repeated: value.Kind() == reflect.Slice,
	}
	for word := range strings.SplitSeq(tag.Get("enum"), ",") {
		if word != "" {
			v.Words = append(v.Words, word)
		}
	}
	if err := v.reset(); err != nil {
		panic(fmt.Sprintf("commandline: field %s: %v", field.Name, err))
	}
	return v
}

func newArgument(field reflect.StructField, value reflect.Value) *Value {
	v := newValue(field, value)
	_, v.Optional = field.Tag.Lookup("optional")
	v.Stands = cmp.Or(field.Tag.Get("placeholder"), v.Name)
	return v
}

func newFlag(field reflect.StructField, value reflect.Value) *Value {
	v := newValue(field, value)
	_, required := field.Tag.Lookup("required")
	v.Optional = !required
	if value.Kind() != reflect.Bool {
		v.Stands = cmp.Or(field.Tag.Get("placeholder"), strings.ToUpper(v.Name))
	}
	return v
}

// hyphened returns the name of a field as that of a flag: DryRun is dry-run.
func hyphened(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// reset gives the field its default.
func (v *Value) reset() error {
	v.given = ""
	v.field.SetZero()
	if v.Default == "" {
		return nil
	}
	return v.set(v.Default)
}

var errKind = errors.New("such a field cannot be a flag or an argument")

// set sets the field, or adds to it.
func (v *Value) set(text string) error {
	if len(v.Words) > 0 && !slices.Contains(v.Words, text) {
		return fmt.Errorf("must be one of \"%s\" but got %q", strings.Join(v.Words, `","`), text)
	}
	return setField(v.field, text)
}

// Path returns the command as it is written: "sighub journal info".
func (c *Command) Path() string {
	if c.above == nil {
		return c.Name
	}
	return c.above.Path() + " " + c.Name
}

// duration is told apart from other whole numbers.
var duration = reflect.TypeFor[time.Duration]()
