/* A device that answers requests, and reports nothing.
 *
 *     sighub request board led true         switches the LED, and answers true
 *     sighub request board read 0           answers {"pin": 0, "value": 512}: what analogRead returns for A0
 *     sighub request board read 7           fails, and says why */
#include <EEPROM.h>
#include <SighubStream.h>

enum { LED = 1, READ }; /* requests, in the dictionary's order */

SIGHUB_DICTIONARY(SIGHUB_SENDER("board") SIGHUB_REQUEST("led") SIGHUB_REQUEST("read"));

/* Give each device its own number. */
const uint8_t uid[] = {0x10, 0x00, 0x00, 0x02};

SighubStream hub;

/* Is called from hub.poll(), once for each request, even if the line is bad. It must not wait. */
void answer(uint8_t request) {
	if (request == LED) {
		uint8_t on;
		if (!sighub_get_bool(&on)) return sighub_fail(SIGHUB_TEXT("true or false"));
		digitalWrite(LED_BUILTIN, on);
		sighub_put_bool(on);
	} else if (request == READ) {
		int32_t pin;
		if (!sighub_get_int(&pin) || pin < 0 || pin > 5) return sighub_fail(SIGHUB_TEXT("0 to 5"));
		sighub_put_map(2);
		sighub_put_text("pin");
		sighub_put_int(pin);
		sighub_put_text("value");
		sighub_put_int(analogRead(A0 + pin));
	} else {
		sighub_fail(SIGHUB_TEXT("no such request"));
	}
}

/* How often the device has started: an erased EEPROM contains FFFFFFFF, which makes this start number 0. */
uint32_t countStarts() {
	uint32_t boot;
	EEPROM.get(0, boot);
	boot++;
	EEPROM.put(0, boot);
	return boot;
}

void setup() {
	pinMode(LED_BUILTIN, OUTPUT);
	Serial.begin(115200);
	hub.onRequest(answer);
	if (!hub.begin(Serial, uid, sizeof uid, F("request"), F("1.0"), countStarts()))
		digitalWrite(LED_BUILTIN, HIGH); /* SIGHUB_EVENTS is too small: the hub says so, too */
}

void loop() { hub.poll(); }
