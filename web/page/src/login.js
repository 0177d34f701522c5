// Who logs in on the page, and what is kept of that.

// A hub below another path of the same proxy is another hub.
const key = "login " + new URL(".", document.baseURI).pathname;

// kept returns what is said to the hub. It is a token, or the secret of a session, and never a password. One that is in the address of
// the page, as a phone has read it from a QR code, is taken out of there.
export function kept() {
	const linked = location.hash.match(/^#\/in\/(\w{20,80})$/);
	if (linked) {
		history.replaceState(null, "", "#/");
		keep(linked[1], true);
	}
	try {
		const token = sessionStorage.getItem(key) || localStorage.getItem(key);
		return token ? {token} : null;
	} catch {
		return linked ? {token: linked[1]} : null;
	}
}

// keep keeps a token: until the tab is closed, or for long.
export function keep(token, long) {
	forget();
	try {
		(long ? localStorage : sessionStorage).setItem(key, token);
	} catch { /* for as long as the page is open */ }
}

export function forget() {
	try {
		sessionStorage.removeItem(key);
		localStorage.removeItem(key);
	} catch { /* nothing is kept */ }
}
