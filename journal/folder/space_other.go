//go:build !linux && !darwin

package folder

// Space implements Folder.
func (d Directory) Space() (total, free int64, err error) { return 0, 0, nil }
