/* The identity of this device and the number of this start, both in the EEPROM. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdint.h>

#define UID_SIZE 4

extern uint8_t uid[UID_SIZE];
extern uint32_t boot;

void identity_begin(void);

#endif
