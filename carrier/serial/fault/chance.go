package fault

import "math/rand/v2"

// The streams of random numbers: one for each purpose, so that they do not disturb each other.
const (
	streamFlip = iota
	streamLose
	streamDouble
	streamInsert
	streamDrop
	streamRepeat
	streamNoise
	streamDelay
	streamCuts
)

// stream returns the random numbers for one purpose. They are the same on every machine.
func stream(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// A chance is something that happens with a probability.
type chance struct {
	p      float64
	random *rand.Rand
}

func newChance(p float64, seed, purpose uint64) chance { return chance{p, stream(seed, purpose)} }

func (c *chance) hit() bool { return c.p > 0 && c.random.Float64() < c.p }
