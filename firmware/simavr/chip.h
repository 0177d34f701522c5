/* The one microcontroller: a thin layer over libsimavr. */
#ifndef CHIP_H
#define CHIP_H

#include <stdint.h>

struct chip_options {
	const char *mcu, *program, *eeprom; /* names; the latter two of files; eeprom: NULL for none */
	uint32_t frequency, vcc;            /* Hz, mV */
	unsigned long seed;
	void (*say)(const char *format, ...); /* reports events, see main.c */
	void (*transmitted)(uint8_t byte);    /* receives what UART 0 sends */
};

/* Makes the chip and switches its power on. Returns 0 if that fails, and says why on standard error. */
int chip_make(const struct chip_options *options);

/* Saves the EEPROM, and frees the chip. Returns 0 if saving fails. */
int chip_end(void);

/* Runs until the clock has counted this number of milliseconds. Returns 0 if the program has ended for good. */
int chip_run(uint64_t milliseconds);
uint64_t chip_cycle(void);

/* Sets the voltages of a channel; returns 0 if there is no such channel. FROM and TO are millivolts, STEP their rise at
 * each conversion. */
int chip_saw(unsigned channel, unsigned from, unsigned to, unsigned step);

void chip_reset(void); /* by its pin */
void chip_power(void); /* off and on */

/* Gives UART 0 a byte, which arrives at its rate. Call it only while chip_receives: other bytes are lost, as on a chip
 * whose receiver is off. */
void chip_receive(uint8_t byte);
int chip_receives(void);

#endif
