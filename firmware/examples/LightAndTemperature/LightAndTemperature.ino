/* Light at A0 and temperature at A1, each second.
 *
 *     A0   a light sensor of 5 mV per lux, such as a TEMT6000 with 10 kOhm
 *     A1   a TMP36: 750 mV at 25 degrees, 10 mV per degree
 *
 * For boards with 5 V, an ADC of 10 bits and EEPROM, such as an Uno. On the hub: "sighub listen". */
#include <EEPROM.h>
#include <SighubStream.h>

const long SUPPLY = 5000; /* mV */
const long STEPS = 1024;  /* of the ADC */
const unsigned long PERIOD = 1000; /* ms */

enum { LUX, TEMPERATURE }; /* events, in the dictionary's order */

SIGHUB_DICTIONARY(
	SIGHUB_SENDER("light") SIGHUB_DECIMAL("lux", "lx", -1)
	SIGHUB_SENDER("air") SIGHUB_DECIMAL("temp", "Cel", -2));

/* Give each device its own number. */
const uint8_t uid[] = {0x10, 0x00, 0x00, 0x01};

SighubStream hub;
unsigned long last;

/* How often the device has started: an erased EEPROM contains FFFFFFFF, which makes this start number 0. */
uint32_t countStarts() {
	uint32_t boot;
	EEPROM.get(0, boot);
	boot++;
	EEPROM.put(0, boot);
	return boot;
}

uint8_t refused;

void setup() {
	pinMode(LED_BUILTIN, OUTPUT);
	Serial.begin(115200);
	if (!hub.begin(Serial, uid, sizeof uid, F("light and air"), F("1.0"), countStarts()))
		digitalWrite(LED_BUILTIN, HIGH); /* SIGHUB_EVENTS is too small: the hub says so, too */
}

void loop() {
	hub.poll();
	if (hub.refused() != refused) { /* the hub does not take what this sketch reports: "sighub ports" says why */
		refused = hub.refused();
		digitalWrite(LED_BUILTIN, HIGH);
	}
	if (millis() - last < PERIOD) return; /* never delay() */
	last = millis();
	hub.report(LUX, analogRead(A0) * SUPPLY * 2 / STEPS);                 /* tenths of lux: 5 mV are 10 */
	hub.report(TEMPERATURE, analogRead(A1) * SUPPLY * 10 / STEPS - 5000); /* hundredths of degrees: 500 mV are 0 */
}
