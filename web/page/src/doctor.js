// The cable doctor says in one sentence how a serial port is, and what to do about it.

import {age, counts, group, harmless, several} from "./text.js";

const rates = [9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600];

// enough is how many frames tell something about a line, or few after a while; rare is what share of them may be damaged. What the hub has
// on record of the latest minutes counts more.
const enough = 200, few = 20, rare = 1 / 1000, awhile = 6000, minutes = 10, minute = 60000;

// diagnose returns {level, text} of a port as list_ports tells it. before is what it told some time ago, or undefined; past is what
// port_history tells, one sample a minute; at is now, in ms. The level is "good", "note", "bad" or "off".
export function diagnose(p, before, past, at) {
	const since = age(at - Date.parse(p.since)), d = p.device;
	const say = (level, text) => ({level, text});
	const problem = (p.problems || [])[0];
	switch (p.state) {
	case "left":
		return say("off", harmless(p.reason, 200) + ": " + p.remedy);
	case "absent":
		return say("off", (p.reason || "The port is not there") + ": " + (p.remedy || "plug the device in"));
	case "failed":
		return say("bad", (p.reason || "The port cannot be opened") + ": " + (p.remedy || "the hub tries it again"));
	case "opening":
		return say("note", "The hub is opening the port.");
	case "silent":
		return say("bad", `The device has not answered for ${since}: check its power and its cable, or reset it. It goes on by itself when it answers.`);
	case "waiting":
		if (problem) break;
		if (d) return say("bad", `${harmless(d.name || d.uid, 60)} was here, and has been silent for ${since}: check its power and its cable, or reset it.`);
		return say(at - Date.parse(p.since) > 5000 ? "bad" : "note", at - Date.parse(p.since) > 5000
			? `No device has said HELLO for ${since}: check that it runs sighub's firmware at ${p.baud || 115200} baud.`
			: "The port is open; the device has not said HELLO yet.");
	}
	if (problem) return say("bad", harmless(problem.what, 200) + ": " + problem.remedy);
	const line = lineOf(p, before, past, at);
	if (line.share > rare && line.bad >= 3) {
		if (line.young) return say("note", `${group(line.bad)} of ${several(p.frames + p.bad_frames, "frame")} were damaged, perhaps because the device was plugged in, or the hub was started. Half a minute tells more. Nothing is lost; damaged frames are sent again.`);
		const slower = rates.filter((r) => r < p.baud).at(-1);
		return say(line.share > 1 / 100 ? "bad" : "note",
			`${oneIn(line.share)} is damaged: a shorter or shielded cable${slower ? `, or ${slower} baud` : ""}. Nothing is lost; damaged frames are sent again.`);
	}
	if (p.echoes > 0) {
		return say("note", `The line returns what the hub sends (${several(p.echoes, "frame")}): look for RX and TX that touch, or for an adapter that echoes.`);
	}
	if (line.again > 1 / 50 && line.resent >= 3) {
		return say("note", `${oneIn(line.again)} is sent again, though few arrive damaged: the line to the device is bad, or the device polls too seldom. Nothing is lost.`);
	}
	if (d && d.round_trip_ms > 60) {
		return say("note", `An answer takes ${Math.round(d.round_trip_ms)} ms: the device polls seldom, or the USB adapter waits before it sends (latency_timer).`);
	}
	if (d && d.clock && d.clock.uncertainty_ms > 50) {
		return say("note", `The times of readings are known to ${Math.round(d.clock.uncertainty_ms)} ms only. This gets better while the device is connected.`);
	}
	if (d && d.clock && Math.abs(d.clock.drift_ppm) - d.clock.drift_error_ppm > 1000) {
		return say("note", `The device's clock is ${Math.round(Math.abs(d.clock.drift_ppm))} millionths ${d.clock.drift_ppm > 0 ? "slow" : "fast"}, as without a crystal. The hub allows for it.`);
	}
	if (d && d.refused) {
		return say("note", `The line is good. The hub has refused ${counts(d.refused)}${d.latest_refusal ? ": " + harmless(d.latest_refusal.error, 160) : ""}.`);
	}
	if (p.frames === 0) return say("note", "The device is connected and has reported nothing yet.");
	return say("good", p.bad_frames === 0 ? `All is well: none of ${several(p.frames, "frame")} was damaged.`
		: `All is well: ${group(p.bad_frames)} of ${several(p.frames + p.bad_frames, "frame")} damaged, ${line.bad === 0 ? "none" : "few"} of the latest.`);
}

// lineOf returns what share of the latest frames was damaged or sent again: by the minutes that the hub has on record since the device is
// there, or as this page has seen it. While both tell too little, it is young, and all count, with those of the beginning.
function lineOf(p, before, past, at) {
	const all = {n: p.frames + p.bad_frames, bad: p.bad_frames, resent: again(p)}, kept = {n: 0, bad: 0, resent: 0};
	for (const [t, frames, bad, resent] of (past ? past.samples : []).slice(-minutes)) {
		if (t * 1000 < Date.parse(p.since) + minute) continue;
		kept.n += frames + bad, kept.bad += bad, kept.resent += resent;
	}
	const seen = before ? {n: all.n - before.frames - before.bad_frames, bad: all.bad - before.bad_frames, resent: all.resent - again(before)} : {n: 0};
	const tells = seen.n >= enough || seen.n >= few && at - before.at >= awhile;
	const line = kept.n >= few && (!tells || kept.n >= seen.n) ? kept : tells ? seen : all;
	return {...line, young: line === all, share: line.n > 0 ? line.bad / line.n : 0, again: line.n > 0 ? line.resent / line.n : 0};
}

const again = (p) => p.device ? p.device.resent + p.device.repeated : 0;

function oneIn(share) {
	return share >= 0.5 ? `${Math.round(share * 100)} % of the frames` : `1 frame in ${Math.max(Math.round(1 / share), 2)}`;
}
