// Who logs in on the page, and what is kept of that.

// A hub below another path of the same proxy is another hub.
const key = "login " + new URL(".", document.baseURI).pathname;

// linked returns the token that is in the address of the page, as a phone has read it from a QR code, or undefined. It is taken out of there.
export function linked() {
	const found = location.hash.match(/^#\/in\/(\w{20,80})$/);
	if (found) history.replaceState(null, "", "#/");
	return found?.[1];
}

// kept returns what is said to the hub. It is a token, or the secret of a session, and never a password.
export function kept() {
	try {
		const token = sessionStorage.getItem(key) || localStorage.getItem(key);
		return token ? {token} : null;
	} catch {
		return null;
	}
}

// keep keeps a token: until the tab is closed, or for long, which is for all tabs.
export function keep(token, long) {
	try {
		sessionStorage.removeItem(key);
		(long ? localStorage : sessionStorage).setItem(key, token);
	} catch { /* for as long as the page is open */ }
}

// forget forgets a token, and no other one, which another tab may have kept.
export function forget(token) {
	try {
		for (const s of [sessionStorage, localStorage]) if (s.getItem(key) === token) s.removeItem(key);
	} catch { /* nothing is kept */ }
}

// onKept calls f with the token that was kept for long before another tab has kept another one, or has forgotten it.
export function onKept(f) {
	addEventListener("storage", (e) => e.key === key && f(e.oldValue));
}
