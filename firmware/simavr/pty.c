#define _XOPEN_SOURCE 700
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* Without this the terminal would echo to the chip what the chip sends. */
static int make_raw(int fd) {
	struct termios t;
	if (tcgetattr(fd, &t) < 0) return -1;
	t.c_iflag = 0;
	t.c_oflag = 0;
	t.c_lflag = 0;
	t.c_cflag = CS8 | CREAD | CLOCAL;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	cfsetispeed(&t, B115200);
	cfsetospeed(&t, B115200);
	return tcsetattr(fd, TCSANOW, &t);
}

/* Replaces a link of an earlier run, but nothing else of that name. */
static int make_link(const char *target, const char *link) {
	char old[8];
	if (readlink(link, old, sizeof old) >= 0 && unlink(link) < 0) return -1;
	return symlink(target, link);
}

int pty_plug(const char *link) {
	int fd = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
	const char *name;
	if (fd < 0) return -1;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 || !(name = ptsname(fd))) goto failed;
	/* poll reports by POLLHUP that the slave is not open, but only after it was open once. */
	if ((slave = open(name, O_RDWR | O_NOCTTY)) < 0 || make_raw(slave) < 0) goto failed;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) goto failed;
	if (make_link(name, link) < 0) goto failed;
	close(slave);
	return fd;
failed:;
	int reason = errno;
	if (slave >= 0) close(slave);
	close(fd);
	errno = reason;
	return -1;
}

void pty_unplug(int fd, const char *link) {
	unlink(link); /* first, so that nobody finds a closed terminal */
	close(fd);
}

int pty_is_open(int fd) {
	struct pollfd p = {.fd = fd, .events = 0};
	return poll(&p, 1, 0) == 0;
}

size_t pty_read(int fd, uint8_t *bytes, size_t size) {
	ssize_t n = read(fd, bytes, size);
	return n > 0 ? (size_t)n : 0; /* EIO: nobody has it open; EAGAIN: no bytes yet */
}

void pty_write(int fd, uint8_t byte) {
	if (!pty_is_open(fd)) return; /* the kernel would keep it for the next program that opens the slave */
	while (write(fd, &byte, 1) < 0 && errno == EINTR) {}
}
