/* The three functions that the compiler and sighub.c want, for a toolchain without a C library. With one, leave this
 * folder out. */
#ifndef STRING_H
#define STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

#endif
