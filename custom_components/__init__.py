"""Custom components: the package that the test harness must find before its own."""
