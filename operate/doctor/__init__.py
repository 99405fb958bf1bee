"""``make doctor``: looks, before and after a deployment, at all that it needs, and says what is wrong and what to do."""
