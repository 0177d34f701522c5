# Compares what a listener heard with the voltages at the inputs, one by one:
#
#     awk -f readings.awk chip.out events.json
#
# The first file is the output of the simulator, the second that of the listener. Each conversion must be heard, once and in
# order, except for those that a #gap counts and those that a reset loses: an external reset may lose the conversion in
# progress, a loss of power (a #gap whose count is unknown) everything that the hub did not have yet. The formulas are those of
# the program, written by hand. It prints how many readings were heard, and exits with 1 if anything is wrong.

BEGIN {
	channel["light"] = 0; name["light"] = "lux"; scale["light"] = 10
	channel["air"] = 1; name["air"] = "temp"; scale["air"] = 100
	for (sender in channel) at[channel[sender]] = count[channel[sender]] = 0
}

function wrong(what) {
	print "readings: " what > "/dev/stderr"
	bad = 1
	exit 1
}

# The number that the device must have reported: tenths of lux, 2 for each millivolt; hundredths of degrees, 10 for each
# millivolt, 500 mV being 0 degrees. Half a unit is added before the fraction is cut off.
function law(sender, raw) {
	return sender == "light" ? int((raw * 5000 * 2 + 512) / 1024) : int((raw * 5000 * 10 + 512) / 1024) - 5000
}

FNR == NR && $1 == "reset" { epoch++ }
FNR == NR && $1 == "adc" {
	if ($4 != int($3 * 1024 / 5000)) wrong("the simulator says that " $3 " mV are " $4)
	raws[$2, count[$2]] = $4
	epochs[$2, count[$2]] = epoch
	count[$2]++
}
FNR == NR { next }

!match($0, /"sender":"[^"]*"/) { wrong("not an event: " $0) }
{ sender = substr($0, RSTART + 10, RLENGTH - 11) }
!(sender in channel) { next }
{
	c = channel[sender]
	match($0, /"event":"[^"]*"/); event = substr($0, RSTART + 9, RLENGTH - 10)
	match($0, /"data":.*}$/); data = substr($0, RSTART + 7, RLENGTH - 8)
}

event == "#gap" && data ~ /"count":null/ {
	now = epochs[c, at[c]]
	while (at[c] < count[c] && epochs[c, at[c]] <= now) { at[c]++; unknown++ }
	next
}
event == "#gap" {
	match(data, /"count":[0-9]+/)
	n = substr(data, RSTART + 8, RLENGTH - 8)
	at[c] += n; lost += n
	next
}
event == name[sender] {
	got = data * scale[sender]
	if (at[c] >= count[c]) wrong("more than was put in: " $0)
	want = law(sender, raws[c, at[c]])
	if (got - want > 1e-6 || want - got > 1e-6) {
		# The last conversion before a reset may have come too late.
		want = law(sender, raws[c, at[c] + 1])
		if (epochs[c, at[c] + 1] == epochs[c, at[c]] || got - want > 1e-6 || want - got > 1e-6)
			wrong(sender "'s conversion " at[c] " was " law(sender, raws[c, at[c]]) / scale[sender] " but heard is " $0)
		at[c]++; torn++
	}
	at[c]++; heard++
}

END {
	if (bad) exit 1
	if (!heard) wrong("none was heard")
	for (sender in channel) {
		c = channel[sender]
		if (at[c] < count[c]) wrong("the last " count[c] - at[c] " of " sender " were not heard")
	}
	printf "%d readings are right, once and in order; %d lost and counted, %d taken by resets, %d of unknown number\n",
		heard, lost, torn, unknown
}
