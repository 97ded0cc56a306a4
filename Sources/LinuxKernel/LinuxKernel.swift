// LinuxKernel: see ARCHITECTURE.md.
