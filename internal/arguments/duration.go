package arguments

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads a duration as Go writes it, such as 90s or 1h30m, with days in front if they are wanted: 30d, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%s: write a duration such as 90s, 2h or 30d", text)
	rest := text
	var days float64
	if number, after, ok := strings.Cut(text, "d"); ok {
		var err error
		if days, err = strconv.ParseFloat(number, 64); err != nil || !(days >= 0 && days <= 100*366) || strings.ContainsAny(number, "eEpPxX_+-") {
			return 0, wrong
		}
		if rest = after; rest == "" {
			rest = "0s"
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return 0, wrong
	}
	whole := time.Duration(days * float64(day))
	if d+whole < d {
		return 0, wrong
	}
	return d + whole, nil
}
