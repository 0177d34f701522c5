// Packagelab writes the first file system of a machine in QEMU, which goes on with Debian on a disk. Use run.sh.
package main

import (
	"flag"
	"fmt"
	"os"

	"sighub/scripts/lab/initramfs"
)

func main() {
	modules := flag.String("modules", "", "the folder of the kernel's modules")
	guest := flag.String("init", "", "the program of ./guest, built for the machine")
	out := flag.String("out", "", "the file to write")
	flag.Parse()
	list, err := initramfs.FindModules(*modules, []string{"virtio_pci", "virtio_blk", "crc32c_generic", "ext4"}, "ext4")
	if err == nil {
		err = initramfs.Write(*out, list, initramfs.Program{Name: "init", From: *guest})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "packagelab: %v\n", err)
		os.Exit(1)
	}
}
