"""What is said of a hang, and of a trial's verdict: the sentences, the stacks, what a running process is stuck on."""
