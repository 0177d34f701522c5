// The time at the hub. The browser's clock may be wrong; ages must not be.

let ahead = 0; // by how many ms the hub's clock is ahead of this one

// now returns the time at the hub in ms.
export const now = () => Date.now() + ahead;

// skew returns by how many ms the two clocks differ.
export const skew = () => ahead;

// learn asks the hub for its time, which an answer of HTTP tells to the second. Clocks that agree within 3 s are taken to be the same.
export async function learn() {
	const asked = Date.now();
	const answer = await fetch(".", {method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(3000)});
	const told = Date.parse(answer.headers.get("Date"));
	if (isNaN(told)) return;
	const off = told + 500 - (asked + Date.now()) / 2;
	ahead = Math.abs(off) < 3000 ? 0 : off;
}

// The ticker calls everybody who shows something that changes by itself, a few times a second, and nobody while the page is hidden.
const tickers = new Set();

export const tickEvery = 250; // ms

export function onTick(f) {
	tickers.add(f);
	return () => tickers.delete(f);
}

setInterval(() => {
	if (document.hidden) return;
	for (const f of tickers) f();
}, tickEvery);
