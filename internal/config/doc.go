// Package config reads sighub's configuration, a YAML file, and says what is wrong with it.
//
// The file is decoded strictly: a key that means nothing, a value of the wrong kind and one out of its range are
// errors. Each error names the file, line and column and what to do, and all that are found are reported at once.
// What the file does not say has the value that [Default] gives.
//
//	listen:                        # where clients connect
//	  - tcp://127.0.0.1:3000
//	  - unix:///run/sighub/hub.sock
//	serial:                        # ports with devices; without this key: auto
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
