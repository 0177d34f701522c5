package link

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A chip is a device made of the C library, in a process of its own and in virtual time: firmware/tests/host.c
// describes what is said to it.
type chip struct {
	t         testing.TB
	size      chipSize
	in        io.WriteCloser
	out       *bufio.Reader
	commands  bytes.Buffer
	connected bool
	waiting   int // bytes in its ring
	executed  int // requests, since the process began
}

// chipSize is how a chip's library is configured: for a microcontroller with 2 KB of RAM, or a larger one.
type chipSize struct {
	name     string
	defines  []string
	window   int
	sendOnly bool // it answers no requests, and no reset leaves it its memory
}

var chipSizes = []chipSize{
	{"small", []string{"SIGHUB_RING=120"}, 1, false},
	{"short", []string{"SIGHUB_WINDOW=4"}, 4, false},
	{"large", []string{"SIGHUB_FRAME=254", "SIGHUB_WINDOW=8", "SIGHUB_RING=4000", "SIGHUB_RECEIVE=1024", "SIGHUB_REPLY=120"}, 8, false},
	{"send-only", []string{"SIGHUB_REQUESTS=0"}, 1, true},
}

// dictionary is that of firmware/tests/host.c.
func (s chipSize) dictionary() string {
	requests := "\005echo\005fail\005executed\005pick"
	if s.sendOnly {
		requests = ""
	}
	return "\001host\002counter\003count" + requests + "\001room\002temperature\003Cel\004-2"
}

// newChip builds and starts a chip. The C compiler checks what it does as it runs, for undefined behaviour too.
func newChip(t testing.TB, size chipSize) *chip {
	t.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	program := filepath.Join(t.TempDir(), "host")
	arguments := []string{"-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program}
	for _, d := range append(size.defines, "SIGHUB_FLOAT=1") {
		arguments = append(arguments, "-D"+d)
	}
	arguments = append(arguments, "../../../../firmware/tests/host.c", "../../../../firmware/src/sighub.c")
	if said, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", compiler, err, said)
	}
	var complaints strings.Builder
	cmd := exec.Command(program)
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the chip ended: %v\n%s", err, complaints.String())
		}
	})
	return &chip{t: t, size: size, in: in, out: bufio.NewReader(out)}
}

// say sends what was gathered in commands, and reads an answer of n bytes.
func (c *chip) say(n int) []byte {
	if c.commands.Len() > 0 {
		if _, err := c.in.Write(c.commands.Bytes()); err != nil {
			c.t.Fatalf("the chip does not listen: %v", err)
		}
		c.commands.Reset()
	}
	answer := make([]byte, n)
	if _, err := io.ReadFull(c.out, answer); err != nil {
		c.t.Fatalf("the chip does not answer: %v", err)
	}
	return answer
}

// command adds a command with its numbers, of 1, 2 or 4 bytes.
func (c *chip) command(name byte, numbers ...any) {
	c.commands.WriteByte(name)
	for _, n := range numbers {
		if err := binary.Write(&c.commands, binary.BigEndian, n); err != nil {
			c.t.Fatal(err)
		}
	}
}

// begin starts the chip, anew if it runs, at a time in milliseconds.
func (c *chip) begin(kept bool, boot uint32, now uint32) {
	c.command('B', kept, boot, now)
	c.say(1)
}

// report reports whether the chip has room for a reading.
func (c *chip) report(event uint8, value int32, taken uint32) bool {
	c.command('V', event, value, taken)
	return c.say(1)[0] == 1
}

// run gives the chip what it has received, and returns what it sends: no more than room bytes.
func (c *chip) run(now uint32, received []byte, room int) []byte {
	if len(received) > 0 {
		c.command('R', uint16(len(received)))
		c.commands.Write(received)
		c.command('P', now, uint16(room))
		c.say(2)
	} else {
		c.command('P', now, uint16(room))
	}
	head := c.say(7)
	c.connected = head[0] != 0
	c.waiting = int(binary.BigEndian.Uint16(head[1:]))
	c.executed += int(binary.BigEndian.Uint16(head[3:]) - uint16(c.executed))
	return c.say(int(binary.BigEndian.Uint16(head[5:])))
}
