// Package config reads sighub's configuration, a YAML file, and says what is wrong with it.
//
// The file is decoded strictly: a key that means nothing, a value of the wrong kind and one out of its range are
// errors. Each error names the file, line and column and what to do, and all that are found are reported at once.
// What the file does not say has the value that [Default] gives.
//
//	listen:                        # where clients connect
//	  - tcp://127.0.0.1:3000
//	  - unix:///run/sighub/hub.sock
//	serial:                        # ports with devices; without this key or any entry: auto
//	  - port: /dev/ttyUSB0         # a path; of several that name a port an exact one comes first, then the first
//	    baud: auto                 # or a rate that then stays, as in 115200
//	    opener: native             # native, bugst or tarm
//	    name: greenhouse           # instead of what the device calls itself
//	    naming: "{device}.{sender}"
//	    dtr: on                    # off keeps this modem line down, on boards that it resets
//	    rts: on
//	  - port: /dev/serial/by-id/*  # or any pattern; each port that matches, as it comes
//	  - 0403:6001:A10K5XQ1         # USB adapters by vendor and product, and serial number if you like
//	  - auto                       # every USB serial adapter; serial: none for no port at all
//	sensors:                       # of the gateway itself; without this key none: see Sensing, and sighub sensors
//	  - auto                       # every one that the kernel knows when the hub starts: processor, IIO, hwmon, 1-Wire
//	  - kernel: cpu                # one of those, by the name that sighub sensors --scan gives
//	    period: 1m
//	  - driver: bme280             # sighub sensors lists drivers, their addresses and their options
//	    bus: I2C1                  # /dev/i2c-1; OneWire1; sim, or "sim?day=1m&unplugged=FILE": a simulated bus, with
//	                               # shorter days, that is pulled out while there is such a file
//	    address: 0x77              # without this key the driver's usual one
//	    sender: kitchen            # without this key what the driver is called
//	    period: 10s                # from one reading to the next
//	    jitter: 1s                 # by which each is put off at random
//	    samples: 5                 # for each reading, which is their median
//	    oversampling: 4            # an option of this driver
//	    events:                    # without this key all that it measures
//	      humidity:                # as it is
//	      pressure: air            # as an event of this name
//	      temp:
//	        event: warmth
//	        unit: Cel              # best a name of RFC 8428, if it is not the driver's
//	        factor: 1.02           # calibration: what was measured, times factor, plus offset
//	        offset: -0.5
//	        change: 0.1            # reports nothing that has changed by less
//	        min_interval: 10s      # nor more often than this
//	        max_interval: 10m      # but now and then all the same
//	  - driver: ads1115            # a photoresistor, or a thermistor, on an analog input: see drivers.Law
//	    bus: I2C1
//	    channel: 0
//	    law: {kind: photoresistor, supply: 3.3, fixed: 10000, r10: 10000, gamma: 0.7, grounded: false}
//	pins:                          # of the gateway itself: true while active, false while not
//	  - pin: GPIO17                # as gpioinfo calls it; gpiochip0:17 if it has no name
//	    sender: door               # without this key the pin's name
//	    event: open                # level by default
//	    active: low                # or high
//	    pull: up                   # its resistor: up, down or off
//	    debounce: 20ms             # how long it must be quiet to count, up to 1s
//	thresholds:                    # on any sender's numbers, a device's as well
//	  - sender: kitchen
//	    event: warmth
//	    above: 28                  # or below
//	    until: 26                  # the other end of the hysteresis; without this key there is none
//	    report: "#hot"             # the event: true when it begins, false when it ends; with a # it is a channel, too
//	    as: kitchen.hot            # the sender that reports it; this one without this key
//	state: /var/lib/sighub         # the folder of what is remembered from one run to the next
//	limits:
//	  message_size: 1MiB           # of the largest message
//	  clients: 10000               # connected at once, at each address
//	  senders: 256                 # of one client
//	  listeners: 4096              # of one client
//	  outstanding: 1024            # unanswered messages of one client
//	  outbox: 1024                 # events that wait for one client
//	  outbox_memory: 256MiB        # of the events that wait for all clients together
//	  slow_listener: block         # block, latest or disconnect, when the outbox is full; a listener may ask for another
//	  block_deadline: 2s           # how long block waits
//	  request_timeout: 10s         # how long a client may take to answer a request
//	log:
//	  level: info                  # debug, info, warn or error
//	  format: text                 # text or json
package config
