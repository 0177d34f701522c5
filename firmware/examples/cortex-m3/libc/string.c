#include "string.h"

/* Compiled with -fno-tree-loop-distribute-patterns: the compiler would make calls of these functions from their loops. */

void *memcpy(void *to, const void *from, size_t size) { return memmove(to, from, size); }

void *memmove(void *to, const void *from, size_t size) {
	unsigned char *t = to;
	const unsigned char *f = from;
	if (t < f) while (size--) *t++ = *f++;
	else while (size--) t[size] = f[size];
	return to;
}

void *memset(void *to, int byte, size_t size) {
	unsigned char *t = to;
	while (size--) *t++ = (unsigned char)byte;
	return to;
}
