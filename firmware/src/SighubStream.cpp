/* Only for Arduino: empty for other programs that compile this whole folder. */
#ifdef ARDUINO
#include "SighubStream.h"

/* The C library calls plain functions, so what they need cannot be in the object. */
static Stream *line;
static bool waits;

bool SighubStream::begin(Stream &stream, const uint8_t *uid, uint8_t uidSize, const __FlashStringHelper *name,
                         const __FlashStringHelper *firmware, uint32_t boot, uint8_t cause) {
	line = &stream;
	device.uid = uid;
	device.uid_size = uidSize;
	device.name = reinterpret_cast<const char *>(name);
	device.firmware = reinterpret_cast<const char *>(firmware);
	device.boot = boot;
	device.cause = cause;
	device.kept = 0; /* a sketch cannot know whether RAM survived: bootloaders clear the cause of the reset and may use the RAM */
	return sighub_begin(&device, millis());
}

void SighubStream::poll() {
	if (!line) return;
	/* At most a buffer at a time, so that loop() continues even if the line is never idle. */
	for (uint8_t n = 64; n && line->available() > 0; n--) sighub_rx(static_cast<uint8_t>(line->read()));
	sighub_poll(millis());
}

void SighubStream::mayWait(bool wait) { waits = wait; }

extern "C" uint8_t sighub_write(uint8_t byte) {
	if (!waits && line->availableForWrite() <= 0) return 0;
	return line->write(byte) == 1;
}

#if SIGHUB_REQUESTS
static void (*answerer)(uint8_t request);

void SighubStream::onRequest(void (*answer)(uint8_t request)) { answerer = answer; }

extern "C" void sighub_request(uint8_t request) {
	if (answerer) answerer(request);
	else sighub_fail(SIGHUB_TEXT("no requests are answered"));
}
#endif
#endif
