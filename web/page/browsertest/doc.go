// Package browsertest tests the page of the hub in a real browser: Chromium, without a window, in front of the real program with
// simulated devices on pseudo terminals. What the page says is compared with what was put in.
//
//	go -C web/page/browsertest test .                                   all tests
//	go -C web/page/browsertest test . -run Pictures -pictures ../../../docs/page   draws the pictures of the documentation
//
// It is a module of its own, so that what drives the browser is no part of the hub's.
package browsertest
