// Package simulated has sensors without hardware: [Drift] reports light and temperature that change as over a
// day, [Counter] reports 0, 1, 2, … so that anyone can check that nothing is lost or doubled.
package simulated
