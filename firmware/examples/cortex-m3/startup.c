/* The code that runs before main, and the interrupt vectors. */
#include "board.h"

#include <stdint.h>

extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end; /* from the linker */

int main(void);
void reset(void);

void reset(void) {
	const uint32_t *from = &data_load;
	for (uint32_t *to = &data_start; to < &data_end; ) *to++ = *from++;
	for (uint32_t *to = &bss_start; to < &bss_end; ) *to++ = 0;
	main();
	for (;;) {}
}

static void stop(void) { /* an unexpected fault or interrupt: a debugger finds it here */
	for (;;) {}
}

/* The first word is not a function but the start of the stack. */
__attribute__((section(".vectors"), used)) static const union {
	void *stack;
	void (*function)(void);
} vectors[16 + 6] = {
	[0].stack = &stack_top,
	[1].function = reset, [2].function = stop, [3].function = stop, [4].function = stop, [5].function = stop, [6].function = stop, [11].function = stop, [12].function = stop, [14].function = stop,
	[15].function = systick_interrupt,
	[16].function = stop, [17].function = stop, [18].function = stop, [19].function = stop, [20].function = stop,
	[16 + 5].function = uart_interrupt,
};
