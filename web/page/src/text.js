// Texts for people. What comes from elsewhere is made harmless here; Preact makes text of it, never markup.

// hidden are characters that control, hide, or turn the direction of what follows.
const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

// harmless returns a text with such characters written out, and at most so many characters of it.
export function harmless(text, most = 200) {
	text = String(text);
	const cut = text.length > most;
	if (cut) text = text.slice(0, most);
	text = text.replace(hidden, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
	return cut ? text + "…" : text;
}

// copyOf returns the beginning of a text, which does not keep the whole text in memory.
export function copyOf(text, most) {
	return text.length <= most ? text : JSON.parse(JSON.stringify(text.slice(0, most)));
}

const units = {
	Cel: "°C", "%RH": "% RH", "%EL": "%", "/": "", count: "", Ohm: "Ω", m2: "m²", m3: "m³", "W/m2": "W/m²", "m/s2": "m/s²", "m3/s": "m³/s",
	"ug/m3": "µg/m³", "ug": "µg", deg: "°", "1/min": "/min", "1/s": "/s", "1/h": "/h", "beat/min": "bpm", "kWh": "kWh", "lx": "lx",
};

// unitName returns a unit as people write it.
export function unitName(unit) {
	return unit ? units[unit] ?? harmless(unit, 16) : "";
}

// group puts commas between thousands.
export function group(n) {
	const [whole, rest] = String(n).split(".");
	return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",") + (rest === undefined ? "" : "." + rest);
}

// number writes a number with six digits, or with all that stand before the point and one after it.
export function number(v) {
	if (!Number.isFinite(v)) return String(v);
	if (v === 0) return "0";
	const size = Math.abs(v);
	if (Number.isInteger(v) && size < 1e15) return group(v);
	if (size >= 1e15 || size < 1e-4) return v.toPrecision(5).replace(/\.?0+(e|$)/, "$1");
	return group(Number(size < 99999.5 ? v.toPrecision(6) : v.toFixed(1)));
}

// value writes the data of an event in one short line.
export function value(data) {
	switch (typeof data) {
	case "number": return number(data);
	case "string": return harmless(data, 60);
	case "boolean": return data ? "true" : "false";
	case "undefined": return "–";
	}
	return data === null ? "null" : harmless(JSON.stringify(data), 60);
}

// bytes writes a size.
export function bytes(n) {
	const names = ["bytes", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;
	while (n >= 1024 && i < names.length - 1) n /= 1024, i++;
	return (i === 0 ? group(Math.round(n)) : n >= 100 ? String(Math.round(n)) : n.toFixed(1)) + " " + names[i];
}

// several writes a number with its noun.
export function several(n, noun) {
	return group(n) + " " + noun + (n === 1 ? "" : "s");
}

// age writes how long something has been, in ms: now, 12 s, 5 min, 3 h 05 min, 2 d 1 h.
export function age(ms) {
	const s = Math.floor(Math.max(ms, 0) / 1000);
	if (s < 1) return "now";
	if (s < 60) return s + " s";
	if (s < 3600) return Math.floor(s / 60) + " min" + (s < 600 && s % 60 ? " " + s % 60 + " s" : "");
	if (s < 86400) return Math.floor(s / 3600) + " h" + (Math.floor(s / 60) % 60 ? " " + Math.floor(s / 60) % 60 + " min" : "");
	const d = Math.floor(s / 86400), hours = Math.floor(s / 3600) % 24;
	return d + " d" + (d < 10 && hours ? " " + hours + " h" : "");
}

// ago writes when something was, as far as now goes.
export function ago(ms) {
	const text = age(ms);
	return text === "now" ? "just now" : text + " ago";
}

const two = (n) => String(n).padStart(2, "0");

// clock writes a time in the zone of the browser; with the date if it is not today.
export function clock(t, now = Date.now()) {
	const d = new Date(t), today = new Date(now).toDateString() === d.toDateString();
	if (isNaN(d)) return "–";
	const time = two(d.getHours()) + ":" + two(d.getMinutes()) + ":" + two(d.getSeconds());
	return today ? time : d.getFullYear() + "-" + two(d.getMonth() + 1) + "-" + two(d.getDate()) + " " + time;
}

// quote writes an argument for a shell.
export function quote(text) {
	return text !== "" && /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : "'" + text.replaceAll("'", `'\\''`) + "'";
}

// command writes a command line of sighub: a command, which may have options, and its arguments.
export function command(name, ...args) {
	return ["sighub", name, ...(args.some((a) => a.startsWith("-")) ? ["--"] : []), ...args.map(quote)].join(" ");
}

// counts writes numbers by cause: "3 value, 1 name".
export function counts(byCause) {
	const list = Object.entries(byCause || {}).sort(([a], [b]) => a < b ? -1 : 1);
	return list.length === 0 ? "–" : list.map(([cause, n]) => group(n) + " " + harmless(cause, 20)).join(", ");
}

// entered reads what somebody has typed for data: JSON or, if it is none, a text.
export function entered(text) {
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}
