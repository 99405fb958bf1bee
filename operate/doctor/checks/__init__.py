"""The checks: each looks at one thing, changes nothing, and yields what it found."""
