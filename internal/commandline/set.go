package commandline

import (
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// setField sets a field to what a text means, or adds it to a slice.
func setField(field reflect.Value, text string) error {
	switch {
	case field.Type() == duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration, such as 30s or 1m30s", text)
		}
		field.SetInt(int64(d))
	case field.Kind() == reflect.String:
		field.SetString(text)
	case field.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(b)
	case field.CanInt():
		n, err := strconv.ParseInt(text, 10, field.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number, or is too large", text)
		}
		field.SetInt(n)
	case field.CanFloat():
		n, err := strconv.ParseFloat(text, field.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		field.SetFloat(n)
	case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.String:
		field.Set(reflect.Append(field, reflect.ValueOf(text).Convert(field.Type().Elem())))
	default:
		return errKind
	}
	return nil
}
