/* The board: clock, UART, LED, identity. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define UID_SIZE 6

struct start {
	uint8_t uid[UID_SIZE];
	uint32_t boot;
	uint8_t cause; /* of the reset: bits of RESC */
	uint8_t kept;  /* the RAM survived it */
};

void board_begin(struct start *start);

uint32_t milliseconds(void);
void rest(void);            /* until there is something to do, at most a millisecond */
float load(void);           /* the share of the time since the last call, 0 to 1, in which the core was busy */

uint8_t uart_get(uint8_t *byte); /* returns 0 if no byte has arrived */
uint8_t uart_put(uint8_t byte);  /* returns 0 if there is no room at present */

void led_set(uint8_t on);
uint8_t led_is_on(void);

void systick_interrupt(void);
void uart_interrupt(void);

#endif
