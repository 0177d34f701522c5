/* sighub for Arduino: the library of sighub.h on a Stream, such as Serial.
 *
 *     SIGHUB_DICTIONARY(SIGHUB_SENDER("light") SIGHUB_EVENT("lux", "lx"));
 *     SighubStream hub;
 *
 *     void setup() { Serial.begin(115200); hub.begin(Serial, uid, sizeof uid, F("porch"), F("1.0"), boot); }
 *     void loop() { hub.poll(); if (there_is_a_reading) hub.report(0, lux); }
 *
 * There is one line per program, and so one SighubStream. A function that you give to onRequest answers requests, with the
 * functions sighub_get... and sighub_put... of sighub.h. */
#ifndef SIGHUB_STREAM_H
#define SIGHUB_STREAM_H

#include <Arduino.h>

#include "sighub.h"

class SighubStream {
public:
	/* uid: 1 to 12 bytes, unique to this device; they must stay valid. boot: different at each start, such as a counter in
	 * EEPROM or a random number. The stream must be open. Returns false if the dictionary has more events than
	 * SIGHUB_EVENTS, which the compiler mostly finds: then no reading is accepted, and the hub says so. */
	bool begin(Stream &stream, const uint8_t *uid, uint8_t uidSize, const __FlashStringHelper *name,
	           const __FlashStringHelper *firmware, uint32_t boot, uint8_t cause = 0);

	/* Receives, sends and does what is due. Call it from loop(), which should not wait: a device that is silent for 3 s
	 * counts as gone, and at 115200 baud the receive buffer of an Uno is full after 5 ms. */
	void poll();

	/* Queues a reading, taken now or at a time of millis(). Returns false if there is no room: the loss is counted, and
	 * listeners are told. Integers of all types are converted to int32_t. */
	bool report(uint8_t event, int32_t value) { return report(event, value, millis()); }
	bool report(uint8_t event, int32_t value, uint32_t taken) { return sighub_report(event, value, taken); }
#if SIGHUB_FLOAT
	bool reportFloat(uint8_t event, float value) { return reportFloat(event, value, millis()); }
	bool reportFloat(uint8_t event, float value, uint32_t taken) { return sighub_report_float(event, value, taken); }
#endif

	bool connected() const { return sighub_connected(); }
	uint16_t waiting() const { return sighub_waiting(); } /* bytes of unacknowledged readings */

	/* How many frames of readings the hub has refused, modulo 256, and the status with which it refused the latest. */
	uint8_t refused() const { return sighub_refused(); }
	int8_t refusal() const { return sighub_refusal(); }

#if SIGHUB_REQUESTS
	/* The function is called with the number of the request, counted from 1 in the order of the dictionary. */
	void onRequest(void (*answer)(uint8_t request));
#endif

	/* For a stream that cannot say how much it accepts without waiting, such as SoftwareSerial: then poll() may wait. */
	void mayWait(bool wait);

private:
	sighub_device device;
};

#endif
