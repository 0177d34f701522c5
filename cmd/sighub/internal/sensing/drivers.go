package sensing

import (
	"fmt"
	"io"
	"math"
	"strings"

	"sighub/internal/terminal"
	"sighub/sensors"
	"sighub/sensors/drivers"
)

// ListDrivers prints the drivers for people.
func ListDrivers(out io.Writer) error {
	var rows [][]string
	for _, d := range drivers.Catalogue() {
		device, _, _ := strings.Cut(d.Summary, ": ")
		rows = append(rows, []string{d.Name, d.Bus, orDash(hexAll(d.Addresses)), orDash(measures(d.Quantities)), orDash(d.Options), device})
	}
	return terminal.Table(out, "DRIVER\tBUS\tADDRESSES\tMEASURES\tOPTIONS\tDEVICE", rows)
}

func hexAll(addresses []uint16) []string {
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = fmt.Sprintf("%#x", a)
	}
	return list
}

func measures(quantities []sensors.Quantity) []string {
	list := make([]string, len(quantities))
	for i, q := range quantities {
		list[i] = q.Name
		if q.Unit != "" {
			list[i] += " (" + q.Unit + ")"
		}
	}
	return list
}

// A driverInfo is a driver as JSON.
type driverInfo struct {
	Driver    string         `json:"driver"`
	Device    string         `json:"device"`
	Bus       string         `json:"bus"`
	Addresses []string       `json:"addresses,omitempty"` // none on 1-Wire, where each device has its own
	Measures  []quantityInfo `json:"measures"`
	Options   []string       `json:"options"`
}

// A quantityInfo is a quantity as JSON, without what is not known.
type quantityInfo struct {
	Name       string   `json:"name"`
	Unit       string   `json:"unit,omitempty"`
	Min        *float64 `json:"min,omitempty"`
	Max        *float64 `json:"max,omitempty"`
	Resolution float64  `json:"resolution,omitempty"`
}

func quantityInfos(quantities []sensors.Quantity) []quantityInfo {
	list := make([]quantityInfo, len(quantities))
	for i, q := range quantities {
		list[i] = quantityInfo{Name: q.Name, Unit: q.Unit, Resolution: short(q.Resolution)}
		if q.Min != 0 || q.Max != 0 {
			least, most := short(q.Min), short(q.Max)
			list[i].Min, list[i].Max = &least, &most
		}
	}
	return list
}

// short rounds to four significant digits: data sheets mean no more.
func short(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}

// ListDriversJSON prints the drivers, each as a line of JSON.
func ListDriversJSON(out io.Writer) error {
	var list []driverInfo
	for _, d := range drivers.Catalogue() {
		device, _, _ := strings.Cut(d.Summary, ": ")
		list = append(list, driverInfo{Driver: d.Name, Device: device, Bus: d.Bus, Addresses: hexAll(d.Addresses),
			Measures: quantityInfos(d.Quantities), Options: append([]string{}, d.Options...)})
	}
	return terminal.JSON(out, list)
}

func orDash(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ",")
}
