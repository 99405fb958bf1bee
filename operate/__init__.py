"""Commands for a deployed platform, local or in AWS."""
