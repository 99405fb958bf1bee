"""What other people's tools find in the templates and the workflows, and why what is found may stay."""
