"""What a process that is only looked at is stuck on: threads, greenlets and the kernel, at one moment or several."""
