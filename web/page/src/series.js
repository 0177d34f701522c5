import {now} from "./time.js";

// A Series is what a chart shows of one event: numbers summed up in buckets of one width, so that it is small, and no spike is lost.
// A bucket is {t, min, max, sum, n, last}; t is its beginning in ms.
export class Series {
	constructor(step, from, to) {
		this.step = step;
		this.from = from;
		this.to = to; // Infinity: it goes on
		this.buckets = [];
		this.version = 0;
	}

	// add adds a number, whose time may be earlier than that of others.
	add(t, v) {
		if (t < this.from || t >= this.to) return;
		this.put({t, min: v, max: v, sum: v, n: 1, last: v});
	}

	// put adds a bucket of this width or of a smaller one.
	put(b) {
		const t = Math.floor(b.t / this.step) * this.step, list = this.buckets;
		let i = list.length;
		if (i > 0 && t <= list[i - 1].t) i = this.#find(t);
		this.version++;
		if (i < list.length && list[i].t === t) {
			const old = list[i];
			old.min = Math.min(old.min, b.min);
			old.max = Math.max(old.max, b.max);
			old.sum += b.sum;
			old.n += b.n;
			if (b.t >= (old.lastAt ?? old.t)) old.last = b.last, old.lastAt = b.t;
			return;
		}
		list.splice(i, 0, {...b, t, lastAt: b.t});
	}

	// #find returns where the first bucket is that does not begin before t.
	#find(t) {
		let low = 0, high = this.buckets.length;
		while (low < high) {
			const mid = (low + high) >> 1;
			if (this.buckets[mid].t < t) low = mid + 1;
			else high = mid;
		}
		return low;
	}

	// forget removes what is before t.
	forget(t) {
		const i = this.#find(t);
		if (i > 0) this.buckets.splice(0, i), this.version++;
		this.from = Math.max(this.from, t);
	}

	// usual returns the usual time between two buckets.
	usual() {
		const list = this.buckets, times = [];
		for (let i = Math.max(1, list.length - 200); i < list.length; i++) times.push(list[i].t - list[i - 1].t);
		times.sort((a, b) => a - b);
		return times[times.length >> 1] || this.step;
	}

	// columns returns [times in s, means, minima, maxima]. Where nothing was measured for long, there is a null: a gap is drawn as one.
	columns() {
		const most = Math.max(2.5 * this.step, 4 * this.usual());
		const t = [], mean = [], min = [], max = [];
		let before;
		for (const b of this.buckets) {
			if (before !== undefined && b.t - before > most) {
				t.push((before + this.step) / 1000);
				mean.push(null), min.push(null), max.push(null);
			}
			t.push(b.t / 1000);
			mean.push(b.sum / b.n), min.push(b.min), max.push(b.max);
			before = b.t;
		}
		return [t, mean, min, max];
	}

	// extremes returns the least, the greatest and the last number, the mean of all, and how many there are.
	extremes() {
		let min = Infinity, max = -Infinity, sum = 0, n = 0, last;
		for (const b of this.buckets) {
			min = Math.min(min, b.min), max = Math.max(max, b.max), sum += b.sum, n += b.n, last = b.last;
		}
		return n === 0 ? null : {min, max, mean: sum / n, n, last};
	}
}

const minute = 60000;

// steps are the widths that people know, in ms.
const steps = [100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
	60 * minute, 120 * minute, 180 * minute, 360 * minute, 720 * minute, 1440 * minute, 7 * 1440 * minute];

// points is about how many buckets a chart has.
const points = 600;

// stepFor returns the width of the buckets of a chart of a span, in ms.
export function stepFor(span) {
	return steps.find((s) => s >= span / points) ?? steps.at(-1);
}

// number returns the number that an event is drawn as, or undefined.
export function numberOf(data) {
	if (typeof data === "number") return data;
	if (typeof data === "boolean") return data ? 1 : 0;
	return undefined;
}

const mostPages = 60; // of events, for one chart

// load fills a series from the hub's journal: sums for whole minutes, and events for what is left of the last one. Where buckets are
// narrower than a minute, it reads events. stopped reports whether nobody wants it any more. It returns the time until which it has sums,
// if there are any, the seq and the connection up to which it has the events after that, and whether all that was asked for is there.
export async function load(call, series, sender, event, stopped) {
	const until = Math.min(series.to, now() + 10 * minute); // clocks differ
	let from = series.from, whole = true;
	for (const step of series.step >= minute ? [series.step, minute] : []) {
		if (step > series.step) continue;
		const end = Math.floor(Math.min(until, series.asked) / step) * step;
		if (end <= from) continue;
		await buckets(call, series, sender, event, from, end, step, stopped);
		from = end;
		if (step === minute) break;
	}
	const summed = series.version > 0 ? from : -Infinity, position = {connection: 0, seq: 0};
	for (let page = 0, after; !stopped(); page++) {
		if (page === mostPages) {
			whole = false;
			break;
		}
		const params = {sender, event, to: text(until), limit: 1000, ...(after ? {after} : {from: text(from)})};
		const answer = await call("history", params);
		for (const {info, data} of answer.events || []) {
			const v = numberOf(data), t = Date.parse(info.time);
			if (info.event !== event || t < from || isNaN(t)) continue;
			if (v !== undefined) series.add(t, v);
			if (info.connection > position.connection) position.connection = info.connection, position.seq = 0;
			if (info.connection === position.connection) position.seq = Math.max(position.seq, info.seq || 0);
		}
		after = answer.next;
		if (!after) break;
	}
	return {summed, position, whole};
}

async function buckets(call, series, sender, event, from, to, step, stopped) {
	while (!stopped()) {
		const answer = await call("history", {sender, event, from: text(from), to: text(to), every: step});
		for (const b of answer.buckets || []) {
			const t = Date.parse(b.time);
			if (t < to) series.put({t, min: b.min, max: b.max, sum: b.mean * b.count, n: b.count, last: b.last});
		}
		if (!answer.next) return;
		from = Date.parse(answer.next);
		if (from >= to) return;
	}
}

const text = (t) => new Date(t).toISOString();
