"""The AWS emulator, MiniStack, with what the platform needs and it lacks. Runs as its own process."""
