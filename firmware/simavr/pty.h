/* The simulated chip's end of a serial line: the master of a pseudo terminal. A symbolic link leads to the slave. It behaves
 * like a wire: what nobody reads is lost, and the chip never waits. */
#ifndef PTY_H
#define PTY_H

#include <stddef.h>
#include <stdint.h>

/* Makes the terminal and the link. Returns its descriptor, or -1 with errno set. */
int pty_plug(const char *link);

/* Closes the terminal, which hangs up at the other end, and removes the link. */
void pty_unplug(int fd, const char *link);

/* Returns 1 while somebody has the slave open. */
int pty_is_open(int fd);

/* Reads what has arrived, at most size bytes; 0: nothing. */
size_t pty_read(int fd, uint8_t *bytes, size_t size);

/* Writes a byte. If nobody has the slave open, it is lost. */
void pty_write(int fd, uint8_t byte);

#endif
