#include "identity.h"

#include <avr/eeprom.h>

uint8_t uid[UID_SIZE];
uint32_t boot;

/* Erased bytes are FF. A counter's lowest byte lasts 100,000 starts, by the data sheet. */
static uint32_t EEMEM stored_boot = 0xFFFFFFFF;
static uint32_t EEMEM stored_uid = 0xFFFFFFFF;

extern uint8_t __heap_start; /* from the linker: the end of the program's RAM */

/* An ATmega328P has no serial number (an ATmega328PB has one), so it makes one at its first start, from RAM that nothing
 * has written since power-up: its bits are random. FNV-1a (Fowler, Noll, Vo). */
static uint32_t draw(void) {
	uint32_t hash = 2166136261UL;
	for (const uint8_t *p = &__heap_start; p < (const uint8_t *)__builtin_frame_address(0); p++) {
		hash = (hash ^ *p) * 16777619UL;
	}
	return hash;
}

void identity_begin(void) {
	uint32_t id = eeprom_read_dword(&stored_uid);
	while (id == 0xFFFFFFFF) eeprom_update_dword(&stored_uid, id = draw());
	for (uint8_t i = 0; i < UID_SIZE; i++, id >>= 8) uid[i] = (uint8_t)id;
	boot = eeprom_read_dword(&stored_boot) + 1;
	eeprom_update_dword(&stored_boot, boot);
}
