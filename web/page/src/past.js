// What the journal knows of a sender's comings, goings and losses.

import {now} from "./time.js";

const mostPages = 40; // of each kind, for one chart
const day = 86400000; // ms

// past returns when a sender was away, {kind: "away", from, to, reason}, and what it lost, {kind: "lost", from, to, count, cause}.
export async function past(hub, sender, from, to, stopped) {
	const early = from - Math.max((Math.min(to, now()) - from), day); // it may have gone before
	const kinds = await Promise.all(["#connect", "#disconnect", "#gap"].map((event) => read(hub, sender, event, event === "#gap" ? from : early, to, stopped)));
	const moves = [...kinds[0], ...kinds[1]].sort((a, b) => a.t - b.t), marks = [];
	let away = null;
	for (const m of moves) {
		if (m.event === "#disconnect") {
			away ??= {kind: "away", from: m.t, to: Infinity, reason: m.data.reason};
		} else {
			if (away && m.t > from) marks.push({...away, to: m.t});
			away = null;
		}
	}
	if (away) marks.push(away);
	for (const g of kinds[2]) marks.push({kind: "lost", from: Date.parse(g.data.first), to: Date.parse(g.data.last), count: g.data.count, cause: g.data.cause});
	return marks;
}

async function read(hub, sender, event, from, to, stopped) {
	const found = [], until = to === Infinity ? {} : {to: new Date(to).toISOString()};
	for (let page = 0, after; page < mostPages && !stopped(); page++) {
		const answer = await hub.call("history", {sender, event, ...until, ...(after ? {after} : {from: new Date(from).toISOString()})});
		for (const {info, data} of answer.events || []) {
			if (info.event === event && data) found.push({t: Date.parse(info.time), event, data});
		}
		after = answer.next;
		if (!after) break;
	}
	return found.slice(-200);
}
