//go:build linux || darwin

package folder

import "syscall"

// Space implements Folder.
func (d Directory) Space() (total, free int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(string(d), &st); err != nil {
		return 0, 0, err
	}
	size := uint64(st.Bsize) // its type differs between systems
	return int64(st.Blocks * size), int64(st.Bavail * size), nil
}
