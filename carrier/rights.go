package carrier

import (
	"fmt"
	"strings"
)

// Rights are what a client may ask a hub for, beside what every client may do: add, trigger and remove senders of its own, and
// answer their requests.
type Rights uint8

// The rights.
const (
	RightListen  Rights = 1 << iota // to listen to events
	RightRequest                    // to send requests to senders of others
	RightList                       // to ask what there is: the senders, the clients, and what else the hub tells

	AllRights = RightListen | RightRequest | RightList
)

// rightWords are the words for the rights, in their order.
var rightWords = [...]string{"listen", "request", "list"}

// allRights is the word for AllRights.
const allRights = "all"

// RightWords returns the words that stand for rights.
func RightWords() []string { return append(rightWords[:len(rightWords):len(rightWords)], allRights) }

// ParseRights returns the rights for which these words stand.
func ParseRights(words []string) (r Rights, err error) {
	for _, w := range words {
		right := Rights(0)
		for i, known := range rightWords {
			if w == known {
				right = 1 << i
			}
		}
		if w == allRights {
			right = AllRights
		}
		if right == 0 {
			return 0, fmt.Errorf("carrier: there is no right %q: write %s", w, strings.Join(RightWords(), ", "))
		}
		r |= right
	}
	return r, nil
}

// String returns the words for the rights.
func (r Rights) String() string {
	var words []string
	for i, w := range rightWords {
		if r&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}
