package plain

// Distance returns how many bytes must be inserted, removed or changed to turn a into b (V. Levenshtein, 1966): an error suggests the
// name that is near to what was written. A text of more than 64 bytes is at a distance of 64 from everything, and costs no time.
func Distance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
