package manual

import (
	"fmt"
	"strings"

	"sighub/internal/commandline"
)

// Shells returns the shells that [Completion] knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion returns the program by which a shell completes commands.
func Completion(program *commandline.Command, shell string) (string, error) {
	root := newCommand(program, nil)
	switch shell {
	case "bash":
		return bash(root), nil
	case "zsh":
		return zsh(root), nil
	case "fish":
		return fish(root), nil
	}
	return "", fmt.Errorf("there is no completion for %s: write one of %s", shell, strings.Join(Shells(), ", "))
}

// quote quotes text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// brief returns what a menu has room for: the first sentence.
func brief(help string) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(help, "\n", " "), ". ")
	first, _, _ = strings.Cut(first, ": ")
	return strings.TrimSuffix(first, ".")
}

// bash returns a function for bash's complete. It needs nothing but bash.
func bash(root *command) string {
	var b strings.Builder
	program := root.name()
	fmt.Fprintf(&b, `# Completes the commands of %[1]s in bash.
_%[1]s() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=%[1]s i
	if [[ $word == = ]]; then # bash takes --flag=value apart
		word=''
	elif [[ $before == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$command ${COMP_WORDS[i]}" in
`, program)
	root.all(func(c *command) {
		if c != root {
			fmt.Fprintf(&b, "\t\t%s) command=%s ;;\n", quote(c.name()), quote(c.name()))
		}
	})
	b.WriteString("\t\tesac\n\tdone\n\tCOMPREPLY=()\n\tcase $command in\n")
	root.all(func(c *command) {
		fmt.Fprintf(&b, "\t%s)\n", quote(c.name()))
		c.bashValues(&b)
		words, files := c.next()
		fmt.Fprintf(&b, "\t\tmapfile -t COMPREPLY < <(compgen %s-W %s -- \"$word\")\n\t\t;;\n", files, quote(strings.Join(words, " ")))
	})
	fmt.Fprintf(&b, "\tesac\n}\ncomplete -o filenames -F _%[1]s %[1]s\n", program)
	return b.String()
}

// bashValues writes what may follow flags that have values.
func (c *command) bashValues(b *strings.Builder) {
	var cases strings.Builder
	for _, f := range c.flags {
		if f.stands == "" {
			continue
		}
		names := "--" + f.name
		if f.short != "" {
			names += " | -" + f.short
		}
		what := "" // nothing is known
		switch {
		case len(f.words) > 0:
			what = "mapfile -t COMPREPLY < <(compgen -W " + quote(strings.Join(f.words, " ")) + ` -- "$word"); `
		case f.files:
			what = `mapfile -t COMPREPLY < <(compgen -f -- "$word"); `
		}
		fmt.Fprintf(&cases, "\t\t%s) %sreturn ;;\n", names, what)
	}
	if cases.Len() > 0 {
		b.WriteString("\t\tcase $before in\n" + cases.String() + "\t\tesac\n")
	}
}

// next returns the words that may come next, and the option of compgen if files may come as well.
func (c *command) next() (words []string, files string) {
	for _, child := range c.children {
		words = append(words, child.words[len(c.words)])
	}
	for _, f := range c.flags {
		words = append(words, "--"+f.name)
	}
	for _, v := range c.values {
		words = append(words, v.words...)
		if v.files {
			files = "-f "
		}
	}
	return words, files
}

