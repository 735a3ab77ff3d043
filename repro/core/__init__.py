"""The pure heart: values in, values out. No clock, no path, no print."""
