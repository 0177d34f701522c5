package fault

import "math/rand/v2"

// The streams of chance: one for each purpose, so that none of them disturbs another.
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

// stream returns the chance of one purpose. PCG and what is drawn from it below are the same on every machine.
func stream(seed, purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, purpose)) }

// A chance is something that happens with a probability.
type chance struct {
	p      float64
	random *rand.Rand
}

func newChance(p float64, seed, purpose uint64) chance { return chance{p, stream(seed, purpose)} }

func (c *chance) hit() bool { return c.p > 0 && c.random.Float64() < c.p }
