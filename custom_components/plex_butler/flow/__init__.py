"""What the steps of the config flow are made of."""
