// Package kernel has the sensors that Linux itself supports: industrial I/O (IIO), hardware monitoring (hwmon), thermal zones
// and 1-Wire thermometers. [Scan] finds them in sysfs and gives them names that do not change between starts.
//
// It follows the kernel's own documents: Documentation/ABI/testing/sysfs-bus-iio, Documentation/hwmon/sysfs-interface.rst,
// Documentation/driver-api/thermal/sysfs-api.rst and Documentation/w1/slaves/w1_therm.rst.
package kernel
