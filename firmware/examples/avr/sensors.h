/* The millisecond clock, and the two sensors, which it starts periodically. */
#ifndef SENSORS_H
#define SENSORS_H

#include <stdint.h>

enum { LIGHT, TEMPERATURE, SENSORS }; /* inputs ADC0 and ADC1; also the numbers of their events */

/* Starts the clock and the sensors: milliseconds between readings, 1 or more; whether the RAM has survived a reset. */
void sensors_begin(uint16_t period, uint8_t kept);
void sensors_set_period(uint16_t period);

uint32_t milliseconds(void);

/* Takes the next result: its sensor, the number from the ADC, 0 to 1023, and when it was measured. Returns 0 if there is
 * none. */
uint8_t sensors_get(uint8_t *sensor, uint16_t *raw, uint32_t *taken);

#endif
