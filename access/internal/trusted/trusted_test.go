package trusted

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("text"), mode); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
	return path
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	chmod(t, path, mode)
	return path
}

func link(t *testing.T, target, path string) string {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRead: a file is taken only if nobody else could have changed what is read.
func TestRead(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	safe, open, sticky := folder(t, at("safe"), 0o755), folder(t, at("open"), 0o777), folder(t, at("sticky"), 0o777|fs.ModeSticky)
	pipe, socket := at("pipe"), at("socket")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	chmod(t, socket, 0o600)
	good := write(t, filepath.Join(safe, "file"), 0o644)
	for name, path := range map[string]string{
		"a file": good, "a file of its own user": write(t, at("private"), 0o600), "a sticky folder": write(t, filepath.Join(sticky, "file"), 0o644),
		"a link": link(t, good, at("link")), "a link to a link": link(t, "link", at("link2")), "a link to a folder": filepath.Join(link(t, "safe", at("folder")), "file"),
		"a link upwards": link(t, "../safe/./file", filepath.Join(safe, "up")), "a way with ..": root + "/safe/../safe/file",
	} {
		data, _, err := Read(path, 4)
		if err != nil || string(data) != "text" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	loop := link(t, "loop2", at("loop"))
	link(t, "loop", at("loop2"))
	for path, want := range map[string]string{
		write(t, at("group"), 0o664):                     "others may write to the file (mode 0664), and so change who may do what: chmod go-w it",
		write(t, at("all"), 0o646):                       "others may write to the file",
		write(t, filepath.Join(open, "file"), 0o644):     "open: others may write to the folder (mode 0777)",
		link(t, good, filepath.Join(open, "link")):       "open: others may write to the folder",
		link(t, filepath.Join(open, "link"), at("way")):  "open: others may write to the folder", // a good file by a bad way
		link(t, filepath.Join(open, "file"), at("away")): "open: others may write to the folder",
		loop:                          "more than 40 links",
		link(t, "/dev/zero", at("z")): "/z: this is a device: name a regular file",
		pipe:                          "this is a pipe", socket: "this is a socket", safe: "this is a folder", at("none"): "no such file",
		link(t, "gone", at("dangling")): "no such file", good + "/x": "not a directory", write(t, at("large"), 0o644): "",
	} {
		most := int64(4)
		if want == "" {
			most, want = 3, "more than 3 bytes"
		}
		_, _, err := Read(path, most)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
		if strings.Contains(want, "no such file") && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v does not say that the file is missing", err)
		}
	}
}

// TestOwner: what belongs to somebody else is not taken.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give files away: the owner is not tried")
		return
	}
	root := t.TempDir()
	for name, path := range map[string]string{
		"the file": write(t, filepath.Join(root, "file"), 0o644), "the folder": folder(t, filepath.Join(root, "folder"), 0o755),
		"the link": link(t, write(t, filepath.Join(root, "good"), 0o644), filepath.Join(root, "link")),
	} {
		if err := os.Lchown(path, 4711, 4711); err != nil {
			t.Fatal(err)
		}
		if name == "the folder" {
			path = write(t, filepath.Join(path, "file"), 0o644)
		}
		if _, _, err := Read(path, 100); err == nil || !strings.Contains(err.Error(), name+" belongs to uid 4711") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
