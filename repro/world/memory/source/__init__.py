"""Where a process's memory comes from: one that runs, or a core file; its images and pages."""
