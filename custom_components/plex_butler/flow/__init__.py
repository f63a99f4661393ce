"""Parts of the config flow that do not depend on it: forms, checks, sign-in, takeover."""