// zsh returns functions for zsh's completion system.
func zsh(root *command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# Completes the commands of %s in zsh.\n", root.name(), root.name())
	root.all(func(c *command) {
		function := "_" + strings.Join(c.words, "_")
		fmt.Fprintf(&b, "\n%s() {\n", function)
		if len(c.children) > 0 {
			b.WriteString("\tlocal -a line state commands\n")
		}
		b.WriteString("\t_arguments -s -C")
		for _, f := range c.flags {
			b.WriteString(" \\\n\t\t" + f.zsh())
		}
		if len(c.children) == 0 {
			for i, v := range c.values {
				place := fmt.Sprint(i + 1)
				if v.repeated {
					place = "*"
				}
				b.WriteString(" \\\n\t\t" + quote(place+":"+zshText(strings.ToLower(v.stands))+":"+v.zshAction()))
			}
			b.WriteString("\n}\n")
			return
		}
		b.WriteString(" \\\n\t\t'1: :->command' '*:: :->argument'\n\tcase $state in\n\tcommand)\n\t\tcommands=(")
		for _, child := range c.children {
			fmt.Fprintf(&b, " \\\n\t\t\t%s", quote(child.words[len(c.words)]+":"+brief(child.help)))
		}
		b.WriteString(")\n\t\t_describe command commands\n\t\t;;\n\targument)\n\t\tcase $line[1] in\n")
		for _, child := range c.children {
			fmt.Fprintf(&b, "\t\t%s) _%s ;;\n", child.words[len(c.words)], strings.Join(child.words, "_"))
		}
		b.WriteString("\t\tesac\n\t\t;;\n\tesac\n}\n")
	})
	fmt.Fprintf(&b, "\nif [[ $funcstack[1] == _%[1]s ]]; then # it was found in fpath\n\t_%[1]s \"$@\"\nelse # it was read by source\n\tcompdef _%[1]s %[1]s\nfi\n", root.name())
	return b.String()
}

// zsh returns a flag as _arguments wants it.
func (v value) zsh() string {
	value := ""
	if v.stands != "" {
		value = ":" + zshText(v.stands) + ":" + v.zshAction()
	}
	text := "[" + zshText(brief(v.help)) + "]" + value
	long := "--" + v.name
	if v.stands != "" {
		long += "="
	}
	star := ""
	if v.repeated {
		star = "*"
	}
	if v.short == "" {
		return quote(star + long + text)
	}
	short := "-" + v.short
	if v.repeated {
		return quote(star+short+text) + " " + quote(star+long+text)
	}
	exclusive := "(" + short + " --" + v.name + ")"
	return quote(exclusive+short+text) + " " + quote(exclusive+long+text)
}

func (v value) zshAction() string {
	switch {
	case len(v.words) > 0:
		return "(" + strings.Join(v.words, " ") + ")"
	case v.files:
		return "_files"
	}
	return " "
}

func zshText(text string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

// fish returns completions for fish.
func fish(root *command) string {
	var b strings.Builder
	program := root.name()
	fmt.Fprintf(&b, `# Completes the commands of %[1]s in fish.
function __%[1]s_at --description 'Whether these words, and no others, were written'
    set -l words (__%[1]s_words)
    test "$argv" = "$words"
end
function __%[1]s_within --description 'Whether the words that were written begin with these'
    set -l words (__%[1]s_words)
    set -l n (count $argv)
    test (count $words) -ge $n; and test "$argv" = "$words[1..$n]"
end
function __%[1]s_words --description 'What was written that is not a flag'
    string match --invert --regex -- '^-' (commandline --tokenize --cut-at-cursor --current-process)[2..]
end
complete --command %[1]s --no-files
`, program)
	root.all(func(c *command) {
		at := quote(strings.TrimSpace("__" + program + "_at " + strings.Join(c.words[1:], " ")))
		within := quote("__" + program + "_within " + strings.Join(c.words[1:], " "))
		for _, child := range c.children {
			fmt.Fprintf(&b, "complete --command %s --condition %s --arguments %s --description %s\n",
				program, at, child.words[len(c.words)], quote(brief(child.help)))
		}
		if len(c.children) > 0 {
			within = at
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete --command %s --condition %s --long-option %s", program, within, f.name)
			if f.short != "" {
				b.WriteString(" --short-option " + f.short)
			}
			b.WriteString(f.fishValue())
			fmt.Fprintf(&b, " --description %s\n", quote(brief(f.help)))
		}
		for _, v := range c.values {
			if what := v.fishValue(); len(v.words) > 0 || v.files {
				fmt.Fprintf(&b, "complete --command %s --condition %s%s\n", program, within, strings.TrimSuffix(what, " --require-parameter"))
			}
		}
	})
	return b.String()
}

// fishValue returns what may follow a flag.
func (v value) fishValue() string {
	switch {
	case v.stands == "":
		return ""
	case len(v.words) > 0:
		return " --arguments " + quote(strings.Join(v.words, " ")) + " --require-parameter"
	case v.files:
		return " --force-files --require-parameter"
	}
	return " --exclusive"
}
