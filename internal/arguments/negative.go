package arguments

import "strings"

// negativeMark is put before arguments that are negative numbers, until they are read: the parser of the command line would
// take them for flags. No argument can contain it, and no flag is a digit.
const negativeMark = "\x00"

// MarkNegatives marks the arguments that are negative numbers; [Unmark] takes the mark away.
func MarkNegatives(args []string) []string {
	marked := make([]string, 0, len(args))
	for _, arg := range args {
		if isNegative(arg) {
			if n := len(marked); n > 0 && isFlag(marked[n-1]) {
				if marked[n-1][1] == '-' {
					marked[n-1] += "="
				}
				marked[n-1] += arg // the value of a flag
				continue
			}
			arg = negativeMark + arg
		}
		marked = append(marked, arg)
	}
	return marked
}

// isNegative reports whether an argument begins like a negative number: -5, -.5.
func isNegative(arg string) bool {
	digits, minus := strings.CutPrefix(arg, "-")
	digits = strings.TrimPrefix(digits, ".")
	return minus && digits != "" && '0' <= digits[0] && digits[0] <= '9'
}

// isFlag reports whether an argument is a flag without a value, such as --count or -n.
func isFlag(arg string) bool {
	if !strings.HasPrefix(arg, "-") || strings.Contains(arg, "=") || arg == "--" {
		return false
	}
	return len(arg) == 2 || strings.HasPrefix(arg, "--")
}

// Unmark returns an argument as the user wrote it.
func Unmark(arg string) string { return strings.TrimPrefix(arg, negativeMark) }
