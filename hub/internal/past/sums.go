package past

import (
	"context"
	"errors"
	"time"

	"sighub/carrier"
	"sighub/journal"
)

const maxStep = 366 * 24 * 3600 * 1000 // ms

// ReadStep returns how much time one sum is for.
func ReadStep(v carrier.Value) (time.Duration, error) {
	var text string
	step, ok := time.Duration(0), false
	if n, isNumber := v.Uint(); isNumber {
		step, ok = time.Duration(min(n, maxStep+1))*time.Millisecond, true
	} else if v.Decode(&text) == nil {
		step, ok = ReadAge(text)
	}
	if !ok || step < time.Minute || step%time.Minute != 0 || step > maxStep*time.Millisecond {
		return 0, errors.New("every must be whole minutes, such as \"1m\" or 60000 (ms), up to 366 days")
	}
	return step, nil
}

// Sums returns sums of a span of time: of so many steps, or of more if those have no numbers. There may be more from next on, unless
// that is zero: the next page looks there, so that nothing is added up twice. A zero from is the beginning of everything; then next is
// where the step after the last sum begins. When ctx is done, it ends with its cause.
func Sums(ctx context.Context, j *journal.Journal, t journal.Topic, from, to time.Time, step time.Duration, steps int) (
	list []journal.Bucket, next time.Time, err error,
) {
	for most := steps; ; most *= 2 {
		end := to
		next = time.Time{}
		if span := to.Sub(from); !from.IsZero() && time.Duration(most) < span/step {
			if at := pageEnd(from, step, most); at.Before(to) {
				end, next = at, at
			}
		}
		list, err = j.RollupFirst(ctx, steps+1, t.Sender, t.Event, from, end, step)
		switch {
		case err != nil:
			return nil, next, err
		case len(list) > steps:
			return list[:steps], list[steps].Start, nil
		case len(list) > 0 || next.IsZero():
			return list, next, nil
		}
	}
}

// pageEnd returns a time, at least so many steps behind another one, at which both a step and an hour begin: of what is old, only sums of
// hours may be left, and none may be on two pages.
func pageEnd(from time.Time, step time.Duration, steps int) time.Time {
	align := int64(step)
	for align%int64(time.Hour) != 0 {
		align += int64(step)
	}
	end := from.UnixNano() + int64(steps)*int64(step)
	switch rest := end % align; {
	case rest > 0:
		end += align - rest
	case rest < 0: // before 1970
		end -= rest
	}
	return time.Unix(0, end)
}
