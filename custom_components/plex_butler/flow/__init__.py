"""The parts of the config flow that need no flow: forms, checks, the sign-in, the takeover."""
