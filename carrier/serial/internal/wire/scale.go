package wire

import (
	"math"
	"math/big"
	"strconv"

	"sighub/carrier"
)

// exactFloat is the integer up to which a float64 holds every integer. Beyond it, a float64 holds the powers of ten up to
// 10^22, so that dividing by one of them rounds once, and correctly.
const exactFloat = 1 << 53

// Scale returns the value that an item on the line stands for: an integer is multiplied by ten to the power of the event's
// exponent, everything else stays as it is.
func Scale(packed []byte, exponent int) carrier.Value {
	major, n, _, err := carrier.CBORHead(packed)
	if err != nil || exponent == 0 || major != carrier.CBORUnsigned && major != carrier.CBORNegative {
		return carrier.RawValue(carrier.CBORText, packed)
	}
	if exponent < 0 && n < exactFloat {
		f := float64(n)
		if major == carrier.CBORNegative {
			f = -1 - f
		}
		return carrier.ValueOf(f / math.Pow10(-exponent))
	}
	i := new(big.Int).SetUint64(n)
	if major == carrier.CBORNegative {
		i.Not(i)
	}
	if exponent > 0 {
		product := new(big.Int).Mul(i, powerOfTen(exponent))
		if product.IsInt64() {
			return carrier.ValueOf(product.Int64())
		}
	}
	f, _ := strconv.ParseFloat(i.String()+"e"+strconv.Itoa(exponent), 64) // below 10^38, so never out of range
	return carrier.ValueOf(f)
}

// Unscale is the inverse of [Scale]: it returns the item that stands for a packed value, rounded half away from zero.
func Unscale(packed []byte, exponent int) ([]byte, error) {
	major, _, _, err := carrier.CBORHead(packed)
	if err != nil || exponent == 0 {
		return packed, err
	}
	value := carrier.RawValue(carrier.CBORText, packed)
	exact := new(big.Rat)
	switch major {
	case carrier.CBORUnsigned, carrier.CBORNegative:
		var i big.Int
		if err := value.Decode(&i); err != nil {
			return nil, err
		}
		exact.SetInt(&i)
	case carrier.CBORSimple:
		v, err := value.Any()
		if err != nil {
			return nil, err
		}
		if f, ok := v.(float64); !ok || exact.SetFloat64(f) == nil {
			return packed, nil // true, null, infinity and so on
		}
	default:
		return packed, nil
	}
	if exponent < 0 {
		exact.Mul(exact, new(big.Rat).SetInt(powerOfTen(-exponent)))
	} else {
		exact.Quo(exact, new(big.Rat).SetInt(powerOfTen(exponent)))
	}
	if n := round(exact); n.IsInt64() {
		return AppendInt(nil, n.Int64()), nil
	}
	// It is too large for an integer: a float travels unscaled.
	var f float64
	if err := value.Decode(&f); err != nil {
		return nil, err
	}
	return carrier.CBORText.Append(nil, f)
}

// round returns the nearest integer, half away from zero.
func round(r *big.Rat) *big.Int {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	if r.Sign() < 0 {
		twice.Sub(twice, r.Denom())
	} else {
		twice.Add(twice, r.Denom())
	}
	return twice.Quo(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
