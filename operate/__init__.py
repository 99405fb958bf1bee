"""Commands for a deployed platform, local or in AWS; nothing that is deployed knows them."""
