"""What the data looks like. Imports nothing of ours; everything else imports it."""
