# Checks what a listener heard of the Cortex-M3 example: each saw is one more than the last, except for those that a #gap
# counts; each load is between 0 and 1.

function wrong(what) {
	print "saw: " what > "/dev/stderr"
	bad = 1
	exit 1
}

match($0, /"data":.*}$/) { data = substr($0, RSTART + 7, RLENGTH - 8) }

/"sender":"test","event":"saw"/ {
	if (heard++ && data != next_one) wrong("not " next_one ": " $0)
	next_one = (data + 1) % 1000
}
/"sender":"test","event":"#gap"/ {
	if (!match(data, /"count":[0-9]+/)) wrong("a loss of unknown number, though the RAM was kept: " $0)
	next_one = (next_one + substr(data, RSTART + 8, RLENGTH - 8)) % 1000
	lost += substr(data, RSTART + 8, RLENGTH - 8)
}
/"sender":"core","event":"load"/ {
	if (data !~ /^[0-9.e-]+$/ || data < 0 || data > 1) wrong("not a load: " $0)
	loads++
}

END {
	if (bad) exit 1
	if (!heard || !loads) wrong("none was heard")
	printf "%d readings of the saw are right, once and in order, and %d of the load; %d lost and counted\n", heard, loads, lost
}
